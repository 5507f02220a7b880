//! From a question to an answer, from documents to chunks in the store: all that the doors have in common.
//!
//! Whatever is done is done for a scope, and within the deadline of a call.

mod assemble;
mod guarded;
mod key;
mod keys;
mod kinds;
mod rank;
mod retrieve;
mod search;
mod settings;

use std::{collections::HashMap, fmt, sync::Arc};

use chassis::clock;
use context_core::{bm25::Encoder, scope::Collection};

use kinds::Kinds;
pub(crate) use kinds::{fits, reserved, users};
pub use settings::{Conversations, MOST_RERANKED, Settings};

use crate::{
    answer::Answer,
    breaker::Gate,
    cache::{Chunks, Epochs, Results},
    conversations::{Summaries, Summarize},
    embed::Embedder,
    ingest::Locks,
    metrics::Series,
    rerank::Rerank,
    store::Store,
};

/// What a pipeline is made of.
#[derive(Debug)]
pub struct Parts {
    /// Where chunks are kept.
    pub store: Arc<dyn Store>,
    /// What makes vectors; `None`: words only.
    pub embedder: Option<Arc<dyn Embedder>>,
    /// What looks a second time.
    pub reranker: Option<Arc<dyn Rerank>>,
    /// What makes summaries of conversations.
    pub summarizer: Option<Arc<dyn Summarize>>,
    /// What is counted.
    pub series: Series,
    /// The rest.
    pub settings: Settings,
}

/// All that the doors have in common.
pub struct Pipeline {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) embedder: Option<Arc<dyn Embedder>>,
    pub(crate) reranker: Option<Arc<dyn Rerank>>,
    pub(crate) summarizer: Option<Arc<dyn Summarize>>,
    pub(crate) series: Series,
    pub(crate) settings: Settings,
    encoder: Arc<Encoder>,
    encoders: HashMap<Collection, Arc<Encoder>>,
    pub(crate) caches: Caches,
    pub(crate) gates: Gates,
    pub(crate) kinds: Kinds,
    pub(crate) locks: Locks,
    /// Who puts a message into which conversation right now.
    pub(crate) talks: Locks,
    pub(crate) summaries: Summaries,
}

/// What need not be looked up twice.
#[derive(Debug)]
pub(crate) struct Caches {
    pub(crate) epochs: Epochs,
    pub(crate) results: Results<Answer>,
    pub(crate) chunks: Chunks,
    pub(crate) keys: keys::Keys,
}

/// What is left alone while it fails. The embedder has its own.
#[derive(Debug)]
pub(crate) struct Gates {
    pub(crate) store: Gate,
    pub(crate) rerank: Gate,
    pub(crate) summary: Gate,
}

impl Pipeline {
    /// One of these parts. Nothing is asked of them yet.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        let Parts { store, embedder, reranker, summarizer, series, settings } = parts;
        let caches = Caches {
            epochs: Epochs::default(),
            results: Results::of(settings.results_bytes, settings.results_ttl, settings.stale_for),
            chunks: Chunks::of(settings.chunks_bytes),
            keys: keys::Keys::default(),
        };
        let gates = Gates {
            store: Gate::new(settings.store_breaker.clone()),
            rerank: Gate::new(settings.rerank_breaker.clone()),
            summary: Gate::new(settings.rerank_breaker.clone()),
        };
        let encoder = Arc::new(Encoder::new(settings.language));
        let of = |(collection, language): (&Collection, &_)| (collection.clone(), Arc::new(Encoder::new(*language)));
        let encoders = settings.languages.iter().map(of).collect();
        Self {
            store,
            embedder,
            reranker,
            summarizer,
            series,
            settings,
            encoder,
            encoders,
            caches,
            gates,
            kinds: Kinds::default(),
            locks: Locks::default(),
            talks: Locks::default(),
            summaries: Summaries::default(),
        }
    }
}

/// Now, in seconds since 1970: what has expired by then is not there.
pub(crate) fn seconds() -> u64 {
    clock::unix().as_secs()
}

impl Pipeline {
    /// Where it keeps what it has, fit for a log.
    #[must_use]
    pub fn describe(&self) -> String {
        self.store.describe()
    }

    /// What makes words of the texts of a collection.
    pub(crate) fn encoder(&self, collection: &Collection) -> &Arc<Encoder> {
        self.encoders.get(collection).unwrap_or(&self.encoder)
    }
}

impl fmt::Debug for Pipeline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut pipeline = f.debug_struct("Pipeline");
        pipeline.field("store", &self.store.describe());
        pipeline.field("embedder", &self.embedder.as_ref().map(|embedder| embedder.describe())).finish_non_exhaustive()
    }
}
