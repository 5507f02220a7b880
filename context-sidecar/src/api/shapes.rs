//! The shapes of what is taken and given, as the OpenAPI document tells them. What is given is made elsewhere (in the core,
//! in the pipeline); that it has these shapes is tested, answer by answer.
#![allow(dead_code, reason = "they are told, and never made")]

mod talk;

use schemars::JsonSchema;
use serde_json::{Map, Value};
use uuid::Uuid;

pub(crate) use talk::{Conversations, NewMessage, Recalled, SaidAnswer};

/// A chat message, as OpenAI's API has it: at least a `role`, and a `content` that is text or a list of parts.
#[derive(JsonSchema)]
pub(crate) struct ChatMessage {
    /// Who said it.
    pub(crate) role: String,
    /// What was said.
    pub(crate) content: Option<Value>,
}

/// The whole body of a chat completion, as OpenAI's API has it, with whatever else it has. What comes back is the same, but
/// for its messages and without `context`.
#[derive(JsonSchema)]
pub(crate) struct Chat {
    /// Which model it is for: by this it is told from other bodies.
    model: String,
    /// The conversation.
    messages: Vec<ChatMessage>,
    /// What is asked for, as elsewhere: `{"collection": "docs", "max_tokens": 500}`.
    context: Option<Map<String, Value>>,
}

/// A document.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct NewDocument {
    /// Unique in its collection, for its tenant.
    id: String,
    /// Indexed with every chunk.
    title: Option<String>,
    /// All of it.
    text: String,
    /// Where people find it.
    url: Option<String>,
    /// What is known about it: strings, numbers, booleans, or lists of these.
    metadata: Option<Map<String, Value>>,
}

/// A document as it is kept.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct Stored {
    /// Its id.
    id: String,
    /// Its title.
    title: Option<String>,
    /// All of it.
    text: String,
    /// Its address.
    url: Option<String>,
    /// What is known about it.
    #[serde(default)]
    metadata: Map<String, Value>,
    /// How many chunks it has.
    chunks: usize,
    /// When it was written, in seconds since 1970.
    written: u64,
    /// When it is to be gone, in seconds since 1970.
    expires: Option<u64>,
}

/// What became of documents.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct PutAnswer {
    /// In the order in which they came.
    results: Vec<Item>,
    /// How many were not there before.
    created: usize,
    /// How many were there, just so.
    unchanged: usize,
    /// How many were there, and were others.
    replaced: usize,
    /// How many are not there, or as they were before.
    failed: usize,
}

/// What became of one.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct Item {
    /// Which; null where that is not known.
    #[schemars(required, extend("type" = ["string", "null"]))]
    id: Option<String>,
    /// What became of it.
    status: Status,
    /// How many chunks it has.
    chunks: Option<usize>,
    /// What kind of error it is, for machines; of `unavailable_error`, `timeout_error` and `rate_limit_error` the same may
    /// work later.
    r#type: Option<String>,
    /// What is wrong with it.
    message: Option<String>,
}

/// What became of one.
#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
pub(crate) enum Status {
    /// It was not there.
    Created,
    /// It was there, just so.
    Unchanged,
    /// It was there, and was another one.
    Replaced,
    /// It is not there, or as it was before.
    Failed,
}

/// Some documents.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct Page {
    /// In the order of their ids.
    documents: Vec<Listed>,
    /// What to give as `after` for more.
    next: Option<String>,
}

/// A document of a list.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct Listed {
    /// Which.
    id: String,
    /// How many chunks it has.
    chunks: u32,
}

/// Where a tenant has documents.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct Collections {
    /// In the order of their names.
    collections: Vec<Collection>,
}

/// A collection, as far as it is the tenant's.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct Collection {
    /// Its name.
    name: String,
    /// How many chunks the tenant has in it.
    chunks: u64,
    /// Of which model its vectors are; null where it has words only.
    #[schemars(required, extend("type" = ["string", "null"]))]
    model: Option<String>,
}

