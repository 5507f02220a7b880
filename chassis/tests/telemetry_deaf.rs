//! Some libraries log what passes through them; a process can be deaf to them. In a test binary of its own because telemetry
//! is global.

use chassis::{config::Environment, telemetry};

#[test]
fn what_a_library_logs_is_not_heard_whatever_the_level() {
    let environment = Environment::from_pairs([("RUST_LOG", "trace,talkative=trace")]);
    let settings = telemetry::Settings { service: "test", version: "0", environment: &environment };
    let _guard = telemetry::init_without(&settings, &["talkative"]);
    assert!(tracing::enabled!(target: "other", tracing::Level::TRACE));
    assert!(!tracing::enabled!(target: "talkative", tracing::Level::ERROR));
    assert!(!tracing::enabled!(target: "talkative::inner", tracing::Level::INFO));
    assert!(tracing::error_span!(target: "talkative", "span").is_disabled());
}
