//! What was found becomes passages: the same text once, chunks that touch each other as one, with what stands around them
//! if that is wanted.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::{Deserialize, Serialize};

use crate::document::{Chunk, Span};
use crate::point::PointId;

/// What each stage makes of a passage; `None` where it was not asked or had no answer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct Scores {
    /// Cosine similarity.
    pub dense: Option<f32>,
    /// BM25.
    pub lexical: Option<f32>,
    /// Both, fused.
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
    pub chunk: Chunk,
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
    pub fn new(id: PointId, chunk: Chunk, score: f32, scores: Scores) -> Self {
        let of = vec![chunk.chunk];
        Self { id, chunk, score, scores, of }
    }

    /// Whether there is one that is both.
    #[must_use]
    pub fn touches(&self, other: &Self) -> bool {
        let (first, second) = in_order(&self.chunk, &other.chunk);
        first.document_id == second.document_id && beyond(first, second).is_some()
    }

    /// Whether the other one is a part of it.
    fn contains(&self, other: &Self) -> bool {
        let (outer, inner) = (self.chunk.span, other.chunk.span);
        outer.start <= inner.start && inner.end <= outer.end && self.touches(other)
    }

    /// Both as one, which is the better one with more text; `None` where they do not touch each other, or are of two
    /// versions of the document, so that their texts do not fit.
    #[must_use]
    pub fn joined(&self, worse: &Self) -> Option<Self> {
        let (first, second) = in_order(&self.chunk, &worse.chunk);
        let more = (first.document_id == second.document_id).then(|| beyond(first, second))??;
        let text = format!("{}{more}", first.text);
        let span = Span { start: first.span.start, end: first.span.end.max(second.span.end) };
        let mut of: Vec<u32> = self.of.iter().chain(&worse.of).copied().collect();
        of.sort_unstable();
        of.dedup();
        Some(Self { chunk: Chunk { text, span, ..self.chunk.clone() }, of, ..self.clone() })
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
    let stays: Vec<bool> = {
        let mut seen: HashMap<&str, &str> = HashMap::new();
        let is_own = |passage: &Passage, first: &str| first == passage.chunk.document_id;
        passages
            .iter()
            .map(|passage| is_own(passage, seen.entry(passage.chunk.text.trim()).or_insert(&passage.chunk.document_id)))
            .collect()
    };
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

/// The documents of which [`expand`] needs the chunks; each once, the best first.
#[must_use]
pub fn needs(passages: &[Passage]) -> Vec<String> {
    let mut seen = HashSet::new();
    let ids = passages.iter().map(|passage| &passage.chunk.document_id);
    ids.filter(|id| seen.insert(*id)).cloned().collect()
}

/// Passages with what stands around them, of all the chunks of their documents, ranked as they were; what another one has
/// in it, is gone. They may overlap: what lists passages, merges them, and what packs a context, does so as it goes.
#[must_use]
pub fn expand(passages: Vec<Passage>, by: Expand, chunks: &[Chunk]) -> Vec<Passage> {
    let mut documents: HashMap<&str, Vec<&Chunk>> = HashMap::new();
    for chunk in chunks {
        documents.entry(&chunk.document_id).or_default().push(chunk);
    }
    let has = |wider: &[Passage], passage: &Passage| wider.iter().any(|one| one.contains(passage));
    let mut wider: Vec<Passage> = Vec::with_capacity(passages.len());
    for passage in passages {
        if by == Expand::Parent && has(&wider, &passage) {
            continue;
        }
        let is_near = |chunk: &&&Chunk| match by {
            Expand::Parent => true,
            Expand::Window(each) => passage.of.iter().any(|of| of.abs_diff(chunk.chunk) <= each),
        };
        let all = documents.get(passage.chunk.document_id.as_str()).map_or(&[][..], Vec::as_slice);
        let around: Vec<&Chunk> = all.iter().filter(is_near).copied().collect();
        let expanded = assemble(vec![passage], &around);
        wider.extend(expanded.into_iter().filter(|passage| !has(&wider, passage)).collect::<Vec<_>>());
    }
    wider
}

/// A run of a document while it grows, the ranks of the passages in it, and the numbers of its chunks.
struct Run {
    chunk: Chunk,
    ranks: Vec<usize>,
    of: Vec<u32>,
}

/// Puts together what touches each other, and leaves out what has nothing in it that was found.
fn assemble(passages: Vec<Passage>, around: &[&Chunk]) -> Vec<Passage> {
    let mut documents: BTreeMap<&str, Vec<Run>> = BTreeMap::new();
    for (rank, passage) in passages.iter().enumerate() {
        let run = Run { chunk: passage.chunk.clone(), ranks: vec![rank], of: passage.of.clone() };
        documents.entry(&passage.chunk.document_id).or_default().push(run);
    }
    for chunk in around {
        let run = Run { chunk: (*chunk).clone(), ranks: Vec::new(), of: vec![chunk.chunk] };
        documents.entry(&chunk.document_id).or_default().push(run);
    }
    let mut runs: BTreeMap<usize, Run> = BTreeMap::new();
    for pieces in documents.into_values() {
        for run in in_runs(pieces) {
            if let Some(best) = run.ranks.iter().min() {
                runs.insert(*best, run);
            }
        }
    }
    let mut merged = Vec::with_capacity(runs.len());
    for (rank, mut passage) in passages.into_iter().enumerate() {
        if let Some(mut run) = runs.remove(&rank) {
            run.of.sort_unstable();
            run.of.dedup();
            passage.of = run.of;
            passage.chunk.text = run.chunk.text;
            passage.chunk.span = run.chunk.span;
            merged.push(passage);
        }
    }
    merged
}

fn in_runs(mut pieces: Vec<Run>) -> Vec<Run> {
    pieces.sort_by_key(|piece| (piece.chunk.span, piece.ranks.first().copied().unwrap_or(usize::MAX)));
    let mut runs: Vec<Run> = Vec::new();
    for piece in pieces {
        // Behind it there may be one of another version, which fits nothing: look at all that reach so far.
        let fitting = runs.iter_mut().rev().take(4).find_map(|run| {
            let more = beyond(&run.chunk, &piece.chunk)?;
            Some((run, more))
        });
        match fitting {
            Some((run, more)) => {
                run.chunk.text.push_str(more);
                run.chunk.span.end = run.chunk.span.end.max(piece.chunk.span.end);
                run.ranks.extend(piece.ranks);
                run.of.extend(piece.of);
            }
            None => runs.push(piece),
        }
    }
    runs
}

fn in_order<'c>(one: &'c Chunk, other: &'c Chunk) -> (&'c Chunk, &'c Chunk) {
    if one.span <= other.span { (one, other) } else { (other, one) }
}

