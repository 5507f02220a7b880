//! The best of many, in one pass: what is worse than the worst of the best so far costs one comparison.

use std::cmp::Ordering;

use context_core::point::{Hit, PointId};

/// The best `limit` hits, best first, ties by id. `id` leads to a candidate's id, only where that decides.
pub(super) fn best(
    scores: impl Iterator<Item = (usize, f32)>,
    limit: usize,
    id: impl Fn(usize) -> PointId,
) -> Vec<Hit> {
    let best = top(scores, limit, |one, other| id(one).cmp(&id(other)));
    best.into_iter().map(|(slot, score)| Hit { id: id(slot), score }).collect()
}

/// The best `limit` slots, best first, ties by `tie`.
pub(super) fn top(
    scores: impl Iterator<Item = (usize, f32)>,
    limit: usize,
    tie: impl Fn(usize, usize) -> Ordering,
) -> Vec<(usize, f32)> {
    if limit == 0 {
        return Vec::new();
    }
    let order = |one: &(usize, f32), other: &(usize, f32)| -> Ordering {
        other.1.total_cmp(&one.1).then_with(|| tie(one.0, other.0))
    };
    // As many again as are wanted are gathered before the worse half goes.
    let most = limit.saturating_mul(2).max(64);
    let mut kept: Vec<(usize, f32)> = Vec::new();
    let mut floor = f32::NEG_INFINITY;
    for (slot, score) in scores {
        if score < floor {
            continue;
        }
        kept.push((slot, score));
        if kept.len() >= most {
            kept.select_nth_unstable_by(limit - 1, order);
            kept.truncate(limit);
            floor = kept.last().map_or(floor, |worst| worst.1);
        }
    }
    kept.sort_unstable_by(order);
    kept.truncate(limit);
    kept
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    proptest! {
        #[test]
        fn it_is_what_sorting_gives(scores in prop::collection::vec(0_u8..20, 0..600), limit in 0_usize..80) {
            // Few different scores, so that most are ties; ids run against the order.
            let id = |slot: usize| PointId::from(Uuid::from_u128(1_000 - slot as u128));
            let scores: Vec<f32> = scores.into_iter().map(f32::from).collect();
            let mut all: Vec<Hit> = scores.iter().enumerate().map(|(slot, &score)| Hit { id: id(slot), score }).collect();
            all.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.id.cmp(&b.id)));
            all.truncate(limit);
            prop_assert_eq!(best(scores.iter().copied().enumerate(), limit, id), all);
        }
    }
}
