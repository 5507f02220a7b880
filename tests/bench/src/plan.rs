//! How long and how much: the whole benchmark, or the quick one.

use crate::options::Options;

pub(crate) struct Plan {
    pub(crate) rounds: usize,
    /// Starts of each gateway a round; the median counts.
    pub(crate) starts: usize,
    pub(crate) settle_s: f64,
    pub(crate) warm_s: f64,
    pub(crate) slow_s: f64,
    pub(crate) fast_s: f64,
    pub(crate) closed_s: f64,
    pub(crate) waves: usize,
    pub(crate) chunks: u32,
}

/// Requests a second in the two open loops.
pub(crate) const SLOW: f64 = 200.0;
pub(crate) const FAST: f64 = 2_000.0;
/// Connections of the open and of the closed loop.
pub(crate) const OPEN_CONNECTIONS: usize = 16;
pub(crate) const CLOSED_CONNECTIONS: usize = 32;
/// Concurrent streams whose chunks are timed, and milliseconds between two chunks of one stream.
pub(crate) const STREAMS: usize = 100;
pub(crate) const EVERY_MS: u64 = 10;
/// Streams that are open while memory is read, where the limit on open files allows.
pub(crate) const HELD: usize = 1_000;

impl Plan {
    pub(crate) fn of(options: &Options) -> Self {
        let mut plan = if options.quick {
            Self {
                rounds: 1,
                starts: 1,
                settle_s: 0.2,
                warm_s: 0.3,
                slow_s: 1.0,
                fast_s: 0.5,
                closed_s: 1.0,
                waves: 1,
                chunks: 50,
            }
        } else {
            Self {
                rounds: 3,
                starts: 5,
                settle_s: 1.0,
                warm_s: 2.0,
                slow_s: 10.0,
                fast_s: 5.0,
                closed_s: 6.0,
                waves: 3,
                chunks: 200,
            }
        };
        plan.rounds = options.rounds.unwrap_or(plan.rounds).clamp(1, 50);
        plan
    }

    /// A generous bound on the whole run of one round over one subject.
    pub(crate) fn limit_s(&self) -> f64 {
        let work = self.settle_s + self.warm_s + self.slow_s + self.fast_s + self.closed_s;
        2.0 * (work + 2.0 * 0.01 * f64::from(self.chunks) * self.waves as f64) + 60.0
    }
}
