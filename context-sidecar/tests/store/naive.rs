//! What a search has to find, computed as plainly as it can be.

use std::collections::HashMap;

use context_core::{
    filter::Filter,
    point::{Hit, Point, PointId, Sparse},
};
use context_sidecar::store::{Found, Legs};

fn cosine(one: &[f32], other: &[f32]) -> f64 {
    let dot =
        |one: &[f32], other: &[f32]| -> f64 { one.iter().zip(other).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum() };
    dot(one, other) / (dot(one, one) * dot(other, other)).sqrt()
}

fn shared(asked: &Sparse, there: &Sparse, weight: impl Fn(u32) -> f64) -> f64 {
    let there: HashMap<u32, f32> = there.indices.iter().copied().zip(there.values.iter().copied()).collect();
    let pairs = asked.indices.iter().zip(&asked.values);
    pairs.filter_map(|(word, value)| Some(f64::from(*value) * f64::from(*there.get(word)?) * weight(*word))).sum()
}

/// What the points of one scope have for `legs`.
pub(crate) fn search(points: &[Point], legs: &Legs, filter: Option<&Filter>) -> Found {
    let worded = points.iter().filter(|point| !point.lexical.indices.is_empty()).count() as f64;
    let idf = |word: u32| {
        let with = points.iter().filter(|point| point.lexical.indices.contains(&word)).count() as f64;
        (1.0 + (worded - with + 0.5) / (with + 0.5)).ln()
    };
    let fitting = || points.iter().filter(|point| filter.is_none_or(|filter| filter.holds(&point.chunk.metadata)));
    let best = |scored: Vec<(PointId, f64)>, limit: usize| {
        let mut hits: Vec<Hit> = scored.into_iter().map(|(id, score)| Hit { id, score: score as f32 }).collect();
        hits.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.id.cmp(&b.id)));
        hits.truncate(limit);
        hits
    };
    Found {
        dense: legs.dense.as_ref().map(|(vector, limit)| {
            let scored = fitting().filter_map(|point| Some((point.id, cosine(point.dense.as_ref()?, vector))));
            best(scored.collect(), *limit)
        }),
        lexical: legs.lexical.as_ref().map(|(words, limit)| {
            let scored = fitting().map(|point| (point.id, shared(words, &point.lexical, idf)));
            best(scored.filter(|(_, score)| *score > 0.0).collect(), *limit)
        }),
    }
}

/// Whether two rankings are one: the same ids with scores that differ by no more than rounding, in the same order but
/// where scores are that near.
pub(crate) fn assert_alike(found: &Found, expected: &Found) {
    for (name, found, expected) in
        [("dense", &found.dense, &expected.dense), ("lexical", &found.lexical, &expected.lexical)]
    {
        let (Some(found), Some(expected)) = (found, expected) else {
            assert_eq!(found.is_some(), expected.is_some(), "{name}");
            continue;
        };
        assert_eq!(found.len(), expected.len(), "{name}: {found:?} is not {expected:?}");
        for (at, (one, other)) in found.iter().zip(expected).enumerate() {
            assert!((one.score - other.score).abs() < 1e-4, "{name}, {at}: {one:?} is not {other:?}");
            let near = expected.iter().any(|hit| hit.id == one.id && (hit.score - one.score).abs() < 1e-4);
            // The last may be one that is just as good.
            let last = expected.last().is_some_and(|last| (last.score - one.score).abs() < 1e-4);
            assert!(near || last, "{name}, {at}: {one:?} is not expected: {expected:?}");
        }
        let ordered = found
            .windows(2)
            .all(|pair| pair[0].score > pair[1].score || (pair[0].score == pair[1].score && pair[0].id < pair[1].id));
        assert!(ordered, "{name}: {found:?}");
    }
}
