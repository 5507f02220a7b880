//! A second look at what was found: a model that reads question and passage together. Cohere's shape (Jina, vLLM and
//! others have it too) and TEI's. Whoever calls goes on without it when it fails.

mod wire;

pub use wire::Shape;

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use crate::http::{Call, Client, Endpoint, Token, Trouble};
use wire::{CohereAnswer, CohereQuestion, Score, TeiQuestion, TeiScore};

/// TEI takes so many at a time, unless it was set up otherwise; it scores each by itself.
const TEI_ITEMS: usize = 32;

/// Requests at a time.
const AT_ONCE: usize = 4;

/// How relevant one of the documents is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ranked {
    /// Which, counted from 0 in the order of the question.
    pub index: usize,
    /// How much; what that means is the model's own.
    pub score: f32,
}

/// Something that reranks.
#[async_trait]
pub trait Rerank: std::fmt::Debug + Send + Sync {
    /// Where it is, fit for a log.
    fn describe(&self) -> String;

    /// The `top` most relevant documents, best first, ties in the order they came in.
    ///
    /// # Errors
    /// Why there is no other ranking.
    async fn rerank(&self, query: &str, documents: &[&str], top: usize, call: &Call) -> Result<Vec<Ranked>, Trouble>;
}

#[async_trait]
impl Rerank for Reranker {
    fn describe(&self) -> String {
        Self::describe(self)
    }

    async fn rerank(&self, query: &str, documents: &[&str], top: usize, call: &Call) -> Result<Vec<Ranked>, Trouble> {
        Self::rerank(self, query, documents, top, call).await
    }
}

/// A server that reranks.
#[derive(Debug, Clone)]
pub struct Reranker {
    endpoint: Endpoint,
    shape: Shape,
    model: String,
}

impl Reranker {
    /// The one at `url`, the whole of it. Where `shape` is not said, the path says it: see [`Shape::of_path`]. A `model`
    /// is for Cohere's shape; TEI has one.
    ///
    /// # Errors
    /// What is wrong with the address.
    pub fn at(
        client: &Client,
        url: &str,
        token: Option<Arc<Token>>,
        shape: Option<Shape>,
        model: impl Into<String>,
    ) -> Result<Self, String> {
        let endpoint = Endpoint::new(client, url, "", token)?;
        let shape = shape.unwrap_or_else(|| Shape::of_path(endpoint.path()));
        Ok(Self { endpoint, shape, model: model.into() })
    }

    /// What it speaks.
    #[must_use]
    pub const fn shape(&self) -> Shape {
        self.shape
    }

    /// Where it is, fit for a log.
    #[must_use]
    pub fn describe(&self) -> String {
        self.endpoint.place()
    }

    /// The `top` most relevant documents, best first, ties in the order they came in. It is tried once: there is a ranking
    /// already, and the time is better spent on the answer.
    ///
    /// # Errors
    /// Why there is no other ranking.
    pub async fn rerank(
        &self,
        query: &str,
        documents: &[&str],
        top: usize,
        call: &Call,
    ) -> Result<Vec<Ranked>, Trouble> {
        let due = self.shape.due();
        let top = top.min(documents.len());
        if top == 0 {
            return Ok(Vec::new());
        }
        let mut ranked = match self.shape {
            Shape::Cohere => {
                let question = CohereQuestion { model: &self.model, query, documents, top_n: top };
                let answer: CohereAnswer = self.endpoint.ask(&question, due, call).await?;
                wire::checked(answer.results.into_iter().map(Score::from), documents.len(), top)
                    .map_err(|why| self.endpoint.shape(due, why))?
            }
            Shape::Tei => {
                let mut parts = Vec::new();
                for (part, texts) in documents.chunks(TEI_ITEMS).enumerate() {
                    parts.push(self.part(query, texts, part * TEI_ITEMS, call));
                }
                let all: Vec<_> = stream::iter(parts).buffer_unordered(AT_ONCE).try_collect().await?;
                all.into_iter().flatten().collect()
            }
        };
        ranked.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.index.cmp(&b.index)));
        ranked.truncate(top);
        Ok(ranked)
    }

    /// Scores some of the documents, of which `first` is the first.
    async fn part(&self, query: &str, texts: &[&str], first: usize, call: &Call) -> Result<Vec<Ranked>, Trouble> {
        let due = self.shape.due();
        let question = TeiQuestion { query, texts, truncate: true };
        let answer: Vec<TeiScore> = self.endpoint.ask(&question, due, call).await?;
        let ranked = wire::checked(answer.into_iter().map(Score::from), texts.len(), texts.len())
            .map_err(|why| self.endpoint.shape(due, why))?;
        Ok(ranked.into_iter().map(|it| Ranked { index: first + it.index, ..it }).collect())
    }
}
