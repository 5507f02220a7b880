//! What is counted. The names are a contract: dashboards and alerts are built on them. Every label has a bounded set of
//! values, whatever a caller sends.

mod state;

pub(crate) use state::show;

use std::time::Duration;

use chassis::metrics::{Counter, EncodeLabelSet, Family, Histogram, Metrics};
use prometheus_client::metrics::family::MetricConstructor;

/// Seconds; what is remembered takes microseconds, a reranker seconds.
const DURATIONS: [f64; 14] =
    [0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.1, 0.25, 1.0, 5.0, 30.0];

const COUNTS: [f64; 9] = [0.0, 1.0, 3.0, 5.0, 10.0, 20.0, 50.0, 100.0, 1_000.0];

const TOKENS: [f64; 9] = [0.0, 100.0, 250.0, 500.0, 1_000.0, 2_000.0, 4_000.0, 16_000.0, 64_000.0];

/// Cosines are below 1, BM25 is not.
const SCORES: [f64; 12] = [-1.0, 0.0, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9, 1.0, 5.0, 15.0, 40.0];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfStage {
    stage: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfOutcome {
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfUse {
    cache: &'static str,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfLoss {
    what: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfLeg {
    leg: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfCall {
    to: &'static str,
    outcome: &'static str,
}

/// A histogram with buckets of its own, as a family makes its members.
#[derive(Clone, Copy, Debug)]
struct Buckets(&'static [f64]);

impl MetricConstructor<Histogram> for Buckets {
    fn new_metric(&self) -> Histogram {
        Histogram::new(self.0.iter().copied())
    }
}

/// All series of the pipeline.
#[derive(Debug, Clone)]
pub struct Series {
    stages: Family<OfStage, Histogram, Buckets>,
    answers: Family<OfOutcome, Counter>,
    caches: Family<OfUse, Counter>,
    degraded: Family<OfLoss, Counter>,
    scores: Family<OfLeg, Histogram, Buckets>,
    calls: Family<OfCall, Counter>,
    documents: Family<OfOutcome, Counter>,
    results: Histogram,
    tokens: Histogram,
    chunks: Counter,
    reused: Counter,
}

impl Series {
    /// The series, registered.
    #[must_use]
    pub fn new(metrics: &Metrics) -> Self {
        Self {
            stages: metrics.register(
                "context_stage_duration_seconds",
                "Time taken, by stage",
                Family::new_with_constructor(Buckets(&DURATIONS)),
            ),
            answers: metrics.register("context_answers", "Questions, by how they ended", Family::default()),
            caches: metrics.register(
                "context_cache",
                "Look-ups in the caches, and whether it was there",
                Family::default(),
            ),
            degraded: metrics.register(
                "context_degraded",
                "Answers that were given without something that was wanted",
                Family::default(),
            ),
            scores: metrics.register(
                "context_best_score",
                "The best score of each leg of a question",
                Family::new_with_constructor(Buckets(&SCORES)),
            ),
            calls: metrics.register(
                "context_calls",
                "Calls to the store, the embedder, the reranker and the summarizer, by how they ended",
                Family::default(),
            ),
            documents: metrics.register(
                "context_documents",
                "Documents put in, by what became of them",
                Family::default(),
            ),
            results: metrics.register("context_results", "Results of a question", Buckets(&COUNTS).new_metric()),
            tokens: metrics.register(
                "context_packed_tokens",
                "Tokens of a packed context",
                Buckets(&TOKENS).new_metric(),
            ),
            chunks: metrics.register("context_chunks_written", "Chunks written to the store", Counter::default()),
            reused: metrics.register(
                "context_vectors_reused",
                "Chunks whose vector was there already, under another place in their document",
                Counter::default(),
            ),
        }
    }

    /// A stage took so long.
    pub(crate) fn stage(&self, stage: &'static str, took: Duration) {
        self.stages.get_or_create(&OfStage { stage }).observe(took.as_secs_f64());
    }

    /// A question has ended.
    pub(crate) fn answered(&self, outcome: &'static str) {
        self.answers.get_or_create(&OfOutcome { outcome }).inc();
    }

    /// So many were there, and so many were not.
    pub(crate) fn looked_up(&self, cache: &'static str, hits: usize, misses: usize) {
        for (outcome, count) in [("hit", hits), ("miss", misses)] {
            if count > 0 {
                self.caches.get_or_create(&OfUse { cache, outcome }).inc_by(count as u64);
            }
        }
    }

    /// An answer goes out without something.
    pub(crate) fn without(&self, what: &'static str) {
        self.degraded.get_or_create(&OfLoss { what }).inc();
    }

    /// The best of a leg.
    pub(crate) fn best(&self, leg: &'static str, score: f32) {
        self.scores.get_or_create(&OfLeg { leg }).observe(f64::from(score));
    }

    /// A call has ended.
    pub(crate) fn called(&self, to: &'static str, outcome: &'static str) {
        self.calls.get_or_create(&OfCall { to, outcome }).inc();
    }

    /// So many results.
    #[allow(clippy::cast_precision_loss, reason = "nobody has 2^52 results")]
    pub(crate) fn found(&self, results: usize) {
        self.results.observe(results as f64);
    }

    /// So many tokens.
    #[allow(clippy::cast_precision_loss, reason = "nobody has 2^52 tokens")]
    pub(crate) fn packed(&self, tokens: usize) {
        self.tokens.observe(tokens as f64);
    }

    /// What became of a document.
    pub(crate) fn document(&self, outcome: &'static str) {
        self.documents.get_or_create(&OfOutcome { outcome }).inc();
    }

    /// Chunks were written, some of them with vectors that were there.
    pub(crate) fn written(&self, chunks: usize, reused: usize) {
        self.chunks.inc_by(chunks as u64);
        self.reused.inc_by(reused as u64);
    }
}
