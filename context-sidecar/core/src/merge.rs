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
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::chunk::{Size, chunks};
    use crate::document::Document;
    use crate::tokens::O200k;

    fn cut(id: &str, text: &str) -> Vec<Chunk> {
        let document: Document = serde_json::from_value(json!({"id": id, "text": text})).unwrap();
        chunks(&document, Size::new(16, 4).unwrap(), &O200k)
    }

    fn passage(chunk: &Chunk, score: f32) -> Passage {
        Passage::new(uuid::Uuid::from_u128(u128::from(chunk.chunk)).into(), chunk.clone(), score, Scores::default())
    }

    fn text() -> String {
        (0..100).map(|number| format!("Number {number} is größer. ")).collect()
    }

    fn expanded(passages: Vec<Passage>, by: Expand, chunks: &[Chunk]) -> Vec<Passage> {
        expand(passages, by, chunks, &|| true).unwrap()
    }

    fn is_true(passage: &Passage, text: &str) -> bool {
        let Span { start, end } = passage.chunk.span;
        text.chars().skip(start).take(end - start).collect::<String>() == passage.chunk.text
    }

    #[test]
    fn neighbours_are_one_and_rank_as_the_best() {
        let (text, other) = (text(), "Something else entirely.");
        let (chunks, others) = (cut("d", &text), cut("e", other));
        let found =
            [&chunks[5], &others[0], &chunks[4], &chunks[9], &chunks[6]].map(|chunk| passage(chunk, 1.0)).to_vec();
        let merged = merge(found);
        assert_eq!(
            merged.iter().map(|passage| passage.of.clone()).collect::<Vec<_>>(),
            [vec![4, 5, 6], vec![0], vec![9]]
        );
        assert!(is_true(&merged[0], &text) && is_true(&merged[2], &text));
        assert_eq!(merged[0].chunk.chunk, 5);
    }

    #[test]
    fn versions_of_a_document_are_not_mixed() {
        let chunks = cut("d", &text());
        let old = cut("d", &text().replace("is", "was"));
        let merged = merge(vec![passage(&chunks[3], 1.0), passage(&old[4], 0.9)]);
        assert_eq!(merged.len(), 2);
        assert!(merged[0].joined(&merged[1]).is_none());
    }

    #[test]
    fn what_stands_around_comes_with_it() {
        let text = text();
        let chunks = cut("d", &text);
        let found = vec![passage(&chunks[5], 1.0), passage(&chunks[8], 0.9), passage(&chunks[20], 0.8)];
        assert_eq!(needs(&found), ["d"]);
        let each = expanded(found.clone(), Expand::Window(1), &chunks);
        assert_eq!(each[0].of, [4, 5, 6]);
        let wider = merge(each);
        assert_eq!(
            wider.iter().map(|passage| passage.of.clone()).collect::<Vec<_>>(),
            [vec![4, 5, 6, 7, 8, 9], vec![19, 20, 21]]
        );
        assert!(wider.iter().all(|passage| is_true(passage, &text)));
        let whole = expanded(found.clone(), Expand::Parent, &chunks);
        assert_eq!(whole.len(), 1);
        assert_eq!(whole[0].chunk.text, text.trim_end());
        // Documents that are gone since take nothing away.
        assert_eq!(expanded(found.clone(), Expand::Window(3), &[]), found);
    }

    #[test]
    fn the_same_text_is_there_once() {
        let (one, same) = (cut("d", "Same text."), cut("e", "Same text.\n"));
        let found = vec![passage(&one[0], 1.0), passage(&same[0], 0.9)];
        assert_eq!(dedupe(found.clone()), found[..1]);
        let again = &cut("d", &format!("{}Same text.", "Something else before it. ".repeat(20))).pop().unwrap();
        let again = Chunk { text: "Same text.".to_owned(), ..again.clone() };
        let found = vec![passage(&one[0], 1.0), passage(&again, 0.9)];
        assert_eq!(dedupe(found.clone()), found);
    }

    #[test]
    fn nothing_is_expanded_when_there_is_no_time() {
        let chunks = cut("d", &text());
        let asked = std::cell::Cell::new(0);
        let goes_on = || asked.replace(asked.get() + 1) < 1;
        assert_eq!(expand(vec![passage(&chunks[5], 1.0); 3], Expand::Window(1), &chunks, &goes_on), None);
        assert_eq!(asked.get(), 2);
    }

    #[test]
    fn what_was_found_is_known_after_it_has_grown() {
        let chunks = cut("d", &text());
        let whole = expanded(vec![passage(&chunks[5], 1.0)], Expand::Parent, &chunks);
        assert_eq!(whole[0].core, chunks[5].span);
        assert!(whole[0].chunk.span.end > chunks[20].span.end);
        assert_eq!(passage(&chunks[5], 1.0).joined(&passage(&chunks[4], 0.5)).unwrap().core, chunks[5].span);
    }

    proptest! {
        /// Each with each, as it is defined.
        #[test]
        fn it_is_what_each_with_each_makes(text in "([a-zß語 ]{1,8}[.\\n ]){1,80}", picked in prop::collection::vec((0_usize..1_000, 0_usize..3), 0..24), by in prop_oneof![Just(Expand::Parent), (0_u32..3).prop_map(Expand::Window)], most in 1_usize..12) {
            let documents = ["d", "e", "f"].map(|id| cut(id, &text));
            let found: Vec<Passage> = picked.iter().filter(|_| !documents[0].is_empty()).map(|(number, of)| passage(&documents[*of][number % documents[*of].len()], 1.0)).collect();
            prop_assert_eq!(dedupe(found.clone()), naive::dedupe(found.clone()));
            prop_assert_eq!(merge(found.clone()), naive::merge(found.clone()));
            prop_assert_eq!(listed(&found, most), naive::listed(&found, most));
            let chunks = documents.concat();
            let wider = expanded(found.clone(), by, &chunks);
            prop_assert_eq!(&wider, &naive::expand(found, by, &chunks));
            prop_assert_eq!(listed(&wider, most), naive::listed(&wider, most));
            for one in &wider {
                for other in &wider {
                    prop_assert_eq!(one.joined(other), naive::joined(one, other));
                }
            }
        }

        #[test]
        fn merged_text_is_the_documents(text in "([a-zß語 ]{1,8}[.\\n ]){1,80}", picked in prop::collection::vec(0_usize..1_000, 1..12), by in prop_oneof![Just(Expand::Parent), (0_u32..3).prop_map(Expand::Window)]) {
            let chunks = cut("d", &text);
            prop_assume!(!chunks.is_empty());
            let found: Vec<Passage> = picked.iter().map(|number| passage(&chunks[number % chunks.len()], 1.0)).collect();
            for merged in [merge(found.clone()), merge(expanded(found.clone(), by, &chunks))] {
                let mut points = HashSet::new();
                for passage in &merged {
                    prop_assert!(is_true(passage, &text));
                    // Nothing is there twice, and nothing that touches another.
                    prop_assert!((passage.chunk.span.start..=passage.chunk.span.end).all(|point| points.insert(point)));
                }
                for one in &found {
                    prop_assert!(merged.iter().any(|passage| passage.chunk.span.start <= one.chunk.span.start && one.chunk.span.end <= passage.chunk.span.end));
                }
                prop_assert_eq!(merge(merged.clone()), merged);
            }
        }
    }

    /// What was here before it had to be fast.
    mod naive {
        use std::collections::BTreeMap;

        use super::*;

        pub(super) fn dedupe(mut passages: Vec<Passage>) -> Vec<Passage> {
            let mut seen: HashMap<String, String> = HashMap::new();
            passages.retain(|passage| {
                let first = seen.entry(passage.chunk.text.trim().to_owned());
                *first.or_insert(passage.chunk.document_id.clone()) == passage.chunk.document_id
            });
            passages
        }

        pub(super) fn merge(passages: Vec<Passage>) -> Vec<Passage> {
            assemble(passages, &[])
        }

        pub(super) fn listed(passages: &[Passage], most: usize) -> Vec<Passage> {
            let of = |first: usize| merge(passages[..first].to_vec());
            let first = (most.min(passages.len())..passages.len()).find(|first| of(*first).len() >= most);
            of(first.unwrap_or(passages.len())).into_iter().take(most).collect()
        }

        pub(super) fn joined(better: &Passage, worse: &Passage) -> Option<Passage> {
            let (first, second) = in_order(&better.chunk, &worse.chunk);
            let more = (first.document_id == second.document_id).then(|| beyond(first, second))??;
            let text = format!("{}{more}", first.text);
            let span = Span { start: first.span.start, end: first.span.end.max(second.span.end) };
            let mut of: Vec<u32> = better.of.iter().chain(&worse.of).copied().collect();
            of.sort_unstable();
            of.dedup();
            Some(Passage { chunk: Chunk { text, span, ..Chunk::clone(&better.chunk) }.into(), of, ..better.clone() })
        }

        pub(super) fn expand(passages: Vec<Passage>, by: Expand, chunks: &[Chunk]) -> Vec<Passage> {
            let has = |wider: &[Passage], passage: &Passage| wider.iter().any(|one| one.contains(passage));
            let mut wider: Vec<Passage> = Vec::new();
            for passage in passages {
                if by == Expand::Parent && has(&wider, &passage) {
                    continue;
                }
                let is_near = |chunk: &&Chunk| match by {
                    Expand::Parent => true,
                    Expand::Window(each) => passage.of.iter().any(|of| of.abs_diff(chunk.chunk) <= each),
                };
                let of = |chunk: &&Chunk| chunk.document_id == passage.chunk.document_id;
                let around: Vec<&Chunk> = chunks.iter().filter(of).filter(is_near).collect();
                for passage in assemble(vec![passage], &around) {
                    if !has(&wider, &passage) {
                        wider.push(passage);
                    }
                }
            }
            wider
        }

        struct Run {
            chunk: Chunk,
            ranks: Vec<usize>,
            of: Vec<u32>,
        }

        fn assemble(passages: Vec<Passage>, around: &[&Chunk]) -> Vec<Passage> {
            let mut documents: BTreeMap<&str, Vec<Run>> = BTreeMap::new();
            for (rank, passage) in passages.iter().enumerate() {
                let run = Run { chunk: Chunk::clone(&passage.chunk), ranks: vec![rank], of: passage.of.clone() };
                documents.entry(&passage.chunk.document_id).or_default().push(run);
            }
            for chunk in around {
                let run = Run { chunk: (*chunk).clone(), ranks: Vec::new(), of: vec![chunk.chunk] };
                documents.entry(&chunk.document_id).or_default().push(run);
            }
            let mut runs: BTreeMap<usize, Run> = BTreeMap::new();
            for run in documents.into_values().flat_map(in_runs) {
                if let Some(best) = run.ranks.iter().min() {
                    runs.insert(*best, run);
                }
            }
            let mut merged = Vec::new();
            for (rank, mut passage) in passages.into_iter().enumerate() {
                if let Some(mut run) = runs.remove(&rank) {
                    run.of.sort_unstable();
                    run.of.dedup();
                    passage.of = run.of;
                    let (text, span) = (run.chunk.text, run.chunk.span);
                    passage.chunk = Chunk { text, span, ..Chunk::clone(&passage.chunk) }.into();
                    merged.push(passage);
                }
            }
            merged
        }

        fn in_runs(mut pieces: Vec<Run>) -> Vec<Run> {
            pieces.sort_by_key(|piece| (piece.chunk.span, piece.ranks.first().copied().unwrap_or(usize::MAX)));
            let mut runs: Vec<Run> = Vec::new();
            for piece in pieces {
                let fitting = runs.iter_mut().rev().take(4).find_map(|run| {
                    let more = beyond(&run.chunk, &piece.chunk)?.to_owned();
                    Some((more, run))
                });
                match fitting {
                    Some((more, run)) => {
                        run.chunk.text.push_str(&more);
                        run.chunk.span.end = run.chunk.span.end.max(piece.chunk.span.end);
                        run.ranks.extend(piece.ranks);
                        run.of.extend(piece.of);
                    }
                    None => runs.push(piece),
                }
            }
            runs
        }

        fn beyond<'c>(first: &Chunk, second: &'c Chunk) -> Option<&'c str> {
            let overlap = first.span.end.checked_sub(second.span.start)?;
            let tail = match overlap.checked_sub(1) {
                None => "",
                Some(before) => {
                    let (at, _) = first.text.char_indices().rev().nth(before)?;
                    first.text.get(at..)?
                }
            };
            if second.span.end <= first.span.end {
                return tail.starts_with(&second.text).then_some("");
            }
            second.text.strip_prefix(tail)
        }
    }
}
