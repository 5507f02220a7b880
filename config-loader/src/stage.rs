//! How far a run has come, for whoever has to say why it ended there.

use std::sync::atomic::{AtomicU8, Ordering};

/// What is being done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Stage {
    /// Sources are made and asked.
    Asking,
    /// The last good set is looked for.
    Recalling,
    /// Files are checked.
    Checking,
    /// The set is written.
    Publishing,
}

/// The stage of a run, told by the one who runs and read by the one who watches.
#[derive(Debug, Default)]
pub struct Progressing(AtomicU8);

impl Progressing {
    /// Enters a stage.
    pub fn enter(&self, stage: Stage) {
        self.0.store(stage as u8, Ordering::Relaxed);
    }

    /// Where it is.
    #[must_use]
    pub fn now(&self) -> Stage {
        [Stage::Asking, Stage::Recalling, Stage::Checking, Stage::Publishing]
            .into_iter()
            .find(|stage| *stage as u8 == self.0.load(Ordering::Relaxed))
            .unwrap_or(Stage::Asking)
    }
}

impl Stage {
    /// What is going on, as in "it ended while ...".
    #[must_use]
    pub const fn doing(self) -> &'static str {
        match self {
            Self::Asking => "the sources were asked",
            Self::Recalling => "the last good set was looked for",
            Self::Checking => "the files were checked",
            Self::Publishing => "the set was published",
        }
    }

    /// What to look at when it takes too long.
    #[must_use]
    pub const fn remedy(self) -> &'static str {
        match self {
            Self::Asking => "look at files and volumes that do not answer, or raise the deadline",
            Self::Recalling => "look at the cache, or raise the deadline",
            Self::Checking => "make the files smaller, give it more CPU, or raise the deadline",
            Self::Publishing => "look at the volume, or raise the deadline",
        }
    }
}
