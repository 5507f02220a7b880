//! What is shown of work while it is done: a bar on a terminal, a line now and then elsewhere, nothing where nobody wants it.

use std::{
    io::IsTerminal as _,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use chassis::{clock, output};
use indicatif::{HumanBytes, ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Between two lines in a log.
const EVERY: Duration = Duration::from_secs(10);

/// Where progress is shown.
#[derive(Debug)]
pub(super) struct Shown {
    is_quiet: bool,
    bar: Option<ProgressBar>,
    /// When the last line was written, and how much there is to do.
    last: Mutex<(Instant, u64)>,
}

impl Shown {
    /// For a person, or for a log.
    pub(super) fn new(is_quiet: bool) -> Self {
        let bar = (!is_quiet && std::io::stderr().is_terminal()).then(|| {
            let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
            let style = ProgressStyle::with_template("{bar:30} {bytes}/{total_bytes} {eta} {wide_msg}");
            bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
            bar
        });
        Self { is_quiet, bar, last: Mutex::new((clock::now(), 0)) }
    }

    /// So many bytes are to be done.
    pub(super) fn begin(&self, bytes: u64) {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).1 = bytes;
        self.bar.iter().for_each(|bar| bar.set_length(bytes));
    }

    /// So many are done, and this is being done now.
    pub(super) fn progress(&self, bytes: u64, now: &str) {
        if let Some(bar) = &self.bar {
            bar.set_position(bytes);
            bar.set_message(now.to_owned());
            return;
        }
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.is_quiet && clock::now().saturating_duration_since(last.0) >= EVERY {
            last.0 = clock::now();
            output::complain(format!("{} of {}: {now}", HumanBytes(bytes), HumanBytes(last.1)));
        }
    }

    /// Something that is worth knowing, and no failure.
    pub(super) fn notice(&self, text: &str) {
        if !self.is_quiet {
            self.complain(text);
        }
    }

    /// A failure, which is shown to whoever is quiet, too.
    pub(super) fn complain(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| output::complain(text)),
            None => output::complain(text),
        }
    }

    /// All is done.
    pub(super) fn end(&self) {
        self.bar.iter().for_each(ProgressBar::finish_and_clear);
    }
}
