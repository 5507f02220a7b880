//! What is shown of what is there now, read at each scrape: who is left alone, and how much is remembered.

use std::{
    fmt,
    sync::{Arc, Weak},
};

use chassis::metrics::Metrics;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{MetricType, gauge::ConstGauge},
};

use crate::{
    breaker::{Gate, State},
    embed::Memory,
    pipeline::Pipeline,
};

/// Shows the state of a pipeline for as long as that lives.
pub(crate) fn show(metrics: &Metrics, pipeline: &Arc<Pipeline>) {
    let shown = Shown(Arc::downgrade(pipeline));
    metrics.within(|registry| registry.register_collector(Box::new(shown)));
}

#[derive(Debug)]
struct Shown(Weak<Pipeline>);

impl Collector for Shown {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Some(pipeline) = self.0.upgrade() else { return Ok(()) };
        let help = "Whether a peer is asked (0), is being tried with one call (1), or is left alone since it fails (2)";
        gauges(&mut encoder, "context_breaker_state", help, "to", &breakers(&pipeline))?;
        let caches = caches(&pipeline);
        let bytes: Vec<_> = caches.iter().map(|(name, bytes, _)| (*name, *bytes)).collect();
        gauges(&mut encoder, "context_cache_bytes", "What a cache holds, in bytes, more or less", "cache", &bytes)?;
        let entries: Vec<_> = caches.iter().map(|(name, _, entries)| (*name, *entries)).collect();
        gauges(&mut encoder, "context_cache_entries", "How much a cache holds, more or less", "cache", &entries)
    }
}

fn gauges(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    label: &str,
    values: &[(&'static str, u64)],
) -> fmt::Result {
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
    for (of, value) in values {
        ConstGauge::new(i64::try_from(*value).unwrap_or(i64::MAX)).encode(family.encode_family(&[(label, *of)])?)?;
    }
    Ok(())
}

/// Of those who are asked at all.
fn breakers(pipeline: &Pipeline) -> Vec<(&'static str, u64)> {
    let gates = &pipeline.gates;
    let embedder = pipeline.embedder.as_ref().and_then(|embedder| embedder.breaker());
    let all = [
        ("store", Some(&gates.store)),
        ("embedder", embedder),
        ("reranker", pipeline.reranker.as_ref().map(|_| &gates.rerank)),
        ("summarizer", pipeline.summarizer.as_ref().map(|_| &gates.summary)),
    ];
    let state = |gate: &Gate| match gate.state() {
        State::Closed => 0,
        State::HalfOpen => 1,
        State::Open => 2,
    };
    all.into_iter().filter_map(|(to, gate)| Some((to, state(gate?)))).collect()
}

/// Their names, bytes and entries. What has to go is gone once the bytes are counted.
fn caches(pipeline: &Pipeline) -> Vec<(&'static str, u64, u64)> {
    let Pipeline { caches, summaries, .. } = pipeline;
    let vectors = pipeline.embedder.as_ref().and_then(|embedder| embedder.memory());
    let mut all = vec![
        ("results", caches.results.bytes(), caches.results.entries()),
        ("chunks", caches.chunks.bytes(), caches.chunks.entries()),
        ("summaries", summaries.bytes(), summaries.entries()),
    ];
    all.extend(vectors.map(|memory: &Memory| ("embeddings", memory.bytes(), memory.entries())));
    all
}
