//! Logs always, traces where somebody collects them.
//!
//! Everything is written through `tracing`. Logs go to standard error: JSON in a pod, lines for
//! people in a terminal. Traces go to an OTLP collector over HTTP, and only when one is named;
//! otherwise no part of OpenTelemetry is started and a request pays nothing for it.
//!
//! | variable | meaning | default |
//! | --- | --- | --- |
//! | `RUST_LOG` | what to log, as `tracing` directives | `info` |
//! | `LOG_FORMAT` | `json` or `text` | `text` in a terminal, else `json` |
//! | `OTEL_EXPORTER_OTLP_ENDPOINT` | the collector, without `/v1/traces` | no traces |
//! | `OTEL_EXPORTER_OTLP_TRACES_ENDPOINT` | the whole URL; wins over the above | |
//! | `OTEL_EXPORTER_OTLP_METRICS_ENDPOINT` | the same for what [`Guard::push`] sends (feature `otlp-metrics`) | |
//! | `OTEL_EXPORTER_OTLP_HEADERS`, `_TIMEOUT` | sent along; milliseconds for one export | none, 10 s |
//! | `OTEL_TRACES_SAMPLER_ARG` | which share of the traces that begin here is kept, 0 to 1 | 1 |
//! | `OTEL_SERVICE_NAME`, `OTEL_RESOURCE_ATTRIBUTES` | how we are called there | the binary |
//! | `OTEL_SDK_DISABLED` | `true` for no traces | `false` |

mod export;
mod logs;
mod propagate;
#[cfg(feature = "otlp-metrics")]
mod push;
mod traces;
mod variables;

pub use propagate::{exporting, follow, inject, rename};
#[cfg(feature = "otlp-metrics")]
pub use push::Gauge;
pub use variables::VARIABLES;

use std::panic;
use std::time::Duration;

use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::Metadata;
use tracing_subscriber::{filter::filter_fn, layer::SubscriberExt};

use self::variables::Variables;
use crate::config::{Environment, Problems};

/// How long the last spans may take to leave when the process ends.
const FLUSH: Duration = Duration::from_secs(2);

/// Who is speaking, and the environment that says how.
#[derive(Clone, Copy, Debug)]
pub struct Settings<'a> {
    /// The name of the binary.
    pub service: &'static str,
    /// Its version.
    pub version: &'static str,
    /// Where the variables above are looked up.
    pub environment: &'a Environment,
}

/// Keeps telemetry going. When it is dropped the last spans are sent, for at most 2 seconds, so it
/// belongs into `main`, above everything that traces.
#[derive(Debug)]
#[must_use = "the last spans are lost unless this lives as long as main"]
pub struct Guard {
    traces: Option<SdkTracerProvider>,
    #[cfg(feature = "otlp-metrics")]
    push: Option<push::Push>,
}

impl Guard {
    /// Whether spans are exported.
    #[must_use]
    pub const fn traces(&self) -> bool {
        self.traces.is_some()
    }

    /// How long its end may take.
    #[must_use]
    pub const fn ends_within(&self) -> Duration {
        if self.traces() { FLUSH } else { Duration::ZERO }
    }
}

#[cfg(feature = "otlp-metrics")]
impl Guard {
    /// Sends these to the collector, where one is named, once: for a process that is gone before it could be scraped.
    ///
    /// It returns at once; the end of this guard waits for the end of the export, within the same 2 seconds as for the
    /// last spans.
    pub fn push(&mut self, settings: &Settings<'_>, gauges: Vec<Gauge>) {
        self.push = push::Push::begin(settings, gauges);
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        #[cfg(feature = "otlp-metrics")]
        let until = crate::clock::now() + FLUSH;
        if let Some(provider) = &self.traces
            && let Err(error) = provider.shutdown_with_timeout(FLUSH)
        {
            tracing::warn!(%error, "the last spans were lost");
        }
        #[cfg(feature = "otlp-metrics")]
        if let Some(push) = self.push.take() {
            push.wait(until);
        }
    }
}

/// Looks at the variables of the table above and starts nothing: what [`init`] would log of them, as warnings.
pub fn check(settings: &Settings<'_>, problems: &mut Problems) {
    let _ = Variables::read(settings, problems);
}

/// Whether what is said on standard error is read by people: where they asked for it, or sit at a terminal.
#[must_use]
pub fn for_people(environment: &Environment) -> bool {
    match environment.get("LOG_FORMAT") {
        Some("text") => true,
        Some("json") => false,
        _ => std::io::IsTerminal::is_terminal(&std::io::stderr()),
    }
}

/// Starts the logs, and the traces if a collector is named. Panics are logged from then on.
///
/// Nothing here stops a process from starting: a setting that makes no sense is logged and its
/// default taken. A second call in one process leaves the first in place.
pub fn init(settings: &Settings<'_>) -> Guard {
    init_without(settings, &[])
}

/// The same, deaf to some libraries, by the beginnings of their names: those that log what passes through them, whatever
/// `RUST_LOG` says. What users write does not belong into logs and traces.
pub fn init_without(settings: &Settings<'_>, libraries: &'static [&'static str]) -> Guard {
    let mut complaints = Vec::new();
    let mut problems = Problems::new();
    let variables = Variables::read(settings, &mut problems);
    let traces = variables.collector.and_then(|collector| traces::start(settings, collector, &mut complaints));
    let heard = move |about: &Metadata<'_>| !libraries.iter().any(|library| about.target().starts_with(library));
    let subscriber = tracing_subscriber::registry()
        .with(filter_fn(heard))
        .with(logs::layer(&variables.directives, variables.format, settings.environment))
        .with(traces.as_ref().map(|provider| traces::layer(provider, settings.service)));
    if tracing::subscriber::set_global_default(subscriber).is_err() {
        complaints.push("telemetry was started before; that start stays in place".to_owned());
    }
    log_panics();
    propagate::switch(traces.is_some());
    for warning in problems.warnings() {
        tracing::warn!("{warning}");
    }
    for complaint in complaints {
        tracing::warn!("{complaint}");
    }
    Guard {
        traces,
        #[cfg(feature = "otlp-metrics")]
        push: None,
    }
}

/// A panic is a defect worth finding, and in a pod only a log line is found. It says where and not what: the message
/// of a panic may quote the text that was being worked on (`byte index 1 is not a char boundary; it is inside ...`).
fn log_panics() {
    panic::set_hook(Box::new(|panic| {
        let location = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(%location, "panic");
    }));
}
