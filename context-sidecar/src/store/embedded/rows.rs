//! What a scope has in memory: all that a search looks at. There is one for each tenant of a collection, so that nothing
//! that is done for a tenant can see another's, and a word weighs what it does among the tenant's own chunks.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;
use std::sync::Arc;

use context_core::{document::Metadata, filter::Filter, point::PointId};
use serde_json::Value;
use uuid::Uuid;

use super::{
    best::best,
    matrix::{Matrix, normalised},
    postings::Postings,
    record::Entry,
};
use crate::store::{Found, Legs};

/// One point.
struct Row {
    id: PointId,
    document: Arc<str>,
    chunk: u32,
    expires: Option<u64>,
    /// Shared by the chunks of a document.
    metadata: Option<Arc<Metadata>>,
    meant: bool,
    worded: bool,
}

/// The points of one scope, in slots. A slot whose point is gone is the next one's.
pub(super) struct Rows {
    slots: Vec<Option<Row>>,
    free: Vec<u32>,
    by_id: HashMap<PointId, u32>,
    by_document: BTreeMap<Arc<str>, Vec<u32>>,
    matrix: Matrix,
    postings: Postings,
    /// Before this nothing expires.
    soonest: u64,
}

impl Row {
    fn lives(&self, now: u64) -> bool {
        self.expires.is_none_or(|expires| expires > now)
    }
}

