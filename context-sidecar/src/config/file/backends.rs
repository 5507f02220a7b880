//! The file's words for the servers that are asked, and for where documents are kept.

use chassis::units::Span;
use schemars::JsonSchema;
use serde::Deserialize;

/// Where the documents are kept.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Store {
    /// A Qdrant.
    pub qdrant: Option<Qdrant>,
    /// A directory of this process's own.
    pub embedded: Option<Embedded>,
}

/// A Qdrant.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Qdrant {
    /// Where it serves REST. Also `QDRANT_URL`.
    pub url: Option<String>,
    /// A file with its API key. Also `QDRANT_API_KEY_FILE`.
    pub api_key_file: Option<String>,
    /// How many replicas have to agree on what is read. Default: Qdrant's own.
    pub read_consistency: Option<Consistency>,
    /// How many shards a new collection has. Default: Qdrant's own.
    pub shards: Option<u32>,
    /// How many replicas a new collection has of each shard. Default: Qdrant's own.
    pub replicas: Option<u32>,
    /// How many replicas have to have a write before it is acknowledged. Default: Qdrant's own.
    pub write_consistency: Option<u32>,
}

/// How many replicas have to agree on what is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Consistency {
    /// More than half of those that there are.
    Majority,
    /// More than half of those that answer.
    Quorum,
    /// All of them.
    All,
}

/// A directory of this process's own.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Embedded {
    /// Which directory. Also `CONTEXT_DATA_DIR`.
    pub path: Option<String>,
}

/// What makes vectors of texts.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Embeddings {
    /// Where it is, with `/v1` for OpenAI's API. Also `EMBEDDINGS_URL`. Default: the ambassador's,
    /// `http://127.0.0.1:7070/v1`.
    pub url: Option<String>,
    /// Which model. Also `EMBEDDINGS_MODEL`. Without it there are no vectors.
    pub model: Option<String>,
    /// Which API it speaks. Default: openai.
    pub api: Option<EmbeddingsApi>,
    /// A file with its bearer token, for one that is asked directly.
    pub key_file: Option<String>,
    /// The most texts of a request. Default: 64, for TEI 32.
    pub batch: Option<usize>,
    /// What some models want before each text.
    pub prefixes: Prefixes,
    /// How long documents may take to be embedded. Default: 60s.
    pub timeout: Option<Span>,
    /// How long a question waits for its vector, and never more than two thirds of the time that it has; then it is answered
    /// by words. Default: 2s.
    pub query_timeout: Option<Span>,
}

/// Which API makes vectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum EmbeddingsApi {
    /// `POST /embeddings {model, input}`.
    Openai,
    /// Text Embeddings Inference: `POST /embed {inputs}`.
    Tei,
}

/// What some models want before each text.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Prefixes {
    /// Before a question: `query: ` for e5. Default: nothing.
    pub query: Option<String>,
    /// Before a passage: `passage: ` for e5. Default: nothing.
    pub document: Option<String>,
}

/// What gives the best results a second look.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Rerank {
    /// The whole address. Also `RERANK_URL`.
    pub url: Option<String>,
    /// Which model, for Cohere's API.
    pub model: Option<String>,
    /// Which API it speaks. Default: what the path says.
    pub api: Option<RerankApi>,
    /// A file with its bearer token.
    pub key_file: Option<String>,
    /// How many of the best it sees. Default: 50.
    pub candidates: Option<usize>,
    /// How long it may take; then the ranking stays as it was. Default: 2s.
    pub timeout: Option<Span>,
}

/// Which API reranks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RerankApi {
    /// `{model, query, documents, top_n}`; Jina, vLLM and others, too.
    Cohere,
    /// Text Embeddings Inference: `{query, texts}`.
    Tei,
}
