//! What is counted. The names are a contract: dashboards and autoscalers are built on them.
//!
//! Every label has a bounded set of values whatever a caller sends: models are those of the configuration and of the
//! catalogue, and a limited number of others that a provider has in fact answered for; the rest are `other`.

use std::{
    collections::HashMap,
    sync::{Arc, OnceLock, PoisonError, RwLock, atomic::AtomicU64},
    time::Duration,
};

use ambassador_core::{
    catalog::{self, Price},
    chat::Usage,
};
use chassis::metrics::Metrics;
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
};

/// Models beyond the known ones that get a label of their own.
const MAX_OTHER_MODELS: usize = 64;

/// Where a model that gets no label of its own is counted.
const OTHER: &str = "other";

/// Seconds; an answer takes from tenths of a second to ten minutes.
const DURATIONS: [f64; 14] = [0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0];

/// Seconds; what this program adds is counted in microseconds.
const ADDED: [f64; 10] = [0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.05, 0.25];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfModel {
    model: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfStatus {
    model: String,
    status: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfDirection {
    model: String,
    direction: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfReason {
    provider: String,
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfOutcome {
    provider: String,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfProvider {
    provider: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfParameter {
    provider: String,
    parameter: &'static str,
}

/// A histogram with buckets of its own, as a family makes its members.
#[derive(Clone, Copy, Debug)]
struct Buckets(&'static [f64]);

impl prometheus_client::metrics::family::MetricConstructor<Histogram> for Buckets {
    fn new_metric(&self) -> Histogram {
        Histogram::new(self.0.iter().copied())
    }
}

type Histograms = Family<OfModel, Histogram, Buckets>;

/// All series of the ambassador.
#[derive(Debug)]
pub struct Series {
    requests: Family<OfStatus, Counter>,
    tokens: Family<OfDirection, Counter>,
    durations: Histograms,
    first_content: Histograms,
    cost: Family<OfModel, Counter<f64, AtomicU64>>,
    unpriced: Family<OfModel, Counter>,
    uncounted: Family<OfModel, Counter>,
    failovers: Family<OfReason, Counter>,
    attempts: Family<OfOutcome, Counter>,
    broken_streams: Family<OfReason, Counter>,
    replays: Family<OfProvider, Counter>,
    dropped: Family<OfParameter, Counter>,
    added: Histogram,
    /// Requests that wait for a slot or for a backend to be connected.
    pub waiting: Gauge,
    /// Requests being served.
    pub in_flight: Gauge,
    /// Requests whose caller went away before the answer was complete.
    pub abandoned: Counter,
    /// Connections that were refused because there were too many.
    pub refused_connections: Counter,
    models: RwLock<HashMap<String, Arc<ModelSeries>>>,
    prices: HashMap<String, Price>,
}

/// The series of one model, found once and used many times.
#[derive(Debug)]
pub struct ModelSeries {
    success: Counter,
    error: Counter,
    input: Counter,
    output: Counter,
    duration: Histogram,
    first_content: Histogram,
    /// Not there without a price: a cost of 0 would say that the model is free.
    cost: OnceLock<Counter<f64, AtomicU64>>,
    unpriced: Counter,
    uncounted: Counter,
    admitted: bool,
    model: String,
}

impl Series {
    /// The series, registered. `models` get labels of their own from the start; `prices` override the catalogue's.
    #[must_use]
    pub fn new(metrics: &Metrics, models: impl IntoIterator<Item = String>, prices: HashMap<String, Price>) -> Self {
        let series = Self {
            requests: metrics.register(
                "llm_requests",
                "Requests by the model that the caller asked for and how they ended",
                Family::default(),
            ),
            tokens: metrics.register("llm_tokens", "Tokens read (input) and generated (output)", Family::default()),
            durations: metrics.register(
                "llm_request_duration_seconds",
                "From a request's arrival to the end of its answer",
                Family::new_with_constructor(Buckets(&DURATIONS)),
            ),
            first_content: metrics.register(
                "llm_time_to_first_content_seconds",
                "From a request's arrival to the first content of its streamed answer",
                Family::new_with_constructor(Buckets(&DURATIONS)),
            ),
            cost: metrics.register("llm_cost_dollars", "What answers cost, by the price table", Family::default()),
            unpriced: metrics.register(
                "llm_unpriced_requests",
                "Answers whose cost is unknown because the model has no price. They are not free",
                Family::default(),
            ),
            uncounted: metrics.register(
                "llm_uncounted_requests",
                "Answers whose tokens are unknown because the provider did not tell",
                Family::default(),
            ),
            failovers: metrics.register(
                "ambassador_failovers",
                "Attempts that failed and were followed by another, by the provider that failed and why",
                Family::default(),
            ),
            broken_streams: metrics.register(
                "ambassador_broken_streams",
                "Streamed answers that broke off after their first content, by the provider and why",
                Family::default(),
            ),
            attempts: metrics.register(
                "ambassador_attempts",
                "Attempts at providers, by what became of them",
                Family::default(),
            ),
            replays: metrics.register(
                "ambassador_stale_connection_replays",
                "Requests sent again because a kept-alive connection turned out to be closed",
                Family::default(),
            ),
            dropped: metrics.register(
                "ambassador_dropped_parameters",
                "Request fields that a provider could not take, or took only changed",
                Family::default(),
            ),
            added: metrics.register(
                "ambassador_added_latency_seconds",
                "Time spent here and not waiting for a provider, up to the first byte of the answer",
                Histogram::new(ADDED),
            ),
            waiting: metrics.register(
                "llm_request_queue_depth",
                "Requests that wait for a slot or for a connection to a backend",
                Gauge::default(),
            ),
            in_flight: metrics.register("ambassador_requests_in_flight", "Requests being served", Gauge::default()),
            abandoned: metrics.register(
                "ambassador_abandoned_requests",
                "Requests whose caller went away before the answer was complete",
                Counter::default(),
            ),
            refused_connections: metrics.register(
                "ambassador_refused_connections",
                "Connections refused because there were as many as the limit on open files leaves room for",
                Counter::default(),
            ),
            models: RwLock::default(),
            prices,
        };
        for model in models {
            series.admit(&model);
        }
        series
    }

    /// The series of a model. One that is not known yet is `other` until a provider has answered for it.
    #[must_use]
    pub fn model(&self, model: &str, answered: bool) -> Arc<ModelSeries> {
        if let Some(known) = self.models.read().unwrap_or_else(PoisonError::into_inner).get(model) {
            return Arc::clone(known);
        }
        if answered { self.admit_another(model) } else { self.admit(OTHER) }
    }

    fn admit_another(&self, model: &str) -> Arc<ModelSeries> {
        let others = self.models.read().unwrap_or_else(PoisonError::into_inner);
        let full = others.values().filter(|series| series.admitted).count() >= MAX_OTHER_MODELS;
        drop(others);
        // A name that is longer than any model's is somebody's idea of a label's worth.
        if full || model.len() > 128 { self.admit(OTHER) } else { self.insert(model, true) }
    }

    fn admit(&self, model: &str) -> Arc<ModelSeries> {
        self.insert(model, false)
    }

    fn insert(&self, model: &str, admitted: bool) -> Arc<ModelSeries> {
        let mut models = self.models.write().unwrap_or_else(PoisonError::into_inner);
        let series = models.entry(model.to_owned()).or_insert_with(|| {
            let label = || OfModel { model: model.to_owned() };
            let cost = || self.cost.get_or_create_owned(&label());
            let status = |status| OfStatus { model: model.to_owned(), status };
            let direction = |direction| OfDirection { model: model.to_owned(), direction };
            Arc::new(ModelSeries {
                success: self.requests.get_or_create_owned(&status("success")),
                error: self.requests.get_or_create_owned(&status("error")),
                input: self.tokens.get_or_create_owned(&direction("input")),
                output: self.tokens.get_or_create_owned(&direction("output")),
                duration: self.durations.get_or_create_owned(&label()),
                first_content: self.first_content.get_or_create_owned(&label()),
                cost: if self.price_of(model).is_some() { cost().into() } else { OnceLock::new() },
                unpriced: self.unpriced.get_or_create_owned(&label()),
                uncounted: self.uncounted.get_or_create_owned(&label()),
                admitted,
                model: model.to_owned(),
            })
        });
        Arc::clone(series)
    }

    /// Counts what an answer of `model` (the snapshot that answered, and the name that was asked for) cost.
    pub fn spent(&self, series: &ModelSeries, usage: Option<Usage>, answered: Option<&str>, asked: &str) {
        let Some(usage) = usage else {
            series.uncounted.inc();
            return;
        };
        series.input.inc_by(usage.input);
        series.output.inc_by(usage.output);
        let names = || [answered, Some(asked)].into_iter().flatten();
        let configured = names().find_map(|name| self.prices.get(name).copied());
        match configured.or_else(|| names().find_map(catalog::price_of)) {
            Some(price) => {
                let cost = || self.cost.get_or_create_owned(&OfModel { model: series.model.clone() });
                series.cost.get_or_init(cost).inc_by(price.dollars(&usage));
            }
            None => {
                series.unpriced.inc();
            }
        }
    }

    /// What a model costs, the configuration's word before the catalogue's.
    fn price_of(&self, model: &str) -> Option<Price> {
        self.prices.get(model).copied().or_else(|| catalog::price_of(model))
    }

    /// The counter of attempts at a provider with an outcome.
    #[must_use]
    pub fn attempt(&self, provider: &str, outcome: &'static str) -> Counter {
        self.attempts.get_or_create_owned(&OfOutcome { provider: provider.to_owned(), outcome })
    }

    /// Counts an attempt that another one follows.
    pub fn failover(&self, provider: &str, reason: &'static str) {
        self.failovers.get_or_create(&OfReason { provider: provider.to_owned(), reason }).inc();
    }

    /// Counts a stream that broke off after its first content.
    pub fn broken_stream(&self, provider: &str, reason: &'static str) {
        self.broken_streams.get_or_create(&OfReason { provider: provider.to_owned(), reason }).inc();
    }

    /// Counts a request that was sent again on a fresh connection.
    pub fn replay(&self, provider: &str) {
        self.replays.get_or_create(&OfProvider { provider: provider.to_owned() }).inc();
    }

    /// Counts the fields that a provider could not take.
    pub fn dropped(&self, provider: &str, parameters: &[&'static str]) {
        for parameter in parameters {
            self.dropped.get_or_create(&OfParameter { provider: provider.to_owned(), parameter }).inc();
        }
    }

    /// Notes the time that this program added.
    pub fn added(&self, time: Duration) {
        self.added.observe(time.as_secs_f64());
    }
}

impl ModelSeries {
    /// Counts a request that ended.
    pub fn ended(&self, success: bool, took: Duration) {
        if success {
            self.success.inc()
        } else {
            self.error.inc()
        };
        self.duration.observe(took.as_secs_f64());
    }

    /// Notes when the first content came.
    pub fn first_content(&self, after: Duration) {
        self.first_content.observe(after.as_secs_f64());
    }
}
