//! The deadline for what cannot be given up by itself: a check that goes on, a volume that hangs.

use std::{
    path::{Path, PathBuf},
    sync::mpsc::{RecvTimeoutError, Sender, channel},
    thread,
    time::Instant,
};

use chassis::{clock, exit::Code, output};
use config_loader::{
    failure::Failure,
    report::{self, Failed, Outcome},
};

/// Ends the process at a deadline, unless it is dropped before.
///
/// It may end it anywhere: whatever was done by then, readers see the old set or the new one.
#[derive(Debug)]
pub(crate) struct Watch(#[expect(dead_code, reason = "what counts is when it is dropped")] Sender<()>);

impl Watch {
    /// Watches from now on; the summary goes to `log`.
    pub(crate) fn until(until: Instant, log: &Path) -> Self {
        let (alive, watched) = channel();
        let log = log.to_owned();
        let watching = thread::Builder::new().name("watch".to_owned()).spawn(move || {
            let left = until.saturating_duration_since(clock::now());
            if watched.recv_timeout(left) == Err(RecvTimeoutError::Timeout) {
                end(log);
            }
        });
        if let Err(error) = watching {
            tracing::warn!(%error, "no thread to watch the deadline with");
        }
        Self(alive)
    }
}

#[expect(clippy::disallowed_methods, reason = "main is what hangs: it cannot return")]
fn end(log: PathBuf) -> ! {
    let failure = Failure::new(Code::Deadline, "the deadline came while the set was checked or published")
        .with_hint("look at the volume, or raise the deadline");
    let failed = [Failed { name: "the set".to_owned(), source: None, failure }];
    let text = Outcome::Failed(&failed).text();
    output::complain(text.trim_end());
    report::leave(&log, &text);
    std::process::exit(Code::Deadline as i32)
}