/// What was found.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct Answer {
    /// Best first.
    results: Vec<Found>,
    /// Packed for a prompt, where `max_tokens` was given.
    context: Option<Packed>,
    /// By what was searched in the end.
    mode: crate::wishes::Mode,
    /// What could not be done: `dense` (there was no vector: it is by words alone), `rerank` (the order is that of the
    /// fusion), `cache_only` (the store is down, or the embedder: this is what was answered before), `budget` (nothing of what
    /// was found fits into `max_tokens`); and wishes that could not be heeded: `min_score.dense`, `min_score.lexical`,
    /// `min_score.rerank`, `fusion.weights`, `mmr`, `freshness`.
    degraded: Vec<String>,
    /// Where the store is down and this is what was found before.
    stale: Option<Stale>,
    /// Milliseconds by stage.
    timings: Timings,
    /// Whether it was remembered.
    cache: CacheUse,
    /// What each stage did, where that was asked for.
    explain: Option<Value>,
}

/// The same messages, and what was found among them.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct WithContext {
    /// Those of the request, byte for byte, and one with what was found, if anything was.
    messages: Vec<ChatMessage>,
    /// What is in that one.
    context: Packed,
    /// What was found, best first.
    results: Vec<Found>,
    /// By what was searched in the end.
    mode: crate::wishes::Mode,
    /// What could not be done: `dense` (there was no vector: it is by words alone), `rerank` (the order is that of the
    /// fusion), `cache_only` (the store is down, or the embedder: this is what was answered before), `budget` (nothing of what
    /// was found fits into `max_tokens`); and wishes that could not be heeded: `min_score.dense`, `min_score.lexical`,
    /// `min_score.rerank`, `fusion.weights`, `mmr`, `freshness`.
    degraded: Vec<String>,
    /// Where the store is down and this is what was found before.
    stale: Option<Stale>,
    /// Milliseconds by stage.
    timings: Timings,
    /// Whether it was remembered.
    cache: CacheUse,
    /// What each stage did, where that was asked for.
    explain: Option<Value>,
}

/// A passage.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct Found {
    /// The best of the chunks that it is made of.
    #[schemars(with = "String", extend("format" = "uuid"))]
    id: Uuid,
    /// Of which document.
    document_id: String,
    /// The number of that chunk.
    chunk: u32,
    /// What is in it.
    text: String,
    /// The document's title.
    #[schemars(required, extend("type" = ["string", "null"]))]
    title: Option<String>,
    /// The document's address.
    #[schemars(required, extend("type" = ["string", "null"]))]
    url: Option<String>,
    /// What is known of the document.
    metadata: Map<String, Value>,
    /// Where in the document it is, in Unicode code points.
    span: Span,
    /// By which it ranks.
    score: f32,
    /// What each stage makes of it.
    scores: Scores,
    /// From 1.
    rank: usize,
}

/// A range in Unicode code points.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct Span {
    /// The first.
    start: usize,
    /// Behind the last.
    end: usize,
}

/// What each stage makes of a passage; null where it was not asked or had no answer.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct Scores {
    /// Cosine similarity.
    #[schemars(required, extend("type" = ["number", "null"]))]
    dense: Option<f32>,
    /// BM25.
    #[schemars(required, extend("type" = ["number", "null"]))]
    lexical: Option<f32>,
    /// Both, fused; null where one leg was searched.
    #[schemars(required, extend("type" = ["number", "null"]))]
    fused: Option<f32>,
    /// By the reranker.
    #[schemars(required, extend("type" = ["number", "null"]))]
    rerank: Option<f32>,
}

/// A context.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct Packed {
    /// What goes into a prompt; empty where nothing fits.
    text: String,
    /// How many tokens that has.
    tokens: usize,
    /// What is in it.
    citations: Vec<Citation>,
}

/// Which passage is of what.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct Citation {
    /// Its number in the context.
    n: usize,
    /// Of which document.
    document_id: String,
    /// What of it.
    span: Span,
}

/// How old an answer is.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct Stale {
    /// In milliseconds.
    age_ms: u64,
}

/// Where an answer comes from.
#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
pub(crate) enum CacheUse {
    /// From the cache.
    Hit,
    /// It was made.
    Miss,
    /// From the cache, since the store is down.
    Stale,
}

/// Milliseconds by stage; what was not done is not there.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct Timings {
    /// The query's vector.
    embed_ms: Option<f64>,
    /// Both legs.
    search_ms: Option<f64>,
    /// Texts of what was found, and their neighbours.
    fetch_ms: Option<f64>,
    /// The reranker.
    rerank_ms: Option<f64>,
    /// Packing.
    pack_ms: Option<f64>,
    /// All of it.
    total_ms: f64,
}
