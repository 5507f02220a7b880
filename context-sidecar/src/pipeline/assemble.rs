//! From what is ranked to what is shown: the same text once, what touches each other as one, what stands around it; and a
//! context, packed.

use context_core::{
    document::Chunk,
    merge::{Expand, Passage, dedupe, expand, merge},
    pack::{Packed, pack},
    prompt::Frame,
    tokens::O200k,
};

use super::Pipeline;
use crate::{
    answer::Found,
    failure::{Failure, Kind as Why},
    question::{Marks, Question},
};

/// So many bytes of text are left to a thread that may block.
const MANY: usize = 256 << 10;

impl Pipeline {
    pub(super) async fn assemble(
        &self,
        question: &Question,
        passages: Vec<Passage>,
        around: Option<(Expand, Vec<Chunk>)>,
    ) -> Result<(Vec<Found>, Option<Packed>), Failure> {
        let bytes: usize = passages.iter().map(|passage| passage.chunk.text.len()).sum();
        let more: usize = around.iter().flat_map(|(_, chunks)| chunks).map(|chunk| chunk.text.len()).sum();
        let (top_k, budget, marks) = (question.top_k, question.max_tokens, question.marks);
        let expanded = self.settings.expanded;
        let work = move || assembled(passages, around, expanded, top_k, budget, marks);
        if bytes + more < MANY {
            return Ok(work());
        }
        let done = tokio::task::spawn_blocking(work).await;
        done.map_err(|_| Failure::new(Why::Internal, "packing failed; see the log for its panic"))
    }
}

fn assembled(
    passages: Vec<Passage>,
    around: Option<(Expand, Vec<Chunk>)>,
    expanded: usize,
    top_k: usize,
    budget: Option<usize>,
    marks: Marks,
) -> (Vec<Found>, Option<Packed>) {
    let mut passages = dedupe(passages);
    if let Some((by, chunks)) = around {
        let rest = passages.split_off(expanded.min(passages.len()));
        passages = expand(passages, by, &chunks);
        passages.extend(rest);
    }
    // Not merged: what is of little worth must not come along with what is of much.
    let context = budget.map(|budget| {
        let frame = match marks {
            Marks::Numbers => Frame::plain(),
            Marks::Delimited => Frame::marked(&passages),
        };
        pack(&passages, budget, &frame, &O200k)
    });
    let results = listed(&passages, top_k);
    let results = (1..).zip(results).map(|(rank, passage)| {
        let Passage { id, chunk, score, scores, .. } = passage;
        let Chunk { document_id, chunk, text, span, title, url, metadata } = chunk;
        Found { id, document_id, chunk, text, title, url, metadata, span, score, scores, rank }
    });
    (results.collect(), context)
}

/// The first `most`, merged: of as few as make so many.
fn listed(passages: &[Passage], most: usize) -> Vec<Passage> {
    let mut first = most.min(passages.len());
    loop {
        let mut merged = merge(passages.get(..first).unwrap_or(passages).to_vec());
        if merged.len() >= most || first == passages.len() {
            merged.truncate(most);
            return merged;
        }
        first = (first + most - merged.len()).min(passages.len());
    }
}
