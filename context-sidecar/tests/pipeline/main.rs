//! The whole way of a question, of a document and of a conversation, over the embedded store.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test that cannot go on has failed"
)]

mod conversations;
mod doubles;
mod finding;
mod ingest;
mod outages;
mod quality;
#[path = "../support/minilm.rs"]
mod support;
mod tenants;

use std::{sync::Arc, time::Duration};

use chassis::{clock, metrics::Metrics};
use context_core::{
    document::{Document, Metadata},
    fuse::Fusion,
    scope::Scope,
    threshold::Minimum,
};
use context_sidecar::{
    breaker::Policy,
    embed::Embedder,
    http::Call,
    ingest::Outcome,
    metrics::Series,
    pipeline::{Parts, Pipeline, Settings},
    question::{Marks, Question},
    rerank::Rerank,
    store::Store,
};

pub(crate) fn scope(tenant: &str, collection: &str) -> Scope {
    Scope { tenant: tenant.parse().unwrap(), collection: collection.parse().unwrap() }
}

pub(crate) fn call() -> Call {
    Call::until(clock::now() + Duration::from_secs(30))
}

pub(crate) fn document(id: &str, text: &str) -> Document {
    Document { id: id.to_owned(), title: None, text: text.to_owned(), url: None, metadata: Metadata::new() }
}

pub(crate) fn question(query: &str) -> Question {
    Question {
        query: query.to_owned(),
        filter: None,
        top_k: 10,
        mode: None,
        fusion: Fusion::default(),
        min_score: Minimum::default(),
        rerank: None,
        mmr: None,
        expand: None,
        freshness: None,
        max_tokens: None,
        marks: Marks::Numbers,
        timeout: Duration::from_secs(20),
        explain: false,
    }
}

/// A breaker that never opens, so that one case is not the next one's.
pub(crate) fn patient() -> Policy {
    Policy { in_a_row: u32::MAX, calls: u32::MAX, ..Policy::default() }
}

pub(crate) fn settings() -> Settings {
    Settings { store_breaker: patient(), rerank_breaker: patient(), ..Settings::default() }
}

pub(crate) fn pipeline(
    store: Arc<dyn Store>,
    embedder: Option<Arc<dyn Embedder>>,
    reranker: Option<Arc<dyn Rerank>>,
    settings: Settings,
) -> Pipeline {
    let series = Series::new(&Metrics::new());
    Pipeline::new(Parts { store, embedder, reranker, summarizer: None, series, settings })
}

/// Puts documents in; all of them have to get there.
pub(crate) async fn put(pipeline: &Pipeline, scope: &Scope, documents: Vec<Document>) -> Vec<Outcome> {
    let outcomes = pipeline.put(scope, documents.into_iter().map(Ok).collect(), None, &call()).await.unwrap();
    let outcomes: Vec<Outcome> = outcomes.into_iter().map(|item| item.outcome).collect();
    let failed = outcomes.iter().find(|outcome| matches!(outcome, Outcome::Failed { .. }));
    assert_eq!(failed, None);
    outcomes
}

/// Texts long enough for so many chunks.
pub(crate) fn long(word: &str, sentences: usize) -> String {
    (0..sentences)
        .map(|n| format!("Sentence {n} of this text is about {word} and about number {n} as well. "))
        .collect()
}
