//! What the environment says of logs and traces.
//!
//! Telemetry stops nobody from starting: what makes no sense is told, and its default taken.

use std::time::Duration;

use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::EnvFilter;

use super::Settings;
use crate::config::{Environment, Problems, parse_url};
use crate::excerpt::excerpt;

/// What is logged unless `RUST_LOG` says otherwise.
pub(super) const LEVEL: &str = "info";

/// What a line looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// For machines.
    Json,
    /// For people.
    Text,
}

impl Format {
    /// What fits where nobody asked for a format: people sit at terminals.
    pub(super) const fn fitting(terminal: bool) -> Self {
        if terminal { Self::Text } else { Self::Json }
    }
}

/// How long one export may take, as the OTLP specification has it.
const TIMEOUT: Duration = Duration::from_secs(10);

/// What is exported.
pub(super) struct Signal {
    /// What its variables have in their names.
    pub(super) variable: &'static str,
    /// What is appended to `OTEL_EXPORTER_OTLP_ENDPOINT`.
    pub(super) path: &'static str,
    /// What there is without an endpoint that makes sense.
    pub(super) lost: &'static str,
}

const TRACES: Signal = Signal { variable: "TRACES", path: "/v1/traces", lost: "no trace is made" };

/// Every variable that is read for logs and traces, here and by the libraries beneath.
pub const VARIABLES: &[&str] = &[
    "LOG_FORMAT",
    "NO_COLOR",
    "OTEL_EXPORTER_OTLP_ENDPOINT",
    "OTEL_EXPORTER_OTLP_HEADERS",
    "OTEL_EXPORTER_OTLP_TIMEOUT",
    "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
    "OTEL_EXPORTER_OTLP_TRACES_HEADERS",
    "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT",
    "OTEL_RESOURCE_ATTRIBUTES",
    "OTEL_SDK_DISABLED",
    "OTEL_SERVICE_NAME",
    "OTEL_TRACES_SAMPLER_ARG",
    "RUST_LOG",
];

/// What to log and how, and where spans go.
#[derive(Debug)]
pub(super) struct Variables {
    /// What is logged, as `tracing` directives.
    pub(super) directives: String,
    /// How, where somebody said so.
    pub(super) format: Option<Format>,
    /// Who collects spans, if anybody does.
    pub(super) collector: Option<Collector>,
}

/// Who collects spans.
#[derive(Debug, PartialEq)]
pub(super) struct Collector {
    /// The whole URL.
    pub(super) endpoint: String,
    /// How long one export may take.
    pub(super) timeout: Duration,
    /// The share of the traces that begin with us which is kept. A trace that began elsewhere is kept when its
    /// beginner keeps it.
    pub(super) share: f64,
}

impl Variables {
    /// What `settings` say. What makes no sense becomes a warning.
    pub(super) fn read(settings: &Settings<'_>, problems: &mut Problems) -> Self {
        Self {
            directives: directives(settings, problems),
            format: format(settings.environment, problems),
            collector: collector(settings.environment, problems),
        }
    }
}

fn directives(settings: &Settings<'_>, problems: &mut Problems) -> String {
    let text = settings.environment.get("RUST_LOG").unwrap_or(LEVEL);
    let hint = format!("write off, error, warn, info, debug or trace, or {}=debug", crate_name(settings.service));
    if EnvFilter::try_new(text).is_err() {
        problems.warn("RUST_LOG", format!("cannot be read; logging at {LEVEL}"), hint);
    } else if let Some(word) = no_level(text, settings.service) {
        problems.warn("RUST_LOG", format!("`{}` is no level; logging at {LEVEL}", excerpt(word)), hint);
    } else {
        return text.to_owned();
    }
    LEVEL.to_owned()
}