/// What the second one has beyond the first one's end, if they touch each other, and say the same where they overlap.
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
        let each = expand(found.clone(), Expand::Window(1), &chunks);
        assert_eq!(each[0].of, [4, 5, 6]);
        let wider = merge(each);
        assert_eq!(
            wider.iter().map(|passage| passage.of.clone()).collect::<Vec<_>>(),
            [vec![4, 5, 6, 7, 8, 9], vec![19, 20, 21]]
        );
        assert!(wider.iter().all(|passage| is_true(passage, &text)));
        let whole = expand(found.clone(), Expand::Parent, &chunks);
        assert_eq!(whole.len(), 1);
        assert_eq!(whole[0].chunk.text, text.trim_end());
        // Documents that are gone since take nothing away.
        assert_eq!(expand(found.clone(), Expand::Window(3), &[]), found);
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

    proptest! {
        #[test]
        fn merged_text_is_the_documents(text in "([a-zß語 ]{1,8}[.\\n ]){1,80}", picked in prop::collection::vec(0_usize..1_000, 1..12), by in prop_oneof![Just(Expand::Parent), (0_u32..3).prop_map(Expand::Window)]) {
            let chunks = cut("d", &text);
            prop_assume!(!chunks.is_empty());
            let found: Vec<Passage> = picked.iter().map(|number| passage(&chunks[number % chunks.len()], 1.0)).collect();
            for merged in [merge(found.clone()), merge(expand(found.clone(), by, &chunks))] {
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
}
