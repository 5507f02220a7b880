//! What a collector is told of a run, where one is named: by the time that anybody scrapes, this process is gone.

use std::{fs, path::Path, time::Duration};

use chassis::{
    clock,
    exit::Code,
    telemetry::{Gauge, Guard, Settings},
};
use config_loader::{
    manifest::{self, Manifest},
    report::{Failed, Outcome},
};
use tracing::field::Empty;

/// Carries out a run that fills `directory`, as the span `config.load`, and tells how it ended.
pub(crate) fn run(
    guard: &mut Guard,
    about: &Settings<'_>,
    directory: &Path,
    load: impl FnOnce() -> Result<(), Vec<Failed>>,
) -> Result<(), Vec<Failed>> {
    let began = clock::now();
    let span = tracing::info_span!(
        "config.load",
        config.set.digest = Empty,
        config.set.stale = Empty,
        exit_code = Empty,
        otel.status_code = Empty
    );
    let ended = load();
    let code = ended.as_ref().err().map_or(Code::Ok, |failed| Outcome::Failed(failed).code());
    let set = if code == Code::Ok { published(directory) } else { None };
    span.record("exit_code", i64::from(code as u8));
    match &set {
        Some(set) => {
            span.record("config.set.digest", set.digest.as_str());
            span.record("config.set.stale", set.stale.is_some());
        }
        None => {
            span.record("otel.status_code", "ERROR");
        }
    }
    drop(span);
    guard.push(about, gauges(set.as_ref(), clock::now() - began, code));
    ended
}

/// Tells of a run that did not begin, because its settings are wrong.
pub(crate) fn refused(guard: &mut Guard, about: &Settings<'_>) {
    guard.push(about, gauges(None, Duration::ZERO, Code::Config));
}

/// The set that was just published.
fn published(directory: &Path) -> Option<Manifest> {
    Manifest::from_bytes(&fs::read(directory.join(manifest::NAME)).ok()?).ok()
}

fn gauges(set: Option<&Manifest>, took: Duration, code: Code) -> Vec<Gauge> {
    let plain = |name, help, value| Gauge { name, help, value, attributes: Vec::new() };
    let set = set.map(|set| Gauge {
        name: "config_set_info",
        help: "The set that was published; stale where it is the last good one and not the newest",
        value: 1.0,
        attributes: vec![("digest", set.digest.clone()), ("stale", set.stale.is_some().to_string())],
    });
    let run = [
        plain("config_loader_duration_seconds", "How long the run took", took.as_secs_f64()),
        plain("config_loader_exit_code", "How the run ended; 0 where a set is published", f64::from(code as u8)),
    ];
    set.into_iter().chain(run).collect()
}
