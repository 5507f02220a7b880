//! Texts to vectors. Whoever makes them is behind [`Embedder`]; [`Remote`] is a server that speaks OpenAI's dialect or
//! TEI's, with all that makes one bearable: batches, several at a time, tries anew, one flight for equal texts, a cache.

mod batch;
mod flight;
mod memory;
mod remote;
mod settings;
mod vector;
mod wire;

pub use memory::Memory;
pub use remote::Remote;
pub use settings::{AMBASSADOR, QUERY_WITHIN, Settings};
pub use wire::Dialect;

use async_trait::async_trait;

use crate::{
    breaker::Gate,
    http::{Call, Trouble},
};

/// What a text is embedded for: some models want to be told, by a prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// To look for something with it.
    Query,
    /// To be found.
    Document,
}

/// Something that makes vectors of texts.
#[async_trait]
pub trait Embedder: std::fmt::Debug + Send + Sync {
    /// The model: vectors of one model are compared with each other, and with no others.
    fn model(&self) -> &str;

    /// How many numbers a vector has; known after the first answer.
    fn dimension(&self) -> Option<usize>;

    /// Where it is, fit for a log.
    fn describe(&self) -> String;

    /// A vector of length 1 for each text, in order.
    ///
    /// # Errors
    /// Why there are none. It is all or nothing; what was made is remembered all the same.
    async fn embed(&self, texts: &[&str], purpose: Purpose, call: &Call) -> Result<Vec<Vec<f32>>, Trouble>;

    /// Whether it is left alone, for the metrics.
    fn breaker(&self) -> Option<&Gate> {
        None
    }

    /// What it remembers, for the metrics.
    fn memory(&self) -> Option<&Memory> {
        None
    }

    /// How many numbers a vector has, asking for one where that is not known yet.
    ///
    /// # Errors
    /// Why that is not known.
    async fn probe(&self, call: &Call) -> Result<usize, Trouble> {
        if let Some(dimension) = self.dimension() {
            return Ok(dimension);
        }
        let vectors = self.embed(&["probe"], Purpose::Document, call).await?;
        Ok(vectors.first().map_or(0, Vec::len))
    }
}
