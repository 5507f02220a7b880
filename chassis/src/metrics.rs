//! Numbers for Prometheus.
//!
//! A process has one [`Metrics`], hands it to whatever wants to count, and to [`crate::admin`],
//! which serves it on `/metrics`. Two habits of `prometheus-client` are good to know:
//!
//! - the name of a counter gets `_total` appended when it is written: register `requests`, and
//!   query `requests_total`;
//! - a full stop is appended to every help text, so write help without one.
//!
//! Labels must be bounded: a route or a status class, never a path or a key.

use std::sync::{Arc, Mutex, PoisonError};

pub use prometheus_client::encoding::EncodeLabelSet;
pub use prometheus_client::metrics::counter::Counter;
pub use prometheus_client::metrics::family::Family;
pub use prometheus_client::metrics::gauge::Gauge;
pub use prometheus_client::metrics::histogram::Histogram;
pub use prometheus_client::registry::{Metric, Registry};

/// The content type of what [`Metrics::encode`] returns.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Everything a process counts. Clones share one registry.
#[derive(Clone, Debug, Default)]
pub struct Metrics(Arc<Mutex<Registry>>);

impl Metrics {
    /// A registry with nothing in it.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Registers `metric` and returns it, so that a field can be filled in one line. Clones of a
    /// metric share its value.
    ///
    /// Write `name` without `_total` and `help` without a full stop; see the module.
    pub fn register<M: Metric + Clone>(&self, name: &str, help: &str, metric: M) -> M {
        self.within(|registry| registry.register(name, help, metric.clone()));
        metric
    }

    /// Gives access to the registry itself, for sub-registries and collectors.
    pub fn within<R>(&self, change: impl FnOnce(&mut Registry) -> R) -> R {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The current values in the OpenMetrics text format; its content type is [`CONTENT_TYPE`].
    #[must_use]
    pub fn encode(&self) -> String {
        let mut text = String::new();
        self.within(|registry| {
            if prometheus_client::encoding::text::encode(&mut text, registry).is_err() {
                tracing::error!("a metric could not be encoded; /metrics is incomplete");
            }
        });
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
    struct Labels {
        route: &'static str,
    }

    #[test]
    fn a_counter_gets_total_appended() {
        let metrics = Metrics::new();
        let requests = metrics.register("requests", "Requests taken", Counter::<u64>::default());
        requests.inc();
        let text = metrics.encode();
        assert!(text.contains("requests_total 1"), "{text}");
        assert!(text.ends_with("# EOF\n"));
    }

    #[test]
    fn a_family_of_histograms() {
        let metrics = Metrics::new();
        let family = Family::<Labels, Histogram>::new_with_constructor(|| Histogram::new([0.1, 0.25]));
        let family = metrics.register("latency_seconds", "Time taken", family);
        family.get_or_create(&Labels { route: "chat" }).observe(0.2);
        let text = metrics.encode();
        assert!(text.contains(r#"latency_seconds_bucket{le="0.25",route="chat"} 1"#), "{text}");
    }
}