impl Rows {
    /// For vectors of this many numbers, or none.
    pub(super) fn new(dimension: usize) -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            by_id: HashMap::new(),
            by_document: BTreeMap::new(),
            matrix: Matrix::new(dimension),
            postings: Postings::default(),
            soonest: u64::MAX,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.by_id.len()
    }

    pub(super) fn has(&self, id: PointId) -> bool {
        self.by_id.contains_key(&id)
    }

    /// How much there is to look at, in numbers that are multiplied.
    pub(super) fn work(&self, dimension: usize) -> usize {
        self.slots.len().saturating_mul(dimension.max(16))
    }

    /// Gives back the room that was kept for more: after loading, little comes.
    pub(super) fn shrink(&mut self) {
        self.slots.shrink_to_fit();
        self.postings.shrink();
    }

    /// Adds a point whose id is not there.
    pub(super) fn add(&mut self, entry: Entry) {
        let Entry { id, document, chunk, expires, metadata, dense, lexical } = entry;
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            // There are at most 100,000.
            u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX)
        });
        let known = self.by_document.get_key_value(document.as_str());
        let (document, sibling) = match known {
            Some((document, slots)) => (Arc::clone(document), slots.first().and_then(|&slot| self.row(slot))),
            None => (Arc::from(document), None),
        };
        let metadata = if metadata.is_empty() {
            None
        } else {
            let shared = sibling.and_then(|row| row.metadata.clone()).filter(|shared| **shared == metadata);
            Some(shared.unwrap_or_else(|| Arc::new(metadata)))
        };
        self.matrix.set(slot as usize, dense.as_deref().unwrap_or_default());
        self.postings.add(slot, &lexical);
        self.by_id.insert(id, slot);
        self.by_document.entry(Arc::clone(&document)).or_default().push(slot);
        let worded = !lexical.indices.is_empty();
        self.soonest = self.soonest.min(expires.unwrap_or(u64::MAX));
        if let Some(place) = self.slots.get_mut(slot as usize) {
            *place = Some(Row { id, document, chunk, expires, metadata, meant: dense.is_some(), worded });
        }
    }

    /// Takes points out. `words` are all that they had, where that is known.
    pub(super) fn remove(&mut self, ids: &[PointId], words: Option<&[u32]>) {
        let mut gone = vec![false; self.slots.len()];
        let mut worded = 0;
        for id in ids {
            let Some(slot) = self.by_id.remove(id) else { continue };
            let Some(row) = self.slots.get_mut(slot as usize).and_then(Option::take) else { continue };
            if let Some(slots) = self.by_document.get_mut(&row.document) {
                slots.retain(|other| *other != slot);
                if slots.is_empty() {
                    self.by_document.remove(&row.document);
                }
            }
            worded += usize::from(row.worded);
            gone.get_mut(slot as usize).into_iter().for_each(|gone| *gone = true);
            self.free.push(slot);
        }
        self.postings.remove(words, worded, |slot| gone.get(slot as usize) == Some(&true));
        self.look_who_is_next();
    }

    /// Gives points another time to be gone.
    pub(super) fn prolong(&mut self, ids: &[PointId], expires: u64) {
        for slot in ids.iter().filter_map(|id| self.by_id.get(id)) {
            let row = self.slots.get_mut(*slot as usize).and_then(Option::as_mut);
            row.into_iter().for_each(|row| row.expires = Some(expires));
        }
        self.look_who_is_next();
    }

    fn look_who_is_next(&mut self) {
        let expiring = self.slots.iter().flatten().filter_map(|row| row.expires);
        self.soonest = expiring.min().unwrap_or(u64::MAX);
    }

    /// The best of each leg.
    pub(super) fn search(&self, legs: &Legs, filter: Option<&Filter>, now: u64) -> Found {
        let fitting = filter.map(|filter| self.fitting(filter));
        let row = |slot: usize| self.slots.get(slot).and_then(Option::as_ref);
        // Mostly nothing has expired: then no row is looked at for it.
        let all_live = now < self.soonest;
        let fits = |slot: usize| {
            fitting.as_ref().is_none_or(|fitting| fitting.get(slot) == Some(&true))
                && (all_live || row(slot).is_some_and(|row| row.lives(now)))
        };
        let id = |slot: usize| row(slot).map_or(Uuid::nil().into(), |row| row.id);
        Found {
            dense: legs.dense.as_ref().map(|(vector, limit)| {
                let vector = normalised(vector);
                let meant = |slot: usize| row(slot).is_some_and(|row| row.meant);
                best(self.matrix.nearest(&vector, *limit, |slot| fits(slot) && meant(slot)).into_iter(), *limit, id)
            }),
            lexical: legs.lexical.as_ref().map(|(words, limit)| {
                // Those that are gone share no word with anything.
                let scores = self.postings.scores(words, self.slots.len()).into_iter().enumerate();
                best(scores.filter(|(slot, score)| *score > 0.0 && fits(*slot)), *limit, id)
            }),
        }
    }

    fn row(&self, slot: u32) -> Option<&Row> {
        self.slots.get(slot as usize)?.as_ref()
    }

    /// For each slot whether the filter holds.
    fn fitting(&self, filter: &Filter) -> Vec<bool> {
        let nothing = Metadata::new();
        let without = filter.holds(&nothing);
        // Chunks of a document come one after another and share their metadata.
        let mut last: Option<(&Arc<Metadata>, bool)> = None;
        let mut fitting = Vec::with_capacity(self.slots.len());
        for row in &self.slots {
            fitting.push(match row.as_ref().map(|row| &row.metadata) {
                None => false,
                Some(None) => without,
                Some(Some(metadata)) => match last {
                    Some((known, verdict)) if Arc::ptr_eq(known, metadata) => verdict,
                    _ => {
                        let verdict = filter.holds(metadata);
                        last = Some((metadata, verdict));
                        verdict
                    }
                },
            });
        }
        fitting
    }

    /// Documents after `after` in the order of their ids, with how many of their chunks fit.
    pub(super) fn documents(
        &self,
        filter: Option<&Filter>,
        after: Option<&str>,
        limit: usize,
        now: u64,
    ) -> Vec<(String, u32)> {
        let nothing = Metadata::new();
        let fits = |slot: &&u32| -> bool {
            let Some(row) = self.row(**slot) else { return false };
            row.lives(now) && filter.is_none_or(|filter| filter.holds(row.metadata.as_deref().unwrap_or(&nothing)))
        };
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.by_document
            .range::<str, _>((from, Bound::Unbounded))
            .map(|(document, slots)| (document.to_string(), slots.iter().filter(fits).count()))
            .filter(|(_, chunks)| *chunks > 0)
            .take(limit)
            .map(|(document, chunks)| (document, u32::try_from(chunks).unwrap_or(u32::MAX)))
            .collect()
    }

    /// How many points there are.
    pub(super) fn count(&self, now: u64) -> usize {
        if now < self.soonest { self.len() } else { self.slots.iter().flatten().filter(|row| row.lives(now)).count() }
    }

    /// Whether any has metadata of this key that is not empty.
    pub(super) fn has_key(&self, key: &str, now: u64) -> bool {
        self.known(now).any(|metadata| metadata.get(key).is_some_and(is_something))
    }

    /// The keys of all metadata, in order.
    pub(super) fn keys(&self, now: u64) -> Vec<String> {
        let keys: BTreeSet<&String> = self.known(now).flat_map(Metadata::keys).collect();
        keys.into_iter().cloned().collect()
    }

    /// What is known of documents; of those whose chunks share it, once.
    fn known(&self, now: u64) -> impl Iterator<Item = &Metadata> {
        let mut last: Option<&Arc<Metadata>> = None;
        let living = self.slots.iter().flatten().filter(move |row| row.lives(now));
        living.filter_map(|row| row.metadata.as_ref()).filter_map(move |metadata| {
            let known = last.replace(metadata).is_some_and(|last| Arc::ptr_eq(last, metadata));
            (!known).then_some(&**metadata)
        })
    }

    /// The points of documents, in the order of documents and chunks.
    pub(super) fn of_documents(&self, documents: &[String]) -> Vec<PointId> {
        let slots = documents.iter().filter_map(|document| self.by_document.get(document.as_str())).flatten();
        let mut rows: Vec<&Row> = slots.filter_map(|&slot| self.row(slot)).collect();
        rows.sort_unstable_by_key(|row| (&row.document, row.chunk, row.id));
        rows.dedup_by_key(|row| row.id);
        rows.into_iter().map(|row| row.id).collect()
    }

    /// The points for which a filter holds.
    pub(super) fn of_filter(&self, filter: &Filter) -> Vec<PointId> {
        let fitting = self.fitting(filter);
        self.slots
            .iter()
            .zip(fitting)
            .filter_map(|(row, fits)| row.as_ref().filter(|_| fits))
            .map(|row| row.id)
            .collect()
    }

    /// All points.
    pub(super) fn all(&self) -> Vec<PointId> {
        self.by_id.keys().copied().collect()
    }

    /// The points that are to be gone by `now`.
    pub(super) fn expired(&self, now: u64) -> Vec<PointId> {
        let rows = self.slots.iter().flatten();
        rows.filter(|row| row.expires.is_some_and(|expires| expires <= now)).map(|row| row.id).collect()
    }
}

/// As Qdrant sees it: neither null nor a list of nothing.
fn is_something(value: &Value) -> bool {
    !value.is_null() && value.as_array().is_none_or(|members| !members.is_empty())
}
