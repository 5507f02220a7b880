//! What the conductor asks of a load.

use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Job {
    pub(crate) port: u16,
    pub(crate) shape: Shape,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) enum Shape {
    /// Whole answers, request number i due at i / rate whatever became of those before it.
    Open { rate: f64, seconds: f64, connections: usize },
    /// Whole answers, each connection asking again as soon as it is answered.
    Closed { seconds: f64, connections: usize },
    /// Streams side by side, wave after wave.
    Streams { streams: usize, waves: usize, chunks: u32, every_ms: u64, pace: Pace },
    /// Streams that stay open until this part is ended.
    Held { streams: usize },
}

/// How the chunks of streams that run side by side fall together.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Pace {
    /// Evenly over time, as from many providers: each wakes the gateway.
    Spread,
    /// On whole milliseconds, as from an engine that makes a step for all its sequences at once.
    Bursts,
}

impl Shape {
    /// About how long it takes when all is well.
    pub(crate) fn seconds(&self) -> f64 {
        match *self {
            Self::Open { seconds, .. } | Self::Closed { seconds, .. } => seconds,
            Self::Streams { waves, chunks, every_ms, .. } => waves as f64 * f64::from(chunks) * every_ms as f64 / 1e3,
            Self::Held { streams } => streams as f64 / 1e3 + 5.0,
        }
    }
}
