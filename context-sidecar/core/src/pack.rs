//! A context of what was found, within a budget of tokens.
//!
//! The best comes first, and all that comes is whole but the last, which is cut behind a sentence or a word. What touches a
//! passage that is there already becomes a part of it, so that no token is spent twice. All that stands around the passages
//! counts.

use serde::Serialize;

use crate::chunk::beginning;
use crate::document::Span;
use crate::merge::Passage;
use crate::prompt::Frame;
use crate::tokens::Counter;

/// A part of a passage with fewer tokens than this is not worth its mark.
const FEWEST: usize = 24;

/// Which passage is of what.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Citation {
    /// The number that it has in the context.
    pub n: usize,
    /// Of which document.
    pub document_id: String,
    /// What of it is shown, just so.
    pub span: Span,
}

/// A context.
#[derive(Clone, Default, PartialEq, Eq, Serialize)]
pub struct Packed {
    /// What goes into a prompt; empty where nothing fits.
    pub text: String,
    /// How many tokens that has.
    pub tokens: usize,
    /// What is in it, in its order.
    pub citations: Vec<Citation>,
}

impl std::fmt::Debug for Packed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Packed")
            .field("tokens", &self.tokens)
            .field("passages", &self.citations.len())
            .finish_non_exhaustive()
    }
}

/// Packs the best of some passages, which are in the order of their rank.
#[must_use]
pub fn pack(passages: &[Passage], budget: usize, frame: &Frame, counter: &dyn Counter) -> Packed {
    let around = counter.count(frame.head()) + counter.count(frame.foot());
    let mut packing = Packing { frame, counter, pieces: Vec::new() };
    for passage in passages {
        let passage = trimmed(passage);
        if passage.chunk.text.is_empty() {
            continue;
        }
        let pieces = packing.with(&passage);
        if around + sum(&pieces) <= budget {
            packing.pieces = pieces;
            continue;
        }
        if let Some(pieces) = packing.with_a_part_of(&passage, budget.saturating_sub(around)) {
            packing.pieces = pieces;
        }
        break;
    }
    if packing.pieces.is_empty() {
        return Packed::default();
    }
    let tokens = around + sum(&packing.pieces);
    let mut text = frame.head().to_owned();
    packing.pieces.iter().for_each(|piece| text.push_str(&piece.framed));
    text.push_str(frame.foot());
    let citations = (1..).zip(&packing.pieces).map(|(n, piece)| Citation {
        n,
        document_id: piece.passage.chunk.document_id.clone(),
        span: piece.passage.chunk.span,
    });
    Packed { tokens, citations: citations.collect(), text }
}

/// A passage with its mark.
#[derive(Clone)]
struct Piece {
    passage: Passage,
    framed: String,
    tokens: usize,
}

fn sum(pieces: &[Piece]) -> usize {
    pieces.iter().map(|piece| piece.tokens).sum()
}

struct Packing<'p> {
    frame: &'p Frame,
    counter: &'p dyn Counter,
    pieces: Vec<Piece>,
}

impl Packing<'_> {
    fn piece(&self, n: usize, passage: Passage) -> Piece {
        let chunk = &passage.chunk;
        let framed = self.frame.passage(n, chunk.title.as_deref(), chunk.url.as_deref(), &chunk.text);
        let tokens = self.counter.count(&framed);
        Piece { passage, framed, tokens }
    }

    /// All pieces and one more, which may become a part of those that it touches.
    fn with(&self, passage: &Passage) -> Vec<Piece> {
        let mut joined: Option<(usize, Passage)> = None;
        let mut pieces = Vec::with_capacity(self.pieces.len() + 1);
        let mut has_moved = false;
        for piece in &self.pieces {
            let more = joined.as_ref().map_or(passage, |(_, passage)| passage);
            match (piece.passage.joined(more), &mut joined) {
                (None, _) if has_moved => pieces.push(self.piece(pieces.len() + 1, piece.passage.clone())),
                (None, _) => pieces.push(piece.clone()),
                (Some(both), None) => {
                    joined = Some((pieces.len(), both));
                    pieces.push(piece.clone());
                }
                // It closes the gap between two: the better one is there already.
                (Some(_), Some((_, first))) => {
                    if let Some(both) = first.joined(&piece.passage) {
                        *first = both;
                    }
                    has_moved = true;
                }
            }
        }
        match joined {
            Some((at, passage)) => {
                let piece = self.piece(at + 1, passage);
                if let Some(place) = pieces.get_mut(at) {
                    *place = piece;
                }
            }
            None => pieces.push(self.piece(pieces.len() + 1, passage.clone())),
        }
        pieces
    }

    /// All pieces and the beginning of one more, if that is worth it.
    fn with_a_part_of(&self, passage: &Passage, room: usize) -> Option<Vec<Piece>> {
        let left = room.checked_sub(sum(&self.pieces))?;
        let mark = self.piece(self.pieces.len() + 1, cut(passage, "")).tokens;
        let mut most = left.checked_sub(mark)?;
        let is_worth_it = |tokens: usize| tokens >= if self.pieces.is_empty() { 1 } else { FEWEST };
        // What is cut off can change how the last word is counted.
        while is_worth_it(most) {
            let part = beginning(&passage.chunk.text, most, self.counter);
            if part.is_empty() {
                return None;
            }
            let pieces = self.with(&cut(passage, part));
            if sum(&pieces) <= room {
                return Some(pieces);
            }
            most -= 1;
        }
        None
    }
}

