//! What was found becomes passages: the same text once, chunks that touch each other as one, with what stands around them
//! if that is wanted.

mod cover;
mod runs;

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use cover::Cover;
pub(crate) use runs::texts;
use runs::{assemble, beyond, in_order};

use crate::document::{Chunk, Span};
use crate::point::PointId;

/// What each stage makes of a passage; `None` where it was not asked or had no answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Scores {
    /// Cosine similarity.
    pub dense: Option<f32>,
    /// BM25.
    pub lexical: Option<f32>,
    /// Both, fused; `None` where one leg was searched.
    pub fused: Option<f32>,
    /// By the reranker.
    pub rerank: Option<f32>,
}

/// A piece of a document as it is shown.
#[derive(Clone, PartialEq)]
pub struct Passage {
    /// The best of the chunks that it is made of.
    pub id: PointId,
    /// That chunk, with the text and the span of all of them.
    pub chunk: Arc<Chunk>,
    /// What was found of it, and not what stands around that: where it is cut, this stays.
    pub core: Span,
    /// The score by which it ranks.
    pub score: f32,
    /// That chunk's scores.
    pub scores: Scores,
    /// The numbers of the chunks that it is made of, in order.
    pub of: Vec<u32>,
}

impl std::fmt::Debug for Passage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut passage = f.debug_struct("Passage");
        passage.field("id", &self.id).field("span", &self.chunk.span).field("of", &self.of);
        passage.field("score", &self.score).field("scores", &self.scores).finish_non_exhaustive()
    }
}

impl Passage {
    /// A chunk as it was found.
    #[must_use]
    pub fn new(id: PointId, chunk: impl Into<Arc<Chunk>>, score: f32, scores: Scores) -> Self {
        let chunk = chunk.into();
        let (core, of) = (chunk.span, vec![chunk.chunk]);
        Self { id, chunk, core, score, scores, of }
    }

    /// Whether there is one that is both.
    #[must_use]
    pub fn touches(&self, other: &Self) -> bool {
        let (first, second) = in_order(&self.chunk, &other.chunk);
        first.document_id == second.document_id && beyond(&first.text, first.span, second).is_some()
    }

    /// Whether the other one is a part of it.
    fn contains(&self, other: &Self) -> bool {
        let (outer, inner) = (self.chunk.span, other.chunk.span);
        outer.start <= inner.start && inner.end <= outer.end && self.touches(other)
    }

    /// What a joined one has before this one's text and behind it; `None` where they do not touch each other, or are of two
    /// versions of the document, so that their texts do not fit.
    pub(crate) fn more<'p>(&self, other: &'p Self) -> Option<(&'p str, &'p str)> {
        let (own, others) = (&*self.chunk, &*other.chunk);
        if own.document_id != others.document_id {
            return None;
        }
        if own.span <= others.span {
            return Some(("", beyond(&own.text, own.span, others)?));
        }
        // The other one is the first: what it has in common with this one is at its end, or in its middle.
        let behind = beyond(&others.text, others.span, own)?;
        let common = own.text.len() - behind.len();
        let before = others.span.chars_to_bytes(&others.text, own.span.start - others.span.start)?;
        Some((others.text.get(..before)?, others.text.get(before + common..)?))
    }

    /// Both as one, which is the better one with more text; `None` where they do not touch each other, or are of two
    /// versions of the document, so that their texts do not fit.
    #[must_use]
    pub fn joined(&self, worse: &Self) -> Option<Self> {
        let (before, behind) = self.more(worse)?;
        let mut joined = self.clone();
        joined.take_in(worse, before, behind);
        Some(joined)
    }

    /// Becomes both as one, where what the other one has is `before` and `behind` this one's text.
    pub(crate) fn take_in(&mut self, worse: &Self, before: &str, behind: &str) {
        let span = worse.chunk.span;
        if !(before.is_empty() && behind.is_empty()) {
            let chunk = Arc::make_mut(&mut self.chunk);
            chunk.text.insert_str(0, before);
            chunk.text.push_str(behind);
        }
        let whole = Span { start: self.chunk.span.start.min(span.start), end: self.chunk.span.end.max(span.end) };
        if whole != self.chunk.span {
            Arc::make_mut(&mut self.chunk).span = whole;
        }
        self.of.extend(&worse.of);
        self.of.sort_unstable();
        self.of.dedup();
    }
}

/// What stands around a passage is shown with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Expand {
    /// So many chunks on each side.
    Window(u32),
    /// The whole document.
    Parent,
}

