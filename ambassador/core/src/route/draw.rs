//! The order of a route's candidates: tier by tier, and within a tier drawn by weight.

use super::{Candidate, Route, Target};

/// The targets of a route, tier by tier; within a tier in an order drawn by weight.
pub(super) fn in_order(route: &Route, model: &str, mut draw: u64) -> Vec<Candidate> {
    let mut candidates = Vec::with_capacity(route.tiers.len());
    for tier in &route.tiers {
        let mut left: Vec<&Target> = tier.iter().collect();
        while !left.is_empty() {
            draw = mix(draw);
            let target = left.remove(pick(&left, draw));
            candidates.push(Candidate {
                upstream: target.upstream,
                model: target.model.clone().unwrap_or_else(|| model.to_owned()),
                timeouts: target.timeouts,
            });
        }
    }
    candidates
}

/// The index that a draw by weight falls on. Targets without weight come last, in their order.
fn pick(targets: &[&Target], draw: u64) -> usize {
    let total: f64 = targets.iter().map(|target| target.weight).sum();
    if targets.len() < 2 || total <= 0.0 {
        return 0;
    }
    // 53 bits make every double in [0, 1) that a draw can be.
    #[allow(clippy::cast_precision_loss, reason = "53 bits are exact in a double")]
    let mut point = (draw >> 11) as f64 / (1_u64 << 53) as f64 * total;
    for (i, target) in targets.iter().enumerate() {
        if point < target.weight {
            return i;
        }
        point -= target.weight;
    }
    targets.iter().rposition(|target| target.weight > 0.0).unwrap_or(0)
}

/// One step of SplitMix64: numbers that look random from a counter.
#[must_use]
pub fn mix(state: u64) -> u64 {
    let z = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
