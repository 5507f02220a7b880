//! A context of what was found, within a budget of tokens.
//!
//! The best comes first, and all that comes is whole but the last, which is cut behind a sentence or a word. What touches a
//! passage that is there already becomes a part of it, so that no token is spent twice. All that stands around the passages
//! counts.

use serde::Serialize;

use crate::chunk::beginning;
use crate::document::{Chunk, Span};
use crate::merge::Passage;
use crate::prompt::Frame;
use crate::tokens::{Counter, count_within};

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

/// Packs the best of some passages, which are in the order of their rank and not merged yet: the more there are, the better
/// the budget is used.
#[must_use]
pub fn pack(passages: &[Passage], budget: usize, frame: &Frame, counter: &dyn Counter) -> Packed {
    let around = counter.count(frame.head()) + counter.count(frame.foot());
    let Some(room) = budget.checked_sub(around) else { return Packed::default() };
    let mut packing = Packing { frame, counter, room, pieces: Vec::new() };
    for passage in passages.iter().filter(|passage| !passage.chunk.text.trim().is_empty()) {
        if !packing.add(passage) {
            packing.add_a_part_of(passage);
            break;
        }
    }
    if packing.pieces.is_empty() {
        return Packed::default();
    }
    let mut text = frame.head().to_owned();
    packing.pieces.iter().for_each(|piece| text.push_str(&piece.framed));
    text.push_str(frame.foot());
    let citations = (1..).zip(&packing.pieces).map(|(n, piece)| Citation {
        n,
        document_id: piece.passage.chunk.document_id.clone(),
        span: shown(&piece.passage).1,
    });
    Packed { tokens: around + sum(&packing.pieces), citations: citations.collect(), text }
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
    /// Tokens for all the pieces.
    room: usize,
    pieces: Vec<Piece>,
}

impl Packing<'_> {
    /// `None` where it has more tokens than there is room for.
    fn piece(&self, n: usize, passage: Passage, room: usize) -> Option<Piece> {
        let chunk = &passage.chunk;
        let (text, _) = shown(&passage);
        let framed = self.frame.passage(n, chunk.title.as_deref(), chunk.url.as_deref(), text);
        let tokens = count_within(self.counter, &framed, room)?;
        Some(Piece { passage, framed, tokens })
    }

    /// Adds a passage if there is room for all of it.
    fn add(&mut self, passage: &Passage) -> bool {
        if self.pieces.iter().any(|piece| piece.passage.touches(passage)) {
            let pieces = self.joined_with(passage).filter(|pieces| sum(pieces) <= self.room);
            return pieces.map(|pieces| self.pieces = pieces).is_some();
        }
        let piece = self.piece(self.pieces.len() + 1, passage.clone(), self.room.saturating_sub(sum(&self.pieces)));
        piece.map(|piece| self.pieces.push(piece)).is_some()
    }

    /// All pieces, with a passage as a part of those that it touches.
    fn joined_with(&self, passage: &Passage) -> Option<Vec<Piece>> {
        let (touched, others): (Vec<_>, Vec<_>) =
            self.pieces.iter().enumerate().partition(|(_, piece)| piece.passage.touches(passage));
        // It may close the gap between two: both are where the better one is.
        let first = touched.first().map(|(place, _)| *place)?;
        let mut all: Option<Passage> = None;
        for (_, piece) in touched {
            all = Some(match all {
                None => piece.passage.joined(passage)?,
                Some(all) => all.joined(&piece.passage)?,
            });
        }
        let mut pieces: Vec<Piece> = Vec::with_capacity(self.pieces.len());
        for (place, piece) in others {
            if place > first
                && let Some(all) = all.take()
            {
                pieces.push(self.piece(first + 1, all, self.room)?);
            }
            let n = pieces.len() + 1;
            // Those behind it have moved up by one.
            pieces.push(if n == place + 1 { piece.clone() } else { self.piece(n, piece.passage.clone(), self.room)? });
        }
        if let Some(all) = all {
            pieces.push(self.piece(first + 1, all, self.room)?);
        }
        Some(pieces)
    }

    /// Adds the beginning of a passage, if that is worth it.
    fn add_a_part_of(&mut self, passage: &Passage) {
        let (text, span) = shown(passage);
        let part = |text: &str| {
            let chunk = Chunk {
                span: Span { start: span.start, end: span.start + text.chars().count() },
                text: text.to_owned(),
                ..passage.chunk.clone()
            };
            Passage { chunk, ..passage.clone() }
        };
        let left = self.room.saturating_sub(sum(&self.pieces));
        let Some(mark) = self.piece(self.pieces.len() + 1, part(""), left) else { return };
        let fewest = if self.pieces.is_empty() { 1 } else { FEWEST };
        // What is cut off can change how the last word is counted.
        for most in (fewest..=left - mark.tokens).rev() {
            let beginning = beginning(text, most, self.counter);
            if beginning.is_empty() || self.add(&part(beginning)) {
                return;
            }
        }
    }
}

/// What is shown of a passage: not the white space around it.
fn shown(passage: &Passage) -> (&str, Span) {
    let text = passage.chunk.text.trim_start();
    let before = passage.chunk.text.get(..passage.chunk.text.len() - text.len()).unwrap_or_default().chars().count();
    let text = text.trim_end();
    let start = passage.chunk.span.start + before;
    (text, Span { start, end: start + text.chars().count() })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::chunk::{Size, chunks};
    use crate::document::Document;
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

    fn within(text: &str, span: Span) -> String {
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
        let last = within(&text, packed.citations[2].span);
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
        let span = |first: usize, last: usize| Span { start: chunks[first].span.start, end: chunks[last].span.end - 1 };
        let spans: Vec<Span> = packed.citations.iter().map(|citation| citation.span).collect();
        assert_eq!(spans, [span(2, 4), span(8, 8)]);
        let without = cut_up("d", &text, 0);
        let packed = pack(&[&without[3], &without[4]].map(passage), 1_000, &Frame::plain(), &O200k);
        assert_eq!(packed.citations.len(), 1);
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
                let text = within(&text, citation.span);
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
