//! Gauges to an OTLP collector, once: what a process has to tell that is gone before anybody could scrape it.

use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use opentelemetry::KeyValue;
use opentelemetry::metrics::MeterProvider;
use opentelemetry_otlp::{MetricExporter, Protocol, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::SdkMeterProvider;

use super::export::Client;
use super::traces::resource;
use super::variables::{self, Signal};
use super::{FLUSH, Settings};
use crate::clock;
use crate::config::Problems;
use crate::tls::Roots;

const METRICS: Signal = Signal { variable: "METRICS", path: "/v1/metrics", lost: "no metric is sent" };

/// A value as of now.
#[derive(Clone, Debug, PartialEq)]
pub struct Gauge {
    /// What it is called, unit included, as for Prometheus.
    pub name: &'static str,
    /// What it is, without a full stop.
    pub help: &'static str,
    /// How much of it there is.
    pub value: f64,
    /// What tells it apart from others of its name. Bounded, as labels are.
    pub attributes: Vec<(&'static str, String)>,
}

/// An export that is under way.
#[derive(Debug)]
pub(super) struct Push(Receiver<()>);

impl Push {
    /// Begins to send these to the collector that the environment names, on a thread of its own; nothing where it names
    /// none. What makes no sense there is logged.
    pub(super) fn begin(settings: &Settings<'_>, gauges: Vec<Gauge>) -> Option<Self> {
        let mut problems = Problems::new();
        let collector = collector(settings, &mut problems);
        for warning in problems.warnings() {
            tracing::warn!("{warning}");
        }
        let (endpoint, timeout) = collector?;
        let export = Export { endpoint, timeout, resource: resource(settings), roots: Roots::of(settings.environment) };
        let (done, is_done) = mpsc::channel();
        let thread = thread::Builder::new().name("otlp-metrics".to_owned());
        let begun = thread.spawn(move || {
            if let Err(error) = export.run(gauges) {
                tracing::debug!(error, "the metrics of this run were lost");
            }
            // Nobody waits any longer: that is theirs to say.
            let _gone = done.send(());
        });
        if let Err(error) = begun {
            tracing::warn!(%error, "the metrics of this run were lost");
            return None;
        }
        Some(Self(is_done))
    }

    /// Waits for its end, no longer than `until`. A thread that still waits for the collector then ends with the process.
    pub(super) fn wait(self, until: Instant) {
        let left = until.saturating_duration_since(clock::now());
        if self.0.recv_timeout(left) == Err(RecvTimeoutError::Timeout) {
            tracing::warn!("the metrics of this run were lost: the collector did not take them in time");
        }
    }
}

fn collector(settings: &Settings<'_>, problems: &mut Problems) -> Option<(String, Duration)> {
    let environment = settings.environment;
    if variables::is_disabled(environment) {
        return None;
    }
    let endpoint = variables::endpoint(environment, &METRICS, problems)?;
    Some((endpoint, variables::timeout(environment, &METRICS, problems).min(FLUSH)))
}

struct Export {
    endpoint: String,
    timeout: Duration,
    resource: Resource,
    roots: Roots,
}

impl Export {
    fn run(self, gauges: Vec<Gauge>) -> Result<(), String> {
        let client = Client::new("metrics", self.timeout, self.roots).map_err(|error| error.to_string())?;
        let exporter = MetricExporter::builder()
            .with_http()
            .with_http_client(client)
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(self.endpoint)
            .with_timeout(self.timeout)
            .build()
            .map_err(|error| error.to_string())?;
        // Its interval is longer than this lives: the one export is that of the shutdown.
        let provider =
            SdkMeterProvider::builder().with_resource(self.resource).with_periodic_exporter(exporter).build();
        let meter = provider.meter("chassis");
        for Gauge { name, help, value, attributes } in gauges {
            let attributes: Vec<KeyValue> =
                attributes.into_iter().map(|(key, value)| KeyValue::new(key, value)).collect();
            meter.f64_gauge(name).with_description(help).build().record(value, &attributes);
        }
        provider.shutdown().map_err(|error| error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Environment;

    #[test]
    fn the_collector_of_metrics_is_its_own_or_that_of_everything() {
        let of = |pairs: &[(&str, &str)]| {
            let environment = Environment::from_pairs(pairs.iter().copied());
            let settings = Settings { service: "test", version: "0", environment: &environment };
            let mut problems = Problems::new();
            (collector(&settings, &mut problems), problems.warnings().len())
        };
        let base = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318/");
        let found = |endpoint: &str, millis| (Some((endpoint.to_owned(), Duration::from_millis(millis))), 0);
        assert_eq!(of(&[base]), found("http://collector:4318/v1/metrics", 2000));
        let own = ("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://other/x");
        assert_eq!(of(&[base, own]), found("http://other/x", 2000));
        let soon = ("OTEL_EXPORTER_OTLP_METRICS_TIMEOUT", "300");
        assert_eq!(of(&[own, soon]), found("http://other/x", 300));
        assert_eq!(of(&[base, ("OTEL_SDK_DISABLED", "true")]), (None, 0));
        assert_eq!(of(&[("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://other/x")]), (None, 0));
        assert_eq!(of(&[("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "collector:4318")]), (None, 1));
    }
}
