//! From what is ranked to what is shown: the same text once, what touches each other as one, what stands around it; and a
//! context, packed.
//!
//! It is made of what may be megabytes of text, and looks at the clock before each passage: too late is a failure, as it is
//! everywhere, and not half a context.

use std::{sync::Arc, time::Instant};

use chassis::clock;
use context_core::{
    document::Chunk,
    merge::{Expand, Passage, dedupe, expand, listed},
    pack::{Packed, pack_while},
    prompt::Frame,
    tokens::O200k,
};

use super::{Pipeline, retrieve::Asked};
use crate::{
    answer::Found,
    failure::{Failure, Kind as Why},
    question::Marks,
};

/// So many bytes of text are left to a thread that may block.
const MANY: usize = 256 << 10;

/// What is shown.
type Shown = (Arc<[Found]>, Option<Packed>);

/// How it is to be shown.
#[derive(Clone, Copy)]
struct How {
    /// Passages that are expanded, at most.
    expanded: usize,
    top_k: usize,
    budget: Option<usize>,
    marks: Marks,
    deadline: Instant,
}

impl Pipeline {
    pub(super) async fn assemble(
        &self,
        asked: &Asked<'_>,
        passages: Vec<Passage>,
        around: Option<(Expand, Vec<Chunk>)>,
    ) -> Result<Shown, Failure> {
        let bytes: usize = passages.iter().map(|passage| passage.chunk.text.len()).sum();
        let more: usize = around.iter().flat_map(|(_, chunks)| chunks).map(|chunk| chunk.text.len()).sum();
        let (question, deadline) = (asked.question, asked.call.deadline);
        let how = How {
            expanded: self.settings.expanded,
            top_k: question.top_k,
            budget: question.max_tokens,
            marks: question.marks,
            deadline,
        };
        let late = || {
            let why = "the time was over while the passages were put together: ask for fewer, or give more time";
            Failure::new(Why::Late, why)
        };
        let work = move || assembled(passages, around, how);
        if bytes + more < MANY {
            return work().ok_or_else(late);
        }
        match asked.call.within(tokio::task::spawn_blocking(work)).await {
            Some(Ok(shown)) => shown.ok_or_else(late),
            Some(Err(_)) => Err(Failure::new(Why::Internal, "packing failed; see the log for its panic")),
            None => Err(late()),
        }
    }
}

/// `None` where the deadline comes first.
fn assembled(passages: Vec<Passage>, around: Option<(Expand, Vec<Chunk>)>, how: How) -> Option<Shown> {
    let goes_on = || clock::now() < how.deadline;
    let mut passages = dedupe(passages);
    if let Some((by, chunks)) = around {
        let rest = passages.split_off(how.expanded.min(passages.len()));
        passages = expand(passages, by, &chunks, &goes_on)?;
        passages.extend(rest);
    }
    // Not merged: what is of little worth must not come along with what is of much.
    let context = match how.budget {
        None => None,
        Some(budget) => {
            let frame = match how.marks {
                Marks::Numbers => Frame::plain(),
                Marks::Delimited => Frame::marked(&passages),
            };
            Some(pack_while(&passages, budget, &frame, &O200k, &goes_on)?)
        }
    };
    if !goes_on() {
        return None;
    }
    let results = (1..).zip(listed(&passages, how.top_k)).map(|(rank, passage)| {
        let Passage { id, chunk, score, scores, .. } = passage;
        let Chunk { document_id, chunk, text, span, title, url, metadata } = Arc::unwrap_or_clone(chunk);
        Found { id, document_id, chunk, text, title, url, metadata, span, score, scores, rank }
    });
    Some((results.collect(), context))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use context_core::{document::Span, merge::Scores};

    use super::*;

    /// What comes when the time is over is a failure, and not a part of a context.
    #[test]
    fn it_stops_at_the_deadline() {
        let chunk = |number: u32| {
            let start = number as usize * 10;
            let chunk = serde_json::json!({"document_id": "d", "chunk": number, "text": "Ten bytes.", "span": Span { start, end: start + 10 }});
            serde_json::from_value::<Chunk>(chunk).unwrap()
        };
        let passage = Passage::new(uuid::Uuid::from_u128(1).into(), chunk(1), 1.0, Scores::default());
        let now = clock::now();
        let how = How { expanded: 1, top_k: 1, budget: None, marks: Marks::Numbers, deadline: now };
        let around = || Some((Expand::Parent, vec![chunk(0), chunk(1)]));
        for (around, budget) in [(None, None), (None, Some(100)), (around(), None), (around(), Some(100))] {
            let made = |deadline| assembled(vec![passage.clone()], around.clone(), How { budget, deadline, ..how });
            assert!(made(now).is_none());
            let (results, context) = made(now + Duration::from_secs(3_600)).unwrap();
            assert_eq!((results.len(), context.is_some()), (1, budget.is_some()));
        }
    }
}
