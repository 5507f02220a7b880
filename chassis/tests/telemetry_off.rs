//! Without a collector nothing of OpenTelemetry runs; in a test binary of its own because telemetry
//! is global.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;

use chassis::config::Environment;
use chassis::telemetry;
use http::{HeaderMap, HeaderValue};

fn threads() -> Vec<String> {
    let tasks = fs::read_dir("/proc/self/task").unwrap();
    let name = |task: fs::DirEntry| fs::read_to_string(task.path().join("comm")).unwrap_or_default();
    tasks.map(|task| name(task.unwrap())).collect()
}

#[test]
#[cfg(target_os = "linux")]
fn nothing_is_started_and_no_header_is_touched() {
    let before = threads();
    let environment = Environment::default();
    let settings = telemetry::Settings { service: "test", version: "0", environment: &environment };
    let guard = telemetry::init(&settings);
    assert!(!guard.traces());
    assert_eq!(threads().len(), before.len(), "{:?}", threads());

    let parent = HeaderValue::from_static("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01");
    let taken = HeaderMap::from_iter([(http::header::HeaderName::from_static("traceparent"), parent)]);
    let span = tracing::info_span!("request");
    telemetry::follow(&span, &taken);
    let mut sent = HeaderMap::new();
    span.in_scope(|| telemetry::inject(&mut sent));
    assert!(sent.is_empty());
}
