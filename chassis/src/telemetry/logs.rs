//! Log lines on standard error.

use std::io::{self, IsTerminal};

use tracing::Subscriber;
use tracing_subscriber::filter::EnvFilter;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{Layer, fmt};

use crate::config::Environment;

/// What is logged unless `RUST_LOG` says otherwise.
const LEVEL: &str = "info";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Json,
    Text,
}

pub(super) fn layer<S>(environment: &Environment, complaints: &mut Vec<String>) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    let terminal = io::stderr().is_terminal();
    let filter = filter(environment, complaints);
    let lines = fmt::layer().with_writer(io::stderr);
    match format(environment, terminal, complaints) {
        Format::Json => {
            let json = lines.json().flatten_event(true).with_current_span(true).with_span_list(false);
            json.with_filter(filter).boxed()
        }
        Format::Text => {
            let colours = terminal && environment.get("NO_COLOR").is_none();
            lines.with_ansi(colours).with_filter(filter).boxed()
        }
    }
}

fn filter(environment: &Environment, complaints: &mut Vec<String>) -> EnvFilter {
    let wanted = environment.get("RUST_LOG").unwrap_or(LEVEL);
    EnvFilter::try_new(wanted).unwrap_or_else(|error| {
        complaints.push(format!("RUST_LOG cannot be read ({error}); logging at {LEVEL}"));
        EnvFilter::new(LEVEL)
    })
}

fn format(environment: &Environment, terminal: bool, complaints: &mut Vec<String>) -> Format {
    let fitting = if terminal { Format::Text } else { Format::Json };
    match environment.get("LOG_FORMAT") {
        None => fitting,
        Some("json") => Format::Json,
        Some("text") => Format::Text,
        Some(_) => {
            complaints.push("LOG_FORMAT is neither json nor text; it is ignored".to_owned());
            fitting
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn format_of(value: &str, terminal: bool) -> (Format, usize) {
        let mut complaints = Vec::new();
        let environment = Environment::from_pairs([("LOG_FORMAT", value)]);
        (format(&environment, terminal, &mut complaints), complaints.len())
    }

    #[test]
    fn people_get_text_and_machines_get_json() {
        assert_eq!(format_of("", true), (Format::Text, 0));
        assert_eq!(format_of("", false), (Format::Json, 0));
        assert_eq!(format_of("json", true), (Format::Json, 0));
        assert_eq!(format_of("text", false), (Format::Text, 0));
        assert_eq!(format_of("xml", false), (Format::Json, 1));
    }

    #[test]
    fn a_level_that_cannot_be_read_is_told_and_replaced() {
        let mut complaints = Vec::new();
        let environment = Environment::from_pairs([("RUST_LOG", "chassis=loud=er")]);
        assert_eq!(filter(&environment, &mut complaints).to_string(), "info");
        assert_eq!(complaints.len(), 1);
    }
}
