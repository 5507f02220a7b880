//! What is counted of requests, whatever they are for.

use std::time::Duration;

use chassis::metrics::{Counter, EncodeLabelSet, Family, Gauge, Histogram, Metrics};
use http::StatusCode;

/// Seconds.
const DURATIONS: [f64; 10] = [0.000_1, 0.000_5, 0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10.0, 60.0];

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    route: &'static str,
    status: u16,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfRoute {
    route: &'static str,
}

/// The series of requests. Clones share their values.
#[derive(Clone, Debug)]
pub(crate) struct Series {
    requests: Family<Labels, Counter>,
    durations: Family<OfRoute, Histogram, fn() -> Histogram>,
    in_flight: Gauge,
    pub(crate) refused_connections: Counter,
}

impl Series {
    pub(super) fn new(metrics: &Metrics) -> Self {
        let histogram: fn() -> Histogram = || Histogram::new(DURATIONS);
        Self {
            requests: metrics.register(
                "context_requests",
                "Requests, by what they were for and how they ended",
                Family::default(),
            ),
            durations: metrics.register(
                "context_request_duration_seconds",
                "Time from a request's head to its answer's",
                Family::new_with_constructor(histogram),
            ),
            in_flight: metrics.register("context_requests_in_flight", "Requests being answered", Gauge::default()),
            refused_connections: metrics.register(
                "context_refused_connections",
                "Clients that were turned away, since there were too many",
                Counter::default(),
            ),
        }
    }

    /// A request is being answered for as long as what this returns is kept.
    pub(super) fn busy(&self) -> Busy {
        self.in_flight.inc();
        Busy(self.in_flight.clone())
    }

    pub(super) fn answered(&self, route: &'static str, status: StatusCode, took: Duration) {
        self.requests.get_or_create(&Labels { route, status: status.as_u16() }).inc();
        self.durations.get_or_create(&OfRoute { route }).observe(took.as_secs_f64());
    }
}

/// One more in flight.
#[derive(Debug)]
pub(super) struct Busy(Gauge);

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.dec();
    }
}
