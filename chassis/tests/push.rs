//! Gauges of a process that ends, to collectors that are there, away or deaf; a test binary of its own because telemetry
//! is global.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod collector;

use std::net::TcpListener;
use std::time::Duration;

use chassis::config::Environment;
use chassis::telemetry::Gauge;
use chassis::{clock, telemetry};

/// Tells a gauge to the collector at `endpoint` as a process does that ends, and how long that took.
fn told(endpoint: &str) -> Duration {
    let environment = Environment::from_pairs([("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint), ("RUST_LOG", "off")]);
    let settings = telemetry::Settings { service: "chassis-test", version: "0.0.1", environment: &environment };
    let mut guard = telemetry::init(&settings);
    let attributes = vec![("digest", "sha256:abc".to_owned())];
    guard.push(&settings, vec![Gauge { name: "test_info", help: "What a test has", value: 1.0, attributes }]);
    // A span that is due at the same time shares the bound.
    drop(tracing::info_span!("the last"));
    let start = clock::now();
    drop(guard);
    clock::now() - start
}

#[test]
fn gauges_reach_a_collector_and_one_that_is_away_or_deaf_holds_nobody_up() {
    let (endpoint, receiver) = collector::start();
    told(&endpoint);
    let requests = [(); 2].map(|()| receiver.recv_timeout(Duration::from_secs(5)).unwrap());
    let request = requests.iter().find(|request| request.starts_with(b"POST /v1/metrics HTTP/1.1\r\n")).unwrap();
    for clue in ["application/x-protobuf", "test_info", "digest", "sha256:abc", "chassis-test"] {
        assert!(collector::contains(request, clue.as_bytes()), "{clue}: {}", String::from_utf8_lossy(request));
    }
    assert!(receiver.try_recv().is_err(), "it is told once");

    let away = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert!(told(&format!("http://{away}")) < Duration::from_secs(4));
    // It takes connections, and says nothing.
    let deaf = TcpListener::bind("127.0.0.1:0").unwrap();
    assert!(told(&format!("http://{}", deaf.local_addr().unwrap())) < Duration::from_secs(4));
}
