//! What happens to a source while it is fetched, and whom it is told.

use std::{fmt, time::Duration};

use crate::{failure::Failure, source::Fetched};

/// Something that happened.
#[derive(Debug, Clone, Copy)]
pub enum Event<'a> {
    /// It is being asked for the first time.
    Asked,
    /// It failed so, and is asked again after the pause.
    Again {
        /// How.
        failure: &'a Failure,
        /// How often it has been asked.
        tries: u32,
        /// How long until the next time.
        pause: Duration,
    },
    /// It gave something.
    Fetched {
        /// What.
        fetched: &'a Fetched,
        /// How often it was asked.
        tries: u32,
        /// How long that took in all.
        took: Duration,
        /// Whether it came, or was said to be what is known.
        changed: bool,
    },
    /// It has failed for good.
    Failed(&'a Failure),
}

/// Who is told. It is told of several sources at once.
pub trait Progress: fmt::Debug + Send + Sync {
    /// Tells what happened to the source at `location`.
    fn tell(&self, location: &str, event: Event<'_>);
}

/// Tells the log.
#[derive(Debug, Clone, Copy)]
pub struct Log;

impl Progress for Log {
    fn tell(&self, source: &str, event: Event<'_>) {
        match event {
            Event::Asked => tracing::debug!(source, "asked"),
            Event::Again { failure, tries, pause } => {
                tracing::warn!(source, tries, pause_ms = millis(pause), "{failure}; trying again");
            }
            Event::Fetched { fetched, tries, took, changed } => {
                let Fetched { version, resolved, .. } = fetched;
                let (bytes, ms) = (fetched.size(), millis(took));
                // Only where it was asked whether it had changed is there something to say about that.
                let not_modified = (!changed).then_some(true);
                tracing::info!(source, bytes, version, resolved, tries, ms, not_modified, "fetched");
            }
            // At the end all are told; until then others may be tried again and again.
            Event::Failed(failure) => tracing::warn!(source, "{failure}"),
        }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
