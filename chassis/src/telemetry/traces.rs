//! Spans to an OTLP collector, in the SDK's own batch thread.

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
use super::variables::Collector;
use crate::tls::Roots;

/// Starts exporting to a collector.
pub(super) fn start(
    settings: &Settings<'_>,
    collector: Collector,
    complaints: &mut Vec<String>,
) -> Option<SdkTracerProvider> {
    let Collector { endpoint, timeout, share } = collector;
    let client = Client::new("spans", timeout, Roots::of(settings.environment))
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

/// Who is speaking, as the environment has it.
pub(super) fn resource(settings: &Settings<'_>) -> Resource {
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
    use crate::config::Environment;

    #[test]
    fn the_resource_says_who_we_are() {
        let environment = Environment::from_pairs([("OTEL_RESOURCE_ATTRIBUTES", "k8s.pod.name=a-1, service.name=no")]);
        let settings = Settings { service: "test", version: "1.2.3", environment: &environment };
        let resource = resource(&settings);
        let get = |key: &'static str| resource.get(&key.into()).map(|value| value.to_string());
        assert_eq!(get("service.name").as_deref(), Some("test"));
        assert_eq!(get("service.version").as_deref(), Some("1.2.3"));
        assert_eq!(get("k8s.pod.name").as_deref(), Some("a-1"));
    }
}
