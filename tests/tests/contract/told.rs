//! What a collector hears of a config-loader, which is gone before anybody could scrape it.

use std::net::TcpListener;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use e2e::harness::{Ended, PATIENCE, free_port};
use e2e::process::{Process, binary};
use serde_json::Value;

use crate::collector::Collector;

/// A run that ended by itself.
async fn run(folder: &Path, prompt: &str, collector: &str) -> Ended {
    let mut command = Command::new(binary("config-loader").unwrap());
    command.env_clear().env("PROMPT_URL", prompt).env("OTEL_EXPORTER_OTLP_ENDPOINT", collector);
    command.env("CONFIG_DIR", folder.join("config")).env("TERMINATION_LOG", folder.join("log"));
    let mut process = Process::start(&mut command).unwrap();
    let status = process.wait(PATIENCE).await.expect("it ends by itself");
    Ended { code: status.code(), stdout: process.stdout.text(), stderr: process.stderr.text() }
}

fn prompt(folder: &Path) -> String {
    let file = folder.join("prompt.txt");
    std::fs::write(&file, "You are a lighthouse.\n").unwrap();
    format!("file://{}", file.display())
}

#[tokio::test]
async fn a_run_is_a_span_and_three_gauges() {
    let folder = tempfile::tempdir().unwrap();
    let collector = Collector::start().await;
    let ended = run(folder.path(), &prompt(folder.path()), &collector.url()).await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);

    let manifest = std::fs::read(folder.path().join("config/manifest.json")).unwrap();
    let manifest: Value = serde_json::from_slice(&manifest).unwrap();
    let digest = manifest["digest"].as_str().unwrap().to_owned();
    let [duration, code, set] = collector.gauges().try_into().unwrap();
    assert!(duration.0 == "config_loader_duration_seconds" && duration.2 > 0.0, "{duration:?}");
    assert_eq!(code, ("config_loader_exit_code".to_owned(), Vec::new(), 0.0));
    let attributes = vec![("digest".to_owned(), digest.clone()), ("stale".to_owned(), "false".to_owned())];
    assert_eq!(set, ("config_set_info".to_owned(), attributes, 1.0));

    let [span] = collector.spans().try_into().unwrap();
    assert_eq!((span.name(), span.text("config.set.digest"), span.is_error()), ("config.load", digest, false));
}

#[tokio::test]
async fn a_run_that_failed_tells_its_exit_code_and_no_set() {
    let folder = tempfile::tempdir().unwrap();
    let collector = Collector::start().await;
    let ended = run(folder.path(), "file:///nowhere/prompt.txt", &collector.url()).await;
    let code = ended.code.unwrap();
    assert_ne!(code, 0);
    let names: Vec<String> = collector.gauges().into_iter().map(|gauge| gauge.0).collect();
    assert_eq!(names, ["config_loader_duration_seconds", "config_loader_exit_code"]);
    assert_eq!(collector.gauges()[1].2, f64::from(code));
    let [span] = collector.spans().try_into().unwrap();
    assert!(span.is_error() && span.number("exit_code") == Some(code.into()), "{span:?}");
}

#[tokio::test]
async fn settings_that_are_wrong_are_told_as_well() {
    let folder = tempfile::tempdir().unwrap();
    let collector = Collector::start().await;
    let ended = run(folder.path(), "gopher://nowhere", &collector.url()).await;
    assert_eq!((ended.code, collector.gauges()[1].2), (Some(78), 78.0), "{}", ended.stderr);
}

#[tokio::test]
async fn a_collector_that_is_away_or_deaf_is_no_failure_and_holds_no_pod_up() {
    let folder = tempfile::tempdir().unwrap();
    // It takes connections, and says nothing.
    let deaf = TcpListener::bind("127.0.0.1:0").unwrap();
    for address in [free_port(), deaf.local_addr().unwrap()] {
        let began = std::time::Instant::now();
        let ended = run(folder.path(), &prompt(folder.path()), &format!("http://{address}")).await;
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        // Two seconds, and what a busy machine takes. Spans and gauges wait at the same time.
        assert!(began.elapsed() < Duration::from_secs(10), "{}", ended.stderr);
        assert!(folder.path().join("config/system-prompt.txt").exists());
    }
}