/// Without the white space around it.
fn trimmed(passage: &Passage) -> Passage {
    let text = passage.chunk.text.as_str();
    let before = text.chars().take_while(|char| char.is_whitespace()).count();
    let mut trimmed = passage.clone();
    trimmed.chunk.span.start += before;
    cut(&trimmed, text.trim())
}

/// With another end.
fn cut(passage: &Passage, text: &str) -> Passage {
    let mut part = passage.clone();
    text.clone_into(&mut part.chunk.text);
    part.chunk.span.end = part.chunk.span.start + text.chars().count();
    part
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::chunk::{Size, chunks};
    use crate::document::{Chunk, Document};
    use crate::merge::Scores;
    use crate::tokens::O200k;

    fn passage(chunk: &Chunk) -> Passage {
        Passage::new(uuid::Uuid::from_u128(u128::from(chunk.chunk)).into(), chunk.clone(), 1.0, Scores::default())
    }

    fn cut_up(id: &str, text: &str, overlap: usize) -> Vec<Chunk> {
        let document: Document = serde_json::from_value(json!({"id": id, "title": "A title", "text": text})).unwrap();
        chunks(&document, Size::new(32, overlap).unwrap(), &O200k)
    }

    fn text() -> String {
        (0..60).map(|number| format!("Sentence {number} says something. ")).collect()
    }

    fn shown(text: &str, span: Span) -> String {
        text.chars().skip(span.start).take(span.end - span.start).collect()
    }

    #[test]
    fn the_best_come_first_and_the_last_is_cut_behind_a_sentence() {
        let text = text();
        let chunks = cut_up("d", &text, 0);
        let found = [&chunks[6], &chunks[1], &chunks[3]].map(passage);
        let packed = pack(&found, 104, &Frame::plain(), &O200k);
        assert_eq!(packed.citations.iter().map(|citation| citation.n).collect::<Vec<_>>(), [1, 2, 3]);
        assert!(packed.tokens <= 104 && packed.tokens > 90, "{}", packed.tokens);
        let last = shown(&text, packed.citations[2].span);
        assert!(last.ends_with('.') && chunks[3].text.starts_with(&last) && last.len() < chunks[3].text.trim().len());
        assert!(packed.text.starts_with(&format!("[1] A title\n{}\n[2] A title\n", chunks[6].text.trim())));
        // What is too little is not begun.
        assert_eq!(pack(&found, 96, &Frame::plain(), &O200k).citations.len(), 2);
        assert_eq!(pack(&found, 4, &Frame::plain(), &O200k), Packed::default());
    }

    #[test]
    fn what_closes_a_gap_makes_one_of_three() {
        let text = text();
        let chunks = cut_up("d", &text, 8);
        let found = [&chunks[2], &chunks[8], &chunks[4], &chunks[3]].map(passage);
        let packed = pack(&found, 1_000, &Frame::plain(), &O200k);
        assert_eq!(packed.citations.len(), 2);
        assert_eq!(
            shown(&text, packed.citations[0].span).trim(),
            text[text.find(&chunks[2].text).unwrap()..]
                [..packed.citations[0].span.end - packed.citations[0].span.start]
                .trim()
        );
        assert_eq!(packed.tokens, O200k.count(&packed.text));
    }

    proptest! {
        #[test]
        fn never_over_the_budget_and_citations_are_true(
            text in "([A-Za-z語é]{1,9}( |, |\\. |\\n|\\n\\n|/ |  ){1,2}){1,120}",
            picked in prop::collection::vec(0_usize..1_000, 0..12),
            budget in 0_usize..400,
            overlap in 0_usize..16,
            is_marked in any::<bool>(),
        ) {
            let chunks = cut_up("d", &text, overlap);
            let found: Vec<Passage> = picked.iter().filter(|_| !chunks.is_empty()).map(|number| passage(&chunks[number % chunks.len()])).collect();
            let frame = if is_marked { Frame::marked(&found) } else { Frame::plain() };
            let packed = pack(&found, budget, &frame, &O200k);
            prop_assert!(packed.tokens <= budget);
            prop_assert_eq!(packed.tokens, O200k.count(&packed.text));
            let mut expected = String::new();
            for (n, citation) in (1..).zip(&packed.citations) {
                prop_assert_eq!(citation.n, n);
                let text = shown(&text, citation.span);
                prop_assert!(!text.trim().is_empty() && text.trim() == text);
                expected += &frame.passage(n, Some("A title"), None, &text);
            }
            if !packed.citations.is_empty() {
                prop_assert_eq!(&packed.text, &format!("{}{expected}{}", frame.head(), frame.foot()));
            } else {
                prop_assert_eq!(packed.text, "");
            }
        }
    }
}
