//! Runs of a document: pieces that touch each other, put together.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::Passage;
use crate::document::{Chunk, Span};

/// Behind a run there may be one of another version, which fits nothing: so many are looked at that may reach so far.
const VERSIONS: usize = 4;

/// A run while it grows, the best of the ranks of the passages in it, and the numbers of its chunks.
struct Run<'c> {
    text: Cow<'c, str>,
    span: Span,
    best: Option<usize>,
    of: Vec<u32>,
}

/// Puts together what touches each other, and leaves out what has nothing in it that was found.
pub(super) fn assemble(mut passages: Vec<Passage>, around: &[&Chunk]) -> Vec<Passage> {
    let mut documents: HashSet<&str> = HashSet::with_capacity(passages.len());
    if around.is_empty() && passages.iter().all(|passage| documents.insert(&passage.chunk.document_id)) {
        // One of each document.
        return passages;
    }
    let mut grown: HashMap<usize, (Option<String>, Span, Vec<u32>)> = HashMap::with_capacity(passages.len());
    for run in runs(&passages, around) {
        let Some(best) = run.best else { continue };
        let Run { text, span, mut of, .. } = run;
        of.sort_unstable();
        of.dedup();
        let has_grown = passages.get(best).is_none_or(|passage| passage.chunk.span != span);
        grown.insert(best, (has_grown.then(|| text.into_owned()), span, of));
    }
    let mut rank = 0..;
    passages.retain_mut(|passage| {
        let Some((text, span, of)) = rank.next().and_then(|rank: usize| grown.remove(&rank)) else { return false };
        passage.of = of;
        if let Some(text) = text {
            let chunk = Arc::make_mut(&mut passage.chunk);
            (chunk.text, chunk.span) = (text, span);
        }
        true
    });
    passages
}

/// The texts of what passages are when all that touch each other are put together.
pub(crate) fn texts(passages: &[Passage]) -> impl Iterator<Item = Cow<'_, str>> {
    runs(passages, &[]).into_iter().map(|run| run.text)
}

/// In the order of the documents' ids and of their places there.
fn runs<'c>(passages: &'c [Passage], around: &[&'c Chunk]) -> Vec<Run<'c>> {
    let mut documents: BTreeMap<&str, Vec<Run<'c>>> = BTreeMap::new();
    let of_chunk = |chunk: &'c Chunk, best, of| Run { text: Cow::Borrowed(&chunk.text), span: chunk.span, best, of };
    for (rank, passage) in passages.iter().enumerate() {
        let run = of_chunk(&passage.chunk, Some(rank), passage.of.clone());
        documents.entry(&passage.chunk.document_id).or_default().push(run);
    }
    for chunk in around {
        documents.entry(&chunk.document_id).or_default().push(of_chunk(chunk, None, vec![chunk.chunk]));
    }
    documents.into_values().flat_map(in_runs).collect()
}

fn in_runs(mut pieces: Vec<Run<'_>>) -> Vec<Run<'_>> {
    // What was found goes first: of two versions, what stands around it is put to it where it fits.
    pieces.sort_by_key(|piece| (piece.span, piece.best.unwrap_or(usize::MAX)));
    let mut runs: Vec<Run<'_>> = Vec::new();
    for piece in pieces {
        let fitting = runs.iter_mut().rev().take(VERSIONS).find_map(|run| {
            let more = after(&run.text, run.span, &piece.text, piece.span)?;
            Some((run, more))
        });
        match fitting {
            Some((run, more)) => {
                if !more.is_empty() {
                    run.text.to_mut().push_str(more);
                }
                run.span.end = run.span.end.max(piece.span.end);
                run.best = [run.best, piece.best].into_iter().flatten().min();
                run.of.extend(piece.of);
            }
            None => runs.push(piece),
        }
    }
    runs
}

pub(super) fn in_order<'c>(one: &'c Chunk, other: &'c Chunk) -> (&'c Chunk, &'c Chunk) {
    if one.span <= other.span { (one, other) } else { (other, one) }
}

/// What the second one has beyond the first one's end, if they touch each other, and say the same where they overlap.
pub(super) fn beyond<'c>(first: &str, span: Span, second: &'c Chunk) -> Option<&'c str> {
    after(first, span, &second.text, second.span)
}

/// The same of texts and where they are.
fn after<'c>(first: &str, of_first: Span, second: &'c str, of_second: Span) -> Option<&'c str> {
    let overlap = of_first.end.checked_sub(of_second.start)?;
    let tail = match overlap {
        0 => "",
        _ => {
            let before = of_second.start.checked_sub(of_first.start)?;
            first.get(of_first.chars_to_bytes(first, before)?..)?
        }
    };
    if of_second.end <= of_first.end {
        return tail.starts_with(second).then_some("");
    }
    second.strip_prefix(tail)
}
