//! Log lines on standard error.

use std::io::{self, IsTerminal};

use tracing::Subscriber;
use tracing_subscriber::filter::EnvFilter;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{Layer, fmt};

use super::variables::{Format, LEVEL};
use crate::config::Environment;

/// The layer that writes what `directives` let through.
pub(super) fn layer<S>(
    directives: &str,
    format: Option<Format>,
    environment: &Environment,
) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    let terminal = io::stderr().is_terminal();
    let filter = EnvFilter::try_new(directives).unwrap_or_else(|_| EnvFilter::new(LEVEL));
    let lines = fmt::layer().with_writer(io::stderr);
    match format.unwrap_or(Format::fitting(terminal)) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_get_text_and_machines_get_json() {
        assert_eq!(Format::fitting(true), Format::Text);
        assert_eq!(Format::fitting(false), Format::Json);
    }
}
