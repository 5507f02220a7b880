//! What a load found, added up.

use serde::{Deserialize, Serialize};

use crate::procfs;
use crate::spread::Spread;

/// What one connection, or all of them, saw.
#[derive(Default)]
pub(super) struct Tally {
    /// From the instant a whole answer was due to be asked for to its last byte; of a stream, from the request to
    /// the first chunk.
    pub(super) waits: Vec<u64>,
    /// Of each chunk of a stream, from its making to its reading.
    pub(super) delays: Vec<u64>,
    failed: u64,
    why: Option<String>,
}

impl Tally {
    pub(super) fn fail(&mut self, why: &anyhow::Error) {
        self.failed += 1;
        self.why.get_or_insert_with(|| format!("{why:#}"));
    }

    pub(super) fn add(&mut self, other: Self) {
        self.waits.extend(other.waits);
        self.delays.extend(other.delays);
        self.failed += other.failed;
        self.why = self.why.take().or(other.why);
    }

    pub(super) fn outcome(self, seconds: f64) -> Outcome {
        Outcome {
            answered: self.waits.len() as u64,
            failed: self.failed,
            why: self.why,
            seconds,
            chunks: self.delays.len() as u64,
            waits: Spread::of(self.waits),
            delays: Spread::of(self.delays),
            own_cpu_s: procfs::own_cpu_s(),
        }
    }
}

/// What a load says to its conductor.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Outcome {
    pub(crate) answered: u64,
    pub(crate) failed: u64,
    pub(crate) why: Option<String>,
    pub(crate) seconds: f64,
    pub(crate) chunks: u64,
    pub(crate) waits: Spread,
    pub(crate) delays: Spread,
    pub(crate) own_cpu_s: f64,
}
