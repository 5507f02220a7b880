//! What became of a request, told exactly once: when this guard drops, whatever happened, cancellation included.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Instant,
};

use ambassador_core::{chat::Usage, provider::Operation};
use chassis::clock;
use prometheus_client::metrics::gauge::Gauge;
use tokio::sync::OwnedSemaphorePermit;
use tracing::Span;

use crate::{metrics::Series, trace};

/// The account of one request.
#[derive(Debug)]
pub struct Outcome {
    series: Arc<Series>,
    started: Instant,
    operation: Operation,
    /// The caller's or our own id of the request.
    pub request_id: String,
    /// The model that the caller asked for.
    asked: String,
    /// The model that the provider that answers was asked for.
    served: String,
    /// The model that answered, as the provider names it.
    model: Option<String>,
    provider: Option<String>,
    /// How many attempts were begun; told while they are under way, for a caller that leaves meanwhile.
    pub attempts: AtomicU32,
    usage: Option<Usage>,
    streamed: bool,
    end: End,
    /// The request's span; a stream keeps it open to its own end.
    span: Span,
    /// The span of the attempt that is answered by, within it.
    attempt: Span,
    /// Kept as long as the request is in flight.
    slot: Option<OwnedSemaphorePermit>,
    _in_flight: Counted,
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// It has not, so far. Dropped in this state, it was given up by the caller.
    Open,
    Complete,
    Failed(&'static str),
}

impl Outcome {
    /// Opens the account of a request that arrived at `started`.
    #[must_use]
    pub fn new(series: Arc<Series>, operation: Operation, request_id: String, started: Instant) -> Self {
        let in_flight = Counted::new(&series.in_flight);
        let span = Span::current();
        trace::asks_to(&span, operation);
        Self {
            series,
            started,
            operation,
            request_id,
            asked: String::new(),
            served: String::new(),
            model: None,
            provider: None,
            attempts: AtomicU32::new(0),
            usage: None,
            streamed: false,
            end: End::Open,
            span,
            attempt: Span::none(),
            slot: None,
            _in_flight: in_flight,
        }
    }

    /// The request is in flight, in this slot.
    pub fn holds(&mut self, slot: OwnedSemaphorePermit) {
        self.slot = Some(slot);
    }

    /// The model that the caller asks for.
    pub fn asks_for(&mut self, model: &str) {
        model.clone_into(&mut self.asked);
        trace::asks_for(&self.span, self.operation, model);
    }

    /// A provider answers, in the span of the last attempt.
    pub fn answered_by(&mut self, provider: &str, served: &str, streamed: bool, attempt: Span) {
        self.provider = Some(provider.to_owned());
        served.clone_into(&mut self.served);
        self.streamed = streamed;
        self.attempt = attempt;
    }

    /// Notes the first content of a stream.
    pub fn first_content(&self) {
        self.series.model(&self.asked, true).first_content(clock::now().saturating_duration_since(self.started));
    }

    /// The answer is complete.
    pub fn complete(&mut self, model: Option<String>, usage: Option<Usage>) {
        self.model = model;
        self.usage = usage;
        self.end = End::Complete;
    }

    /// The answer broke off; what had been told of its cost until then counts.
    pub fn broke_off(&mut self, reason: &'static str, model: Option<String>, usage: Option<Usage>) {
        self.model = model;
        self.usage = usage;
        self.end = End::Failed(reason);
        let provider = self.provider.as_deref().unwrap_or_default();
        self.series.broken_stream(provider, reason);
        tracing::warn!(request_id = self.request_id, provider, reason, "stream broke off");
    }

    /// There is no answer.
    pub fn failed(&mut self, reason: &'static str) {
        self.end = End::Failed(reason);
    }

    /// What a stream has told so far, should it be given up.
    pub fn so_far(&mut self, model: Option<&String>, usage: Option<Usage>) {
        // Called for every chunk, and the model is told once.
        if self.model.is_none() {
            self.model = model.cloned();
        }
        self.usage = usage;
    }
}

impl Outcome {
    /// Tells the spans of the request and of the attempt that answers how it ended.
    fn trace(&self, end: &'static str) {
        if self.span.is_none() {
            return;
        }
        if let Some(provider) = &self.provider {
            self.span.record("gen_ai.provider.name", provider);
        }
        for span in [&self.span, &self.attempt] {
            if self.provider.is_some() {
                span.record(
                    "gen_ai.response.model",
                    chassis::http::bounded(self.model.as_ref().unwrap_or(&self.served)),
                );
            }
            if let Some(usage) = self.usage {
                trace::spent(span, usage);
            }
            if self.end != End::Complete {
                trace::failed(span, end);
            }
        }
    }
}

impl Drop for Outcome {
    fn drop(&mut self) {
        // A span ends when it was last left: that is now, and not when the head of a stream was sent.
        self.attempt.in_scope(|| ());
        let span = self.span.clone();
        let _in = span.enter();
        let took = clock::now().saturating_duration_since(self.started);
        let answered = self.provider.is_some();
        self.series.model(&self.asked, answered).ended(self.end == End::Complete, took);
        if answered {
            let served = self.series.model(&self.served, true);
            self.series.spent(&served, self.usage, self.model.as_deref(), &self.served);
        }
        let end = match self.end {
            End::Complete => "complete",
            End::Failed(reason) => reason,
            End::Open => {
                self.series.abandoned.inc();
                "abandoned"
            }
        };
        self.trace(end);
        tracing::info!(
            request_id = self.request_id,
            provider = self.provider.as_deref(),
            model = answered.then_some(self.model.as_deref().unwrap_or(&self.served)),
            attempts = self.attempts.load(Ordering::Relaxed),
            stream = self.streamed,
            end,
            input_tokens = self.usage.map(|usage| usage.input),
            output_tokens = self.usage.map(|usage| usage.output),
            milliseconds = u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            "request ended",
        );
    }
}

/// One more in a gauge, as long as it lives.
#[derive(Debug)]
pub struct Counted(Gauge);

impl Counted {
    /// Counts one more.
    #[must_use]
    pub fn new(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.dec();
    }
}
