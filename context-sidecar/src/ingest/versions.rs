//! Which chunks are a document, where there are some of several versions of it: a replacement that was broken off, or is
//! under way, has left them. Pure.
//!
//! What is new lands before what it replaces goes, so there is a whole version at any time. A chunk that two versions share
//! says that it is of the newer one as soon as that is landing: the older one is whole with it all the same.

use std::{cmp::Reverse, collections::HashMap};

use context_core::point::{Point, PointId, Version};
use sha2::{Digest as _, Sha256};

/// The version that has these chunks.
pub(super) fn of(ids: impl Iterator<Item = PointId>) -> Version {
    let mut hash = Sha256::new();
    let mut chunks = 0;
    for id in ids {
        hash.update(id.uuid().as_bytes());
        chunks += 1;
    }
    let hash = hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    Version { hash, chunks }
}

/// Of a document's points those of its newest version that is whole, in their order; where none is, all of the newest.
pub(crate) fn current(points: Vec<Point>) -> Vec<Point> {
    let mut written: HashMap<&Version, u64> = HashMap::new();
    for point in &points {
        let newest = written.entry(&point.version).or_default();
        *newest = point.written.max(*newest);
    }
    if written.len() < 2 {
        return points;
    }
    let mut versions: Vec<(&Version, u64)> = written.into_iter().collect();
    versions.sort_unstable_by_key(|(version, written)| (Reverse(*written), version.hash.clone()));
    let whole = (0..versions.len()).find_map(|at| {
        let (version, _) = versions.get(at)?;
        let newer = versions.get(..at)?;
        whole(&points, version, newer)
    });
    let newest = versions.first().map(|(version, _)| (*version).clone()).unwrap_or_default();
    match whole {
        Some(ids) => points.into_iter().filter(|point| ids.contains(&point.id)).collect(),
        None => points.into_iter().filter(|point| point.version == newest).collect(),
    }
}

/// The points of a version, if each is there: as it was written, or written again for a newer one.
fn whole(points: &[Point], version: &Version, newer: &[(&Version, u64)]) -> Option<Vec<PointId>> {
    if version.chunks == 0 {
        return None;
    }
    (0..version.chunks)
        .map(|number| {
            let of = |wanted: &Version| {
                points
                    .iter()
                    .find(|point| point.chunk.chunk == number && point.version == *wanted)
                    .map(|point| point.id)
            };
            of(version).or_else(|| newer.iter().rev().find_map(|(newer, _)| of(newer)))
        })
        .collect()
}
