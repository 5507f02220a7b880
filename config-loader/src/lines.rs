//! Progress for people: a line for each source, that changes in its place.

use std::{collections::BTreeMap, sync::Mutex, time::Duration};

use config_loader::{
    failure::Failure,
    progress::{Event, Progress},
};
use indicatif::{HumanBytes, MultiProgress, ProgressBar, ProgressFinish, ProgressStyle};

/// How often a line is drawn while nothing happens.
const TICK: Duration = Duration::from_millis(100);

/// The lines on a terminal.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    all: MultiProgress,
    lines: Mutex<BTreeMap<String, ProgressBar>>,
}

impl Lines {
    fn line(&self, location: &str) -> ProgressBar {
        let mut lines = self.lines.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let line = lines.entry(location.to_owned()).or_insert_with(|| {
            let line = ProgressBar::new_spinner().with_finish(ProgressFinish::Abandon).with_prefix(location.to_owned());
            let line = self.all.add(line);
            style(&line, "{spinner} {prefix}  {wide_msg}");
            line.enable_steady_tick(TICK);
            line
        });
        line.clone()
    }
}

impl Progress for Lines {
    fn tell(&self, location: &str, event: Event<'_>) {
        let line = self.line(location);
        match event {
            Event::Asked => line.set_message("..."),
            Event::Again { failure, tries, pause } => {
                let (next, pause) = (tries.saturating_add(1), pause.as_secs_f64());
                line.set_message(format!("try {next} in {pause:.1}s: {}", what(failure, location)));
            }
            Event::Fetched { fetched, tries, took, changed } => {
                style(&line, "\u{2713} {prefix}  {wide_msg}");
                let how = if changed { "" } else { ", not changed" };
                let how = if tries > 1 { format!("{how}, at try {tries}") } else { how.to_owned() };
                let size = HumanBytes(u64::try_from(fetched.size()).unwrap_or(u64::MAX));
                line.finish_with_message(format!("{size} in {} ms{how}", took.as_millis()));
            }
            Event::Failed(failure) => {
                style(&line, "\u{2717} {prefix}  {wide_msg}");
                line.finish_with_message(what(failure, location).to_owned());
            }
        }
    }
}

/// What failed, without where: that is at the beginning of the line.
fn what<'f>(failure: &'f Failure, location: &str) -> &'f str {
    failure.message.strip_prefix(location).map_or(&*failure.message, |what| what.trim_start_matches([':', ' ']))
}

fn style(line: &ProgressBar, template: &str) {
    if let Ok(style) = ProgressStyle::with_template(template) {
        line.set_style(style);
    }
}
