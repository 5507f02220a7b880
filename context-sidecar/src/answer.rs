//! What the pipeline answers, as every door tells it in its own words.

mod worth;

use std::sync::Arc;

use context_core::{
    document::{Metadata, Span},
    fuse::Fusion,
    merge::Scores,
    pack::Packed,
    point::PointId,
};
use serde::{Serialize, Serializer};
use serde_json::Value;

use crate::question::Mode;

/// The body of an answer.
#[derive(Debug, Clone, Serialize)]
pub struct Answer {
    /// What was found, best first; shared with what is remembered.
    #[serde(serialize_with = "as_a_list")]
    pub results: Arc<[Found]>,
    /// Packed for a prompt, where a number of tokens was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context: Option<Packed>,
    /// By what was searched in the end.
    pub mode: Mode,
    /// What could not be done, in words for a label: `dense`, `rerank`, `cache_only`; `budget`; and by their names the wishes
    /// that could not be heeded.
    pub degraded: Vec<&'static str>,
    /// Where the store is down and this is what was found before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stale: Option<Stale>,
    /// Milliseconds by stage.
    pub timings: Timings,
    /// Whether it was remembered.
    pub cache: CacheUse,
    /// How both legs were fused; `None` where there was one.
    #[serde(skip)]
    pub fusion: Option<Fusion>,
    /// What each stage did, where that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub explain: Option<Value>,
}

/// A passage.
#[derive(Clone, Serialize)]
pub struct Found {
    /// The best of the chunks that it is made of.
    pub id: PointId,
    /// Of which document.
    pub document_id: String,
    /// The number of that chunk.
    pub chunk: u32,
    /// The text.
    pub text: String,
    /// The document's title.
    pub title: Option<String>,
    /// The document's address.
    pub url: Option<String>,
    /// What is known of the document; an object, never null.
    pub metadata: Metadata,
    /// Where in the document it is, in Unicode code points.
    pub span: Span,
    /// By which it ranks.
    pub score: f32,
    /// What each stage makes of it.
    pub scores: Scores,
    /// From 1.
    pub rank: usize,
}

/// How old an answer is.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Stale {
    /// In milliseconds.
    pub age_ms: u64,
}

/// Where an answer comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CacheUse {
    /// From the cache.
    Hit,
    /// It was made.
    Miss,
    /// From the cache, since the store is down.
    Stale,
}

/// Milliseconds by stage; what was not done is not there.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Timings {
    /// The query's vector.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub embed_ms: Option<f64>,
    /// Both legs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub search_ms: Option<f64>,
    /// Texts of what was found, and their neighbours.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fetch_ms: Option<f64>,
    /// The reranker.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rerank_ms: Option<f64>,
    /// Packing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pack_ms: Option<f64>,
    /// All of it.
    pub total_ms: f64,
}

fn as_a_list<S: Serializer>(results: &Arc<[Found]>, serializer: S) -> Result<S::Ok, S::Error> {
    (**results).serialize(serializer)
}

/// An answer that may be remembered by several.
pub type Shared = Arc<Answer>;

impl std::fmt::Debug for Found {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Found").field("id", &self.id).field("rank", &self.rank).finish_non_exhaustive()
    }
}
