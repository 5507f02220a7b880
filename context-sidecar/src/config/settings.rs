//! Settings that hold: whatever is in here has been checked.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use context_core::{
    bm25::Language,
    chunk::Size,
    scope::{Collection, Tenant},
};

use crate::{embed, rerank::Shape, store::qdrant, wishes::Wishes};

pub use super::file::Field;

/// Everything that the context-sidecar is told.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where it listens, and how long it drains.
    pub listen: Listen,
    /// Whose documents all requests are about.
    pub tenant: Option<Tenant>,
    /// Where the token is by which a caller proves that it may name a tenant.
    pub token_file: Option<PathBuf>,
    /// The collection of requests that name none.
    pub collection: Collection,
    /// Where documents are kept.
    pub store: Store,
    /// What makes vectors; `None` for search by words only.
    pub embeddings: Option<Embeddings>,
    /// What gives the best results a second look.
    pub rerank: Option<Rerank>,
    /// What holds for questions that say nothing else.
    pub retrieval: Wishes,
    /// How documents are taken in.
    pub ingest: Ingest,
    /// What is particular to a collection.
    pub collections: BTreeMap<Collection, OfCollection>,
    /// How conversations are kept.
    pub conversations: Conversations,
    /// What is remembered.
    pub caches: Caches,
    /// What one request may take.
    pub limits: Limits,
    /// Whether a model may store documents over MCP.
    pub mcp_store: bool,
}

impl Settings {
    /// The metadata that a collection says it is filtered by; empty where anything goes.
    #[must_use]
    pub fn fields(&self, collection: &Collection) -> Option<&BTreeMap<String, Field>> {
        self.collections.get(collection).map(|of| &of.fields).filter(|fields| !fields.is_empty())
    }
}

/// Where to listen and how to end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listen {
    /// For the agent.
    pub data: String,
    /// For probes and metrics.
    pub admin: String,
    /// How long requests in flight may take to end after SIGTERM.
    pub drain: Duration,
}

impl Listen {
    /// Where the agent finds us unless configured.
    pub const DATA: &'static str = "127.0.0.1:9090";
    /// Where probes find us unless configured.
    pub const ADMIN: &'static str = "0.0.0.0:9091";
    /// No question takes longer.
    pub const DRAIN: Duration = Duration::from_secs(30);
}

/// Where documents are kept.
#[derive(Debug, Clone)]
pub enum Store {
    /// In a Qdrant.
    Qdrant(qdrant::Settings),
    /// In a directory.
    Embedded(PathBuf),
}

/// What makes vectors.
#[derive(Debug, Clone, PartialEq)]
pub struct Embeddings {
    /// Where it is.
    pub url: String,
    /// Where its token is.
    pub key_file: Option<PathBuf>,
    /// How it is asked.
    pub settings: embed::Settings,
    /// How long documents may take to be embedded.
    pub timeout: Duration,
}

/// What gives the best results a second look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rerank {
    /// All of its address.
    pub url: String,
    /// Where its token is.
    pub key_file: Option<PathBuf>,
    /// Which model; empty where it has one.
    pub model: String,
    /// What it speaks; `None` for what its path says.
    pub shape: Option<Shape>,
    /// How many of the best it sees.
    pub candidates: usize,
    /// How long it may take.
    pub timeout: Duration,
}

/// How documents are taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ingest {
    /// The size of chunks.
    pub chunk: Size,
    /// Of which language documents are.
    pub language: Language,
    /// The largest document, in bytes.
    pub max_document: usize,
    /// Whether documents may be put and deleted over HTTP.
    pub allow_write: bool,
}

/// What is particular to a collection.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OfCollection {
    /// The metadata that is filtered by.
    pub fields: BTreeMap<String, Field>,
    /// Of which language its documents are.
    pub language: Option<Language>,
}

/// How conversations are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conversations {
    /// How long after their last message.
    pub ttl: Duration,
    /// What sums up older turns.
    pub summary: Option<Summary>,
}

/// What sums up older turns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// Where it serves OpenAI's API.
    pub url: String,
    /// Which model.
    pub model: String,
}

/// What is remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caches {
    /// Vectors of texts, in bytes.
    pub embeddings: u64,
    /// Answers, in bytes.
    pub results: u64,
    /// Texts of chunks, in bytes.
    pub chunks: u64,
    /// How long an answer is good.
    pub ttl: Duration,
    /// How long it is kept for an outage.
    pub outage: Duration,
}

impl Default for Caches {
    fn default() -> Self {
        let (ttl, outage) = (Duration::from_secs(60), Duration::from_secs(60 * 60));
        Self { embeddings: 16 << 20, results: 32 << 20, chunks: 32 << 20, ttl, outage }
    }
}

/// What one request may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Largest request body, in bytes.
    pub max_body: usize,
    /// The most of all bodies that are in memory at once, in bytes.
    pub max_bodies: usize,
    /// How long a request's body may take to arrive.
    pub body_timeout: Duration,
    /// Longest query, in bytes.
    pub max_query: usize,
    /// Requests served at once; more are refused.
    pub max_in_flight: usize,
    /// Collections of the store, of all tenants together.
    pub collections: usize,
    /// How long a question may take.
    pub timeout: Duration,
    /// How long a client may take to send a request's headers, and may keep a connection without sending any.
    pub header_timeout: Duration,
}

impl Limits {
    /// No query is longer, in bytes: 4,000 characters are looked for, each of four bytes at most.
    pub const MOST_OF_A_QUERY: usize = 16 << 10;
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_body: 32 << 20,
            max_bodies: 128 << 20,
            body_timeout: Duration::from_secs(60),
            max_query: Self::MOST_OF_A_QUERY,
            max_in_flight: 256,
            collections: 1_000,
            timeout: Duration::from_secs(10),
            header_timeout: Duration::from_secs(120),
        }
    }
}
