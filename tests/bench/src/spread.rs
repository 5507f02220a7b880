//! What is kept of many measured times.

use serde::{Deserialize, Serialize};

/// Quantiles in microseconds; zero when nothing was measured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Spread {
    pub(crate) count: usize,
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    pub(crate) max: f64,
}

impl Spread {
    pub(crate) fn of(mut nanoseconds: Vec<u64>) -> Self {
        nanoseconds.sort_unstable();
        let last = nanoseconds.len().saturating_sub(1);
        let quantile = |q: f64| {
            let rank = (last as f64 * q).round() as usize;
            nanoseconds.get(rank).map_or(0.0, |&ns| ns as f64 / 1_000.0)
        };
        Self { count: nanoseconds.len(), p50: quantile(0.5), p99: quantile(0.99), max: quantile(1.0) }
    }
}

/// The middle of a few rounds; of an even number, the mean of the two in the middle.
pub(crate) fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    let above = *values.get(values.len() / 2)?;
    let below = *values.get(values.len().checked_sub(1)? / 2)?;
    Some(f64::midpoint(below, above))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_ranks() {
        let spread = Spread::of((0..=100).rev().map(|i| i * 1_000).collect());
        assert_eq!(spread, Spread { count: 101, p50: 50.0, p99: 99.0, max: 100.0 });
        assert_eq!(Spread::of(Vec::new()), Spread::default());
    }

    #[test]
    fn medians() {
        assert_eq!(median(vec![9.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(vec![4.0, 2.0]), Some(3.0));
        assert_eq!(median(Vec::new()), None);
    }
}