/// A word alone that is neither a level nor a part of this program. To `tracing` it is the name of a part, of which
/// everything is logged, and nothing of any other; where that other is this very program, it was a slip.
fn no_level<'t>(text: &'t str, service: &str) -> Option<&'t str> {
    let own = [crate_name(service), crate_name(env!("CARGO_CRATE_NAME"))];
    let is_own = |target: &str| own.iter().any(|own| target.starts_with(own.as_str()));
    let is_level = |word: &str| word.parse::<LevelFilter>().is_ok();
    let words = || text.split(',').map(str::trim).filter(|word| !word.is_empty());
    // What is said of spans and their fields has commas of its own, and is no slip.
    if text.contains('[') || words().any(|word| is_level(word) || is_own(word)) {
        return None;
    }
    words().find(|word| !word.contains(['=', ':']))
}

/// What the parts of a program begin with in its logs.
fn crate_name(service: &str) -> String {
    service.replace('-', "_")
}

fn format(environment: &Environment, problems: &mut Problems) -> Option<Format> {
    match environment.get("LOG_FORMAT")? {
        "json" => Some(Format::Json),
        "text" => Some(Format::Text),
        _ => {
            problems.warn("LOG_FORMAT", "is neither json nor text; it is ignored", "write json or text, or unset it");
            None
        }
    }
}

fn collector(environment: &Environment, problems: &mut Problems) -> Option<Collector> {
    if is_disabled(environment) {
        return None;
    }
    let endpoint = endpoint(environment, &TRACES, problems)?;
    let timeout = timeout(environment, &TRACES, problems);
    Some(Collector { endpoint, timeout, share: share(environment, problems) })
}

/// Whether nothing is to be exported at all.
pub(super) fn is_disabled(environment: &Environment) -> bool {
    environment.get("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true"))
}

/// Where a signal is sent to, if anywhere.
pub(super) fn endpoint(environment: &Environment, signal: &Signal, problems: &mut Problems) -> Option<String> {
    let whole = (format!("OTEL_EXPORTER_OTLP_{}_ENDPOINT", signal.variable), "");
    let base = ("OTEL_EXPORTER_OTLP_ENDPOINT".to_owned(), signal.path);
    let (name, path, url) = [whole, base].into_iter().find_map(|(name, path)| {
        let url = environment.get(&name)?;
        Some((name, path, url))
    })?;
    if let Err(faults) = parse_url(url) {
        for fault in faults {
            let hint = "write, for instance, http://collector:4318";
            problems.warn(&name, format!("{}; {}", fault.message, signal.lost), hint);
        }
        return None;
    }
    Some(if path.is_empty() { url.to_owned() } else { format!("{}{path}", url.trim_end_matches('/')) })
}

/// How long one export of a signal may take.
pub(super) fn timeout(environment: &Environment, signal: &Signal, problems: &mut Problems) -> Duration {
    let names = [format!("OTEL_EXPORTER_OTLP_{}_TIMEOUT", signal.variable), "OTEL_EXPORTER_OTLP_TIMEOUT".to_owned()];
    let Some((name, text)) = names.iter().find_map(|name| Some((name, environment.get(name)?))) else {
        return TIMEOUT;
    };
    match text.trim().parse() {
        Ok(millis) if millis > 0 => Duration::from_millis(millis),
        _ => {
            problems.warn(
                name,
                "is not a whole number of milliseconds above 0; an export may take 10 s",
                "write 5000 for five seconds",
            );
            TIMEOUT
        }
    }
}

