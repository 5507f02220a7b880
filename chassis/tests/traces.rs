//! Spans to a collector of our own, in a test binary of its own because telemetry is global.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod collector;

use std::time::Duration;

use chassis::config::Environment;
use chassis::{clock, telemetry};
use http::{HeaderMap, HeaderValue};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

#[test]
fn a_span_follows_its_caller_and_reaches_the_collector_before_the_end() {
    let (endpoint, receiver) = collector::start();

    let environment =
        Environment::from_pairs([("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.as_str()), ("RUST_LOG", "error")]);
    let settings = telemetry::Settings { service: "chassis-test", version: "0.0.1", environment: &environment };
    let guard = telemetry::init(&settings);
    assert!(guard.traces());

    let mut taken = HeaderMap::new();
    let parent = format!("00-{TRACE}-b7ad6b7169203331-01");
    taken.insert("traceparent", HeaderValue::from_str(&parent).unwrap());
    let span = tracing::info_span!("not known yet");
    telemetry::follow(&span, &taken);
    let mut sent = HeaderMap::new();
    span.in_scope(|| telemetry::inject(&mut sent));
    telemetry::rename(&span, "chat gpt-4o".to_owned());
    drop(span);
    assert!(!sent.contains_key("tracestate"), "there is no state: {sent:?}");

    taken.insert("tracestate", HeaderValue::from_static("vendor=1"));
    let span = tracing::info_span!("a second one");
    telemetry::follow(&span, &taken);
    let mut with_state = HeaderMap::new();
    span.in_scope(|| telemetry::inject(&mut with_state));
    assert_eq!(with_state["tracestate"], "vendor=1");
    drop(span);

    let traceparent = sent["traceparent"].to_str().unwrap();
    assert!(traceparent.starts_with(&format!("00-{TRACE}-")), "{traceparent}");
    assert!(!traceparent.contains("b7ad6b7169203331"), "{traceparent}");

    let start = clock::now();
    drop(guard);
    assert!(clock::now() - start < Duration::from_secs(3));

    let request = receiver.recv_timeout(Duration::from_secs(5)).unwrap();
    assert!(request.starts_with(b"POST /v1/traces HTTP/1.1\r\n"));
    assert!(collector::contains(&request, b"application/x-protobuf"));
    assert!(collector::contains(&request, b"chat gpt-4o") && !collector::contains(&request, b"not known yet"));
    assert!(collector::contains(&request, b"chassis-test"));
}
