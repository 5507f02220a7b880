//! How a server is asked for vectors.

use std::time::Duration;

use super::Dialect;
use crate::breaker::Policy;

/// The pod's ambassador.
pub const AMBASSADOR: &str = "http://127.0.0.1:7070/v1";

/// A question that has no vector after this is answered by words: a fifth of the time that it has as a rule.
pub const QUERY_WITHIN: Duration = Duration::from_secs(2);

/// How a server is asked.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// The model's name, and part of the name of every vector.
    pub model: String,
    /// What the server speaks.
    pub dialect: Dialect,
    /// The most texts of a request. Default: 64, for TEI 32.
    pub items: usize,
    /// The most bytes of text of a request. Default: 1 MiB.
    pub bytes: usize,
    /// The most requests at a time, of queries and of documents each. Default: 4.
    pub at_once: usize,
    /// Put before every query: `query: ` for e5, `search_query: ` for nomic.
    pub query_prefix: String,
    /// Put before every document: `passage: ` for e5, `search_document: ` for nomic.
    pub document_prefix: String,
    /// How long a question waits for its vector, at most. Default: [`QUERY_WITHIN`].
    pub query_timeout: Duration,
    /// When it is left alone.
    pub breaker: Policy,
}

impl Settings {
    /// The defaults for a model.
    #[must_use]
    pub fn of(model: impl Into<String>, dialect: Dialect) -> Self {
        Self {
            model: model.into(),
            dialect,
            items: dialect.items(),
            bytes: 1 << 20,
            at_once: 4,
            query_prefix: String::new(),
            document_prefix: String::new(),
            query_timeout: QUERY_WITHIN,
            breaker: Policy::default(),
        }
    }
}