fn share(environment: &Environment, problems: &mut Problems) -> f64 {
    let Some(text) = environment.get("OTEL_TRACES_SAMPLER_ARG") else {
        return 1.0;
    };
    match text.trim().parse() {
        Ok(share) if (0.0..=1.0).contains(&share) => share,
        _ => {
            problems.warn(
                "OTEL_TRACES_SAMPLER_ARG",
                "is not between 0 and 1; keeping every trace",
                "write 0.1 for every tenth trace",
            );
            1.0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> (Variables, Vec<String>) {
        let environment = Environment::from_pairs(pairs.iter().copied());
        let settings = Settings { service: "test-er", version: "0", environment: &environment };
        let mut problems = Problems::new();
        let variables = Variables::read(&settings, &mut problems);
        assert!(problems.is_empty(), "telemetry stops nobody");
        (variables, problems.warnings().iter().map(ToString::to_string).collect())
    }

    /// The one warning, which names the variable.
    fn warned(name: &str, value: &str) -> String {
        let collector = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318");
        let (_, warnings) = read(&[collector, (name, value)]);
        assert_eq!(warnings.len(), 1, "{name}={value}: {warnings:?}");
        assert!(warnings[0].starts_with(&format!("{name}: ")), "{warnings:?}");
        warnings[0].clone()
    }

    #[test]
    fn a_level_that_silences_everything_by_a_slip_is_told_and_replaced() {
        for slip in ["verbose", "warning", "hyper,verbose", "sk-0123456789abcdefghijklmnopq", "tester=loud", "info=x=y"]
        {
            let (variables, warnings) = read(&[("RUST_LOG", slip)]);
            assert_eq!((variables.directives.as_str(), warnings.len()), ("info", 1), "{slip}: {warnings:?}");
            assert!(!warnings[0].contains("456789"), "{warnings:?}");
        }
        assert!(warned("RUST_LOG", "verbose").contains("`verbose` is no level; logging at info"));
    }

    #[test]
    fn what_may_be_meant_is_left_as_it_is() {
        for fine in [
            "debug",
            "WARN",
            "off",
            "3",
            "info,hyper",
            "hyper=debug",
            "test_er",
            "test_er_core=trace,hyper",
            "chassis::net",
            "hyper::client",
            "[request{id=1}]",
        ] {
            let (variables, warnings) = read(&[("RUST_LOG", fine)]);
            assert_eq!((variables.directives.as_str(), warnings.len()), (fine, 0), "{warnings:?}");
        }
        assert_eq!(read(&[("RUST_LOG", "")]).0.directives, "info");
    }

    #[test]
    fn a_format_is_json_or_text() {
        assert_eq!(read(&[("LOG_FORMAT", "json")]).0.format, Some(Format::Json));
        assert_eq!(read(&[("LOG_FORMAT", "text")]).0.format, Some(Format::Text));
        assert_eq!(read(&[("LOG_FORMAT", "")]).0.format, None);
        assert!(warned("LOG_FORMAT", "xml").contains("neither json nor text"));
    }

    #[test]
    fn the_endpoint_is_found() {
        let base = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318/");
        let whole = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://other/x");
        let of = |pairs: &[(&str, &str)]| read(pairs).0.collector.map(|collector| collector.endpoint);
        assert_eq!(of(&[base]).as_deref(), Some("http://collector:4318/v1/traces"));
        assert_eq!(of(&[base, whole]).as_deref(), Some("http://other/x"));
        assert_eq!(of(&[base, ("OTEL_SDK_DISABLED", "true")]), None);
        assert_eq!(of(&[("OTEL_SERVICE_NAME", "x")]), None);
    }

    #[test]
    fn an_endpoint_that_is_none_makes_no_trace() {
        for name in ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"] {
            for url in ["collector:4318", "grpc://collector:4317", "http://collector:0"] {
                assert!(warned(name, url).contains("no trace is made"));
                assert_eq!(read(&[(name, url)]).0.collector, None);
            }
        }
    }

    #[test]
    fn an_export_takes_milliseconds() {
        let of = |name, value| read(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c"), (name, value)]).0.collector.unwrap();
        for name in ["OTEL_EXPORTER_OTLP_TIMEOUT", "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT"] {
            assert_eq!(of(name, "500").timeout, Duration::from_millis(500));
            for value in ["5s", "-1", "0"] {
                assert!(warned(name, value).contains("milliseconds"));
                assert_eq!(of(name, value).timeout, TIMEOUT);
            }
        }
    }

    #[test]
    fn the_share_is_between_nothing_and_everything() {
        let name = "OTEL_TRACES_SAMPLER_ARG";
        let of = |text| read(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c"), (name, text)]).0.collector.unwrap().share;
        assert_eq!((of("0.25"), of("")), (0.25, 1.0));
        for text in ["2", "all", "NaN", "-0.1"] {
            assert!(warned(name, text).contains("keeping every trace"));
            assert_eq!(of(text), 1.0);
        }
    }
}
