//! Passages by where they are, so that each new one is compared with its neighbours and not with all.

use std::collections::{BTreeMap, HashMap};

use super::Passage;

/// So many that begin before a passage are looked at: one, unless there are several versions of a document.
const VERSIONS: usize = 8;

/// Passages, and which of them another one is a part of.
pub(super) struct Cover {
    pub(super) passages: Vec<Passage>,
    /// By document: those that are a part of no other, by where they begin, so that what begins later ends later.
    places: HashMap<String, BTreeMap<(usize, usize), usize>>,
}

impl Cover {
    pub(super) fn with_capacity(many: usize) -> Self {
        Self { passages: Vec::with_capacity(many), places: HashMap::new() }
    }

    /// Whether it is a part of one of them.
    pub(super) fn has(&self, passage: &Passage) -> bool {
        let Some(places) = self.places.get(&passage.chunk.document_id) else { return false };
        let before = places.range(..=(passage.chunk.span.start, usize::MAX)).rev().take(VERSIONS);
        before.filter_map(|(_, place)| self.passages.get(*place)).any(|one| one.contains(passage))
    }

    /// One more, which is a part of none.
    pub(super) fn add(&mut self, passage: Passage) {
        let place = self.passages.len();
        let start = passage.chunk.span.start;
        if !self.places.contains_key(&passage.chunk.document_id) {
            self.places.insert(passage.chunk.document_id.clone(), BTreeMap::new());
        }
        if let Some(places) = self.places.get_mut(&passage.chunk.document_id) {
            let parts = places.range((start, 0)..).map_while(|(key, place)| {
                let one = self.passages.get(*place)?;
                (one.chunk.span.end <= passage.chunk.span.end).then_some((*key, passage.contains(one)))
            });
            let parts: Vec<_> = parts.filter(|(_, is_part)| *is_part).map(|(key, _)| key).collect();
            for key in parts {
                places.remove(&key);
            }
            places.insert((start, place), place);
        }
        self.passages.push(passage);
    }
}

/// How many of the first passages are at least `most` when those that touch each other are one, by where they are alone.
pub(super) fn reach(passages: &[Passage], most: usize) -> usize {
    let mut documents: HashMap<&str, BTreeMap<usize, usize>> = HashMap::new();
    let mut many = 0;
    for (at, passage) in passages.iter().enumerate() {
        if many >= most {
            return at;
        }
        let spans = documents.entry(&passage.chunk.document_id).or_default();
        let (mut start, mut end) = (passage.chunk.span.start, passage.chunk.span.end);
        while let Some((one, its_end)) = spans.range(..=end).next_back().map(|(one, its_end)| (*one, *its_end)) {
            if its_end < start {
                break;
            }
            spans.remove(&one);
            many -= 1;
            (start, end) = (start.min(one), end.max(its_end));
        }
        spans.insert(start, end);
        many += 1;
    }
    passages.len()
}
