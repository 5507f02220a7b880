//! Spans to a collector of our own, in a test binary of its own because telemetry is global.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use chassis::config::Environment;
use chassis::{clock, telemetry};
use http::{HeaderMap, HeaderValue};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

/// Takes one export and returns the request as it came.
fn receive(mut stream: TcpStream) -> Vec<u8> {
    let mut request = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let read = stream.read(&mut chunk).unwrap();
        request.extend_from_slice(&chunk[..read]);
        let text = String::from_utf8_lossy(&request).to_lowercase();
        let Some((head, _)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let length: usize = head.split("content-length: ").nth(1).unwrap().lines().next().unwrap().parse().unwrap();
        let start = request.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
        if request.len() >= start + length {
            break;
        }
    }
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
    request
}

fn contains(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|window| window == needle)
}

#[test]
fn a_span_follows_its_caller_and_reaches_the_collector_before_the_end() {
    let collector = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", collector.local_addr().unwrap());
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for stream in collector.incoming() {
            sender.send(receive(stream.unwrap())).unwrap();
        }
    });

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
    assert!(contains(&request, b"application/x-protobuf"));
    assert!(contains(&request, b"chat gpt-4o") && !contains(&request, b"not known yet"));
    assert!(contains(&request, b"chassis-test"));
}
