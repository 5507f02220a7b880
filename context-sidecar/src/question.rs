//! What is asked of the pipeline: valid, whoever asks, through whichever door.

use std::time::Duration;

use context_core::{filter::Filter, freshness::Freshness, fuse::Fusion, merge::Expand, threshold::Minimum};
use serde::{Deserialize, Serialize};

/// How many results may be asked for.
pub const MOST_RESULTS: usize = 1_000;

/// By what is searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// By meaning and by words.
    Hybrid,
    /// By meaning.
    Dense,
    /// By words.
    Lexical,
}

/// A question. Its text is not in its debug output.
#[derive(Clone, PartialEq)]
pub struct Question {
    /// What is looked for; not blank.
    pub query: String,
    /// Which documents.
    pub filter: Option<Filter>,
    /// How many results, from 1 to [`MOST_RESULTS`].
    pub top_k: usize,
    /// `None`: hybrid where there is an embedder, else lexical.
    pub mode: Option<Mode>,
    /// How the legs become one ranking.
    pub fusion: Fusion,
    /// The least that is good enough.
    pub min_score: Minimum,
    /// Whether a reranker is asked; `None`: where there is one.
    pub rerank: Option<bool>,
    /// How much of relevance, and not of novelty, from 0 to 1; `None`: all.
    pub mmr: Option<f32>,
    /// What stands around a passage.
    pub expand: Option<Expand>,
    /// Newer is worth more.
    pub freshness: Option<Freshness>,
    /// The tokens of the packed context; `None`: none is packed.
    pub max_tokens: Option<usize>,
    /// How the passages of the context are marked.
    pub marks: Marks,
    /// How long it may take in all.
    pub timeout: Duration,
    /// Whether each stage tells what it did.
    pub explain: bool,
}

/// How the passages of a context are marked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Marks {
    /// By numbers.
    Numbers,
    /// By numbers, within delimiters that no content can forge: for a prompt.
    Delimited,
}

impl std::fmt::Debug for Question {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Question").field("top_k", &self.top_k).field("mode", &self.mode).finish_non_exhaustive()
    }
}
