//! Spans to an OTLP collector, in the SDK's own batch thread.

use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use tracing::Subscriber;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::registry::LookupSpan;

use super::Settings;
use super::export::Client;
use crate::config::Environment;
use crate::tls::Roots;

const PATH: &str = "/v1/traces";

/// How long one export may take, as the OTLP specification has it.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Starts exporting, if the environment names a collector.
pub(super) fn start(settings: &Settings<'_>, complaints: &mut Vec<String>) -> Option<SdkTracerProvider> {
    let environment = settings.environment;
    let endpoint = endpoint(environment)?;
    let timeout = timeout(environment);
    let client = Client::new(timeout, Roots::of(environment))
        .map_err(|error| complaints.push(format!("no traces: {error}")))
        .ok()?;
    let exporter = SpanExporter::builder()
        .with_http()
        .with_http_client(client)
        .with_protocol(Protocol::HttpBinary)
        .with_endpoint(endpoint)
        .with_timeout(timeout)
        .build()
        .map_err(|error| complaints.push(format!("no traces: {error}")))
        .ok()?;
    let share = share(environment, complaints);
    let provider = SdkTracerProvider::builder()
        .with_resource(resource(settings))
        .with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(share))))
        .with_batch_exporter(exporter)
        .build();
    Some(provider)
}

/// The layer that turns `tracing` spans into exported ones: those of level info and above, whatever
/// `RUST_LOG` leaves of the logs.
pub(super) fn layer<S>(provider: &SdkTracerProvider, service: &'static str) -> impl Layer<S> + use<S>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    tracing_opentelemetry::layer()
        .with_tracer(provider.tracer(service))
        .with_location(false)
        .with_threads(false)
        .with_filter(LevelFilter::INFO)
}

fn endpoint(environment: &Environment) -> Option<String> {
    if environment.get("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true")) {
        return None;
    }
    let whole = environment.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT").map(str::to_owned);
    let base = || environment.get("OTEL_EXPORTER_OTLP_ENDPOINT");
    whole.or_else(|| base().map(|base| format!("{}{PATH}", base.trim_end_matches('/'))))
}

fn timeout(environment: &Environment) -> Duration {
    environment
        .get("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT")
        .or_else(|| environment.get("OTEL_EXPORTER_OTLP_TIMEOUT"))
        .and_then(|millis| millis.parse().ok())
        .map_or(TIMEOUT, Duration::from_millis)
}

/// The share of the traces that begin with us which is kept. A trace that began elsewhere is kept
/// when its beginner keeps it.
fn share(environment: &Environment, complaints: &mut Vec<String>) -> f64 {
    let Some(text) = environment.get("OTEL_TRACES_SAMPLER_ARG") else {
        return 1.0;
    };
    match text.parse() {
        Ok(share) if (0.0..=1.0).contains(&share) => share,
        _ => {
            complaints.push("OTEL_TRACES_SAMPLER_ARG is not between 0 and 1; keeping every trace".to_owned());
            1.0
        }
    }
}

fn resource(settings: &Settings<'_>) -> Resource {
    let environment = settings.environment;
    let name = environment.get("OTEL_SERVICE_NAME").unwrap_or(settings.service);
    let attributes = environment.get("OTEL_RESOURCE_ATTRIBUTES").unwrap_or_default();
    Resource::builder_empty()
        .with_attribute(KeyValue::new("service.version", settings.version))
        .with_attributes(attributes.split(',').filter_map(|pair| {
            let (key, value) = pair.split_once('=')?;
            Some(KeyValue::new(key.trim().to_owned(), value.trim().to_owned()))
        }))
        .with_service_name(name.to_owned())
        .build()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(pairs: &[(&str, &str)]) -> Environment {
        Environment::from_pairs(pairs.iter().copied())
    }

    #[test]
    fn without_an_endpoint_nothing_is_started() {
        let environment = environment(&[("OTEL_SERVICE_NAME", "x")]);
        let settings = Settings { service: "test", version: "0", environment: &environment };
        assert!(start(&settings, &mut Vec::new()).is_none());
    }

    #[test]
    fn the_endpoint_is_found() {
        let base = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318/");
        let whole = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://other/x");
        let of = |pairs: &[(&str, &str)]| endpoint(&environment(pairs));
        assert_eq!(of(&[base]).as_deref(), Some("http://collector:4318/v1/traces"));
        assert_eq!(of(&[base, whole]).as_deref(), Some("http://other/x"));
        assert_eq!(of(&[base, ("OTEL_SDK_DISABLED", "true")]), None);
    }

    #[test]
    fn the_share_is_between_nothing_and_everything() {
        let of = |text: &str| {
            let mut complaints = Vec::new();
            (share(&environment(&[("OTEL_TRACES_SAMPLER_ARG", text)]), &mut complaints), complaints.len())
        };
        assert_eq!(of("0.25"), (0.25, 0));
        assert_eq!(of(""), (1.0, 0));
        assert_eq!(of("2"), (1.0, 1));
        assert_eq!(of("all"), (1.0, 1));
        assert_eq!(of("NaN"), (1.0, 1));
    }

    #[test]
    fn the_resource_says_who_we_are() {
        let environment = environment(&[("OTEL_RESOURCE_ATTRIBUTES", "k8s.pod.name=a-1, service.name=no")]);
        let settings = Settings { service: "test", version: "1.2.3", environment: &environment };
        let resource = resource(&settings);
        let get = |key: &'static str| resource.get(&key.into()).map(|value| value.to_string());
        assert_eq!(get("service.name").as_deref(), Some("test"));
        assert_eq!(get("service.version").as_deref(), Some("1.2.3"));
        assert_eq!(get("k8s.pod.name").as_deref(), Some("a-1"));
    }
}