/// What several documents say in the same words is there once, where it ranks best: the others are copies. What one
/// document says in two places stays: each is a place to cite, and around each is something else.
#[must_use]
pub fn dedupe(mut passages: Vec<Passage>) -> Vec<Passage> {
    let mut stays = vec![true; passages.len()];
    {
        // Most texts differ in how long they are, or in how they begin: the rest is looked at only where these are the same.
        let key = |(rank, passage)| {
            let Passage { chunk, .. }: &Passage = passage;
            let text = chunk.text.trim();
            let begins = text.bytes().take(8).fold(0_u64, |begins, byte| begins << 8 | u64::from(byte));
            ((text.len(), begins), rank, text, chunk.document_id.as_str())
        };
        let mut all: Vec<_> = passages.iter().enumerate().map(key).collect();
        all.sort_unstable_by_key(|(key, rank, ..)| (*key, *rank));
        for alike in all.chunk_by(|(one, ..), (other, ..)| one == other).filter(|alike| alike.len() > 1) {
            let mut first: HashMap<&str, &str> = HashMap::with_capacity(alike.len());
            for (_, rank, text, document) in alike {
                let is_first = *first.entry(text).or_insert(document) == *document;
                stays.get_mut(*rank).into_iter().for_each(|stays| *stays = is_first);
            }
        }
    }
    let mut stays = stays.into_iter();
    passages.retain(|_| stays.next().unwrap_or(true));
    passages
}

/// Passages that touch each other are one, which ranks as the best of them. That is for listing them: what packs a context
/// must not do it before, or what is of little worth comes along with what is of much.
#[must_use]
pub fn merge(passages: Vec<Passage>) -> Vec<Passage> {
    assemble(passages, &[])
}

/// The first `most` of merged passages, of as few as make so many.
#[must_use]
pub fn listed(passages: &[Passage], most: usize) -> Vec<Passage> {
    let mut first = cover::reach(passages, most);
    loop {
        let mut merged = merge(passages.get(..first).unwrap_or(passages).to_vec());
        if merged.len() >= most || first == passages.len() {
            merged.truncate(most);
            return merged;
        }
        first = (first + most - merged.len()).min(passages.len());
    }
}

/// The documents of which [`expand`] needs the chunks; each once, the best first.
#[must_use]
pub fn needs(passages: &[Passage]) -> Vec<String> {
    let mut seen = HashSet::new();
    let ids = passages.iter().map(|passage| &passage.chunk.document_id);
    ids.filter(|id| seen.insert(*id)).cloned().collect()
}

/// Passages with what stands around them, of all the chunks of their documents, ranked as they were; what another one has
/// in it, is gone. They may overlap: what lists passages, merges them, and what packs a context, does so as it goes.
///
/// `goes_on` is asked before each passage; when it says no, there is `None`.
#[must_use]
pub fn expand(
    passages: Vec<Passage>,
    by: Expand,
    chunks: &[Chunk],
    goes_on: &dyn Fn() -> bool,
) -> Option<Vec<Passage>> {
    let mut documents: HashMap<&str, Vec<&Chunk>> = HashMap::new();
    for chunk in chunks {
        documents.entry(&chunk.document_id).or_default().push(chunk);
    }
    // Those of two versions have the same number, and stay as they came.
    documents.values_mut().for_each(|chunks| chunks.sort_by_key(|chunk| chunk.chunk));
    let mut wider = Cover::with_capacity(passages.len());
    for passage in passages {
        if !goes_on() {
            return None;
        }
        if by == Expand::Parent && wider.has(&passage) {
            continue;
        }
        let all = documents.get(passage.chunk.document_id.as_str()).map_or(&[][..], Vec::as_slice);
        let around = match by {
            Expand::Parent => all.to_vec(),
            Expand::Window(each) => near(all, &passage.of, each),
        };
        for passage in assemble(vec![passage], &around) {
            if !wider.has(&passage) {
                wider.add(passage);
            }
        }
    }
    Some(wider.passages)
}

/// Of chunks in the order of their numbers those that are at most so far from one of these, which are in order, too.
fn near<'c>(all: &[&'c Chunk], of: &[u32], each: u32) -> Vec<&'c Chunk> {
    let mut near = Vec::new();
    let mut from = 0;
    for number in of {
        let first = all.partition_point(|chunk| chunk.chunk < number.saturating_sub(each)).max(from);
        let end = all.partition_point(|chunk| chunk.chunk <= number.saturating_add(each)).max(first);
        near.extend(all.get(first..end).unwrap_or_default());
        from = end;
    }
    near
}

#[cfg(test)]
mod naive;
#[cfg(test)]
mod tests;
