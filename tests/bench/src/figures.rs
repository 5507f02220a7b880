//! What one round says about one subject.

use serde::Serialize;

use crate::load::Outcome;

#[derive(Debug, Serialize)]
pub(crate) struct Figures {
    pub(crate) subject: &'static str,
    pub(crate) round: usize,
    /// Of a gateway only.
    pub(crate) life: Option<Life>,
    pub(crate) slow: Span,
    pub(crate) fast: Span,
    pub(crate) closed: Span,
    /// Streams whose chunks come evenly spread.
    pub(crate) spread: Span,
    /// Streams whose chunks come in bursts.
    pub(crate) bursts: Span,
}

#[derive(Debug, Serialize)]
pub(crate) struct Life {
    /// From exec to the first answered request: the median of a few starts.
    pub(crate) start_ms: f64,
    pub(crate) rss_idle_mib: f64,
    /// Nothing where too few files may be open.
    pub(crate) rss_held_mib: Option<f64>,
}

/// One load, and what it cost.
#[derive(Debug, Serialize)]
pub(crate) struct Span {
    pub(crate) outcome: Outcome,
    pub(crate) gateway_cpu_s: f64,
    /// Cores' worth of work on the machine that was none of ours.
    pub(crate) others: f64,
}

impl Span {
    pub(crate) fn per_second(&self) -> f64 {
        self.outcome.answered as f64 / self.outcome.seconds
    }

    pub(crate) fn gateway_busy(&self) -> f64 {
        self.gateway_cpu_s / self.outcome.seconds
    }

    pub(crate) fn cpu_us_per_answer(&self) -> f64 {
        self.gateway_cpu_s * 1e6 / self.outcome.answered.max(1) as f64
    }

    pub(crate) fn cpu_us_per_chunk(&self) -> f64 {
        self.gateway_cpu_s * 1e6 / self.outcome.chunks.max(1) as f64
    }
}

impl Figures {
    pub(crate) fn spans(&self) -> [(&'static str, &Span); 5] {
        [
            ("slow", &self.slow),
            ("fast", &self.fast),
            ("closed", &self.closed),
            ("spread", &self.spread),
            ("bursts", &self.bursts),
        ]
    }
}
