//! What was here before it had to be fast: each with each, to be compared with.

use std::collections::BTreeMap;

use super::{Chunk, Expand, HashMap, Passage, Span, in_order};

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
