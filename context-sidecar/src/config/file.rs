//! The file's own shape. Unknown keys are errors, units are in the values, defaults stand beside the fields.

mod backends;

use std::collections::BTreeMap;

use chassis::units::{Size, Span};
use context_core::bm25;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::wishes::Wishes;

pub use backends::{Consistency, Embedded, Embeddings, EmbeddingsApi, Prefixes, Qdrant, Rerank, RerankApi, Store};

/// The context-sidecar's configuration file. Where a variable says the same, the variable holds.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct File {
    /// Where it listens.
    pub listen: Listen,
    /// Whose documents: every request is for this tenant. Also `CONTEXT_TENANT`.
    pub tenant: Option<String>,
    /// The collection of requests that name none. Also `CONTEXT_COLLECTION`. Default: `default`.
    pub collection: Option<String>,
    /// A file with the bearer token by which a caller proves that it may say whose documents it is about
    /// (`x-tenant-id`). Also `CONTEXT_TOKEN_FILE`.
    pub token_file: Option<String>,
    /// Where the documents are kept; exactly one of the two, here or as `QDRANT_URL` or `CONTEXT_DATA_DIR`.
    pub store: Store,
    /// What makes vectors of texts. Without a model: search by words only.
    pub embeddings: Embeddings,
    /// What gives the best results a second look. Without a URL: nothing does.
    pub rerank: Rerank,
    /// What holds for a question that says nothing else.
    pub retrieval: Wishes,
    /// How documents are taken in.
    pub ingest: Ingest,
    /// What is particular to a collection, by its name.
    pub collections: BTreeMap<String, Collection>,
    /// How conversations are kept.
    pub conversations: Conversations,
    /// What is remembered, and how much of it.
    pub caches: Caches,
    /// What one request may take.
    pub limits: Limits,
    /// The door for MCP.
    pub mcp: Mcp,
}

/// Where it listens.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Listen {
    /// For the agent. Also `CONTEXT_LISTEN`. Default: 127.0.0.1:9090.
    pub data: Option<String>,
    /// For probes and metrics. Also `CONTEXT_ADMIN_LISTEN`. Default: 0.0.0.0:9091.
    pub admin: Option<String>,
}

/// How documents are taken in.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Ingest {
    /// The size of chunks.
    pub chunk: Chunking,
    /// Of which language the documents are. Default: english.
    #[schemars(with = "Option<String>")]
    pub language: Option<bm25::Language>,
    /// The largest document's text. Default: 16MiB.
    pub max_document: Option<Size>,
    /// Whether documents may be put and deleted over HTTP, by any door: `false` also closes `mcp.store`. Conversations are
    /// no documents, and the command line's own store is not HTTP. Default: true.
    pub allow_write: Option<bool>,
}

/// The size of chunks.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Chunking {
    /// At most so many tokens. Default: 200.
    pub tokens: Option<usize>,
    /// So many tokens are in two chunks. Default: 50.
    pub overlap: Option<usize>,
}

/// What is particular to a collection.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Collection {
    /// The metadata that is filtered by, and of which kind it is. With any, a filter by another one is an error.
    pub fields: BTreeMap<String, Field>,
    /// Of which language its documents are. Default: `ingest.language`.
    #[schemars(with = "Option<String>")]
    pub language: Option<bm25::Language>,
}

/// Which kind of metadata.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Field {
    /// Text, compared as a whole.
    Keyword,
    /// Numbers.
    Number,
    /// True or false.
    Bool,
}

/// How conversations are kept.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Conversations {
    /// How long after its last message a conversation is kept. Default: 30d.
    pub ttl: Option<Span>,
    /// What sums up what there is no room for. Default: nothing does.
    pub summary: Option<Summary>,
}

/// What sums up.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Summary {
    /// Where it serves OpenAI's API. Default: the ambassador's, `http://127.0.0.1:7070/v1`.
    pub url: Option<String>,
    /// Which model.
    #[schemars(required)]
    pub model: Option<String>,
}

/// What is remembered, and how much of it.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Caches {
    /// Vectors of texts. Default: 16MiB.
    pub embeddings: Option<Size>,
    /// Answers. Default: 32MiB.
    pub results: Option<Size>,
    /// Texts of chunks. Default: 32MiB.
    pub chunks: Option<Size>,
    /// How long an answer is good, as others may write to the same Qdrant. Default: 60s.
    pub ttl: Option<Span>,
    /// How long it is kept for when the store is down. Default: 1h.
    pub outage: Option<Span>,
}

/// What one request may take.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Largest request body. Default: 32MiB.
    pub max_body: Option<Size>,
    /// The most of all bodies that are in memory at once; more is refused with 429. The first 16 KiB of each are not
    /// counted. Default: 128MiB, or `max_body` where that is more.
    pub max_bodies: Option<Size>,
    /// How long a request's body may take to arrive. Default: 1m.
    pub body_timeout: Option<Span>,
    /// Longest query, at most (and by default) 16KiB: more than 4,000 characters are never looked for.
    pub max_query: Option<Size>,
    /// Requests served at once; more are refused with 429. Default: 256.
    pub max_in_flight: Option<usize>,
    /// Collections of the store, of all tenants together; beyond that, documents make no new one. Default: 1000.
    pub collections: Option<usize>,
    /// How long a question may take, and the most that it may ask for. Default: 10s.
    pub timeout: Option<Span>,
    /// How long a client may take to send a request's headers, and may keep a connection idle. Default: 2m.
    pub header_timeout: Option<Span>,
}

/// The door for MCP.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Mcp {
    /// Whether a model may store documents, by a tool; not where `ingest.allow_write` is false. Default: false.
    pub store: Option<bool>,
}
