//! What has to be done so that a document is there as it is to be: which chunks are new, which can stay, which are to go.
//! Pure.

use std::collections::{HashMap, HashSet};

use context_core::{
    bm25::Encoder,
    chunk::{Size, chunks, hash, indexed},
    document::{Chunk, Document},
    point::{Point, PointId, Version},
    scope::Scope,
    tokens::O200k,
};

use super::versions;

/// A chunk that is to be there.
pub(super) struct Due {
    pub(super) id: PointId,
    pub(super) chunk: Chunk,
    pub(super) hash: String,
}

/// A document that is to be there.
pub(super) struct Plan {
    /// Its place among those that came.
    pub(super) index: usize,
    pub(super) id: String,
    pub(super) due: Vec<Due>,
    version: Version,
    /// What is written of this version is written later than what it replaces, if only by a second.
    after: u64,
    /// Which of them are to be written.
    pub(super) fresh: Vec<usize>,
    /// What goes when they have landed.
    pub(super) gone: Vec<PointId>,
    /// Chunks of these points have the text of one that is to be written: by its place in `due`.
    pub(super) reused: HashMap<usize, PointId>,
    /// Whether there was any of it.
    pub(super) was_there: bool,
    /// Whether there is anything of it that was not there, or is to go.
    pub(super) is_changed: bool,
}

impl Plan {
    /// Nothing is to be done.
    pub(super) fn none(index: usize, id: String) -> Self {
        Self {
            index,
            id,
            due: Vec::new(),
            version: Version::default(),
            after: 0,
            fresh: Vec::new(),
            gone: Vec::new(),
            reused: HashMap::new(),
            was_there: false,
            is_changed: false,
        }
    }

    /// The chunks of a document, and what of them has to be done since `there` are there.
    pub(super) fn of(
        scope: &Scope,
        (index, document): (usize, &Document),
        size: Size,
        there: &[Point],
        expires: Option<u64>,
    ) -> Self {
        let due = chunks(document, size, &O200k).into_iter().map(|chunk| {
            let hash = hash(&chunk);
            Due { id: PointId::of(scope, &chunk.document_id, chunk.chunk, &hash), chunk, hash }
        });
        let due: Vec<Due> = due.collect();
        let version = versions::of(due.iter().map(|due| due.id));
        let mut plan = Self { due, version, ..Self::none(index, document.id.clone()) };
        plan.compare(there, Some(expires));
        plan
    }

    /// What has to be done since these are there, and if it matters, so that it is gone when it `expires`.
    pub(super) fn compare(&mut self, there: &[Point], expires: Option<Option<u64>>) {
        let by_id: HashMap<PointId, &Point> = there.iter().map(|point| (point.id, point)).collect();
        let own: HashSet<PointId> = self.due.iter().map(|due| due.id).collect();
        // One that stays as it is but for when it is to be gone is written again, too.
        let stays = |due: &Due| {
            by_id.get(&due.id).is_some_and(|point| {
                point.version == self.version && expires.is_none_or(|expires| expires == point.expires)
            })
        };
        self.fresh = (0..).zip(&self.due).filter(|(_, due)| !stays(due)).map(|(place, _)| place).collect();
        self.gone = there.iter().map(|point| point.id).filter(|id| !own.contains(id)).collect();
        let others = there.iter().filter(|point| point.version != self.version);
        self.after = others.map(|point| point.written.saturating_add(1)).max().unwrap_or_default();
        self.was_there = !there.is_empty();
        self.is_changed = !self.gone.is_empty() || self.due.iter().any(|due| !by_id.contains_key(&due.id));
        let texts: HashMap<_, PointId> =
            there.iter().map(|point| (indexed(point.chunk.title.as_deref(), &point.chunk.text), point.id)).collect();
        self.reused = self
            .fresh
            .iter()
            .filter_map(|place| {
                let chunk = &self.due.get(*place)?.chunk;
                Some((*place, *texts.get(&indexed(chunk.title.as_deref(), &chunk.text))?))
            })
            .collect();
    }

    /// What is to be written, with the vectors there are of it, by its place in `due`.
    pub(super) fn points(
        &self,
        vectors: &mut HashMap<usize, Vec<f32>>,
        encoder: &Encoder,
        written: u64,
        expires: Option<u64>,
    ) -> Vec<Point> {
        let point = |place: &usize| {
            let Due { id, chunk, hash } = self.due.get(*place)?;
            Some(Point {
                id: *id,
                chunk: chunk.clone(),
                hash: hash.clone(),
                version: self.version.clone(),
                written: written.max(self.after),
                expires,
                dense: vectors.remove(place),
                lexical: encoder.document(chunk.title.as_deref(), &chunk.text),
            })
        };
        self.fresh.iter().filter_map(point).collect()
    }
}
