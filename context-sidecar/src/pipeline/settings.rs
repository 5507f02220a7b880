//! What can be set about finding, ingesting and conversing.

use std::{collections::BTreeMap, time::Duration};

use context_core::{bm25::Language, chunk::Size, scope::Collection};

use crate::{breaker::Policy, config::Field};

/// What can be set; the defaults are those of a sidecar.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// Of the texts: how their words are cut and stemmed. Another one wants a new collection.
    pub language: Language,
    /// Of the texts of some collections, where it is another one.
    pub languages: BTreeMap<Collection, Language>,
    /// Metadata that is filtered by, where that is declared: it is of this kind, whether any document has it or not.
    pub fields: BTreeMap<Collection, BTreeMap<String, Field>>,
    /// The most collections of the store, whosever.
    pub collections: usize,
    /// How large chunks are. With another size all documents are replaced when they are ingested again.
    pub chunks: Size,
    /// Hits of each leg, at the least. Where more than half as many results are wanted, it is twice these.
    ///
    /// Distribution-based fusion looks at all the hits of a leg: with one depth for all but the largest questions, what is
    /// asked for with 5 results ranks as what is asked for with 50.
    pub depth: usize,
    /// Chunks that a context is packed from, at the least.
    pub packed_from: usize,
    /// Chunks that are reranked, at most (and never more than [`MOST_RERANKED`]); more where more results are wanted.
    pub reranked: usize,
    /// Passages that are shown with what stands around them, at most.
    pub expanded: usize,
    /// Answers that are remembered, in bytes.
    pub results_bytes: u64,
    /// How long an answer stands for the store. Writes of this process are seen at once, those of others after this.
    pub results_ttl: Duration,
    /// How long an answer is kept for outages.
    pub stale_for: Duration,
    /// Chunks that are remembered, in bytes.
    pub chunks_bytes: u64,
    /// When the store is left alone.
    pub store_breaker: Policy,
    /// When the reranker is left alone.
    pub rerank_breaker: Policy,
    /// The longest text of a document, in bytes.
    pub document_bytes: usize,
    /// The most documents that are put in at once.
    pub documents: usize,
    /// How long documents are kept that do not say it; `None`: for good.
    pub document_ttl: Option<Duration>,
    /// Of conversations.
    pub conversations: Conversations,
}

/// Nothing reranks more than this: each costs a model's look.
pub const MOST_RERANKED: usize = 200;

/// What can be set about conversations.
#[derive(Debug, Clone, PartialEq)]
pub struct Conversations {
    /// How long a message is kept; `None`: for good.
    pub ttl: Option<Duration>,
    /// Messages of a conversation, at most.
    pub messages: usize,
    /// The longest message, in bytes.
    pub message_bytes: usize,
    /// The share of the budget that recent messages have where there are older ones, from 0 to 1.
    pub recent: f64,
    /// The most tokens of a summary.
    pub summary_tokens: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            language: Language::English,
            languages: BTreeMap::new(),
            fields: BTreeMap::new(),
            collections: 1_000,
            chunks: Size::default(),
            depth: 100,
            packed_from: 100,
            reranked: 50,
            expanded: 100,
            results_bytes: 32 << 20,
            results_ttl: Duration::from_secs(60),
            stale_for: Duration::from_secs(60 * 60),
            chunks_bytes: 32 << 20,
            store_breaker: Policy::default(),
            rerank_breaker: Policy::default(),
            document_bytes: 16 << 20,
            documents: 1_000,
            document_ttl: None,
            conversations: Conversations::default(),
        }
    }
}

impl Default for Conversations {
    fn default() -> Self {
        Self {
            ttl: Some(Duration::from_secs(30 * 24 * 60 * 60)),
            messages: 10_000,
            message_bytes: 256 << 10,
            recent: 0.7,
            summary_tokens: 300,
        }
    }
}
