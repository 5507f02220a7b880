//! A context of what was found, within a budget of tokens.
//!
//! The best comes first, and all that comes is whole but the last, which is cut at a sentence or a word: what was found of it
//! stays, and of what stands around that as much as there is room for. What touches a passage that is there already becomes
//! a part of it, so that no token is spent twice. All that stands around the passages counts.

mod packing;

use serde::Serialize;

use self::packing::{Packing, Piece};
use crate::document::Span;
use crate::merge::Passage;
use crate::prompt::Frame;
use crate::tokens::Counter;

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
    pack_while(passages, budget, frame, counter, &|| true).unwrap_or_default()
}

/// The same; `goes_on` is asked before each passage, and when it says no, there is `None`.
#[must_use]
pub fn pack_while(
    passages: &[Passage],
    budget: usize,
    frame: &Frame,
    counter: &dyn Counter,
    goes_on: &dyn Fn() -> bool,
) -> Option<Packed> {
    let around = counter.count(frame.head()) + counter.count(frame.foot());
    let Some(room) = budget.checked_sub(around) else { return Some(Packed::default()) };
    let mut packing = Packing::new(frame, counter, room);
    for passage in passages.iter().filter(|passage| !passage.chunk.text.trim().is_empty()) {
        if !goes_on() {
            return None;
        }
        if !packing.add(passage) {
            packing.add_a_part_of(passage);
            break;
        }
    }
    let pieces: Vec<&Piece> = packing.pieces().collect();
    if pieces.is_empty() {
        return Some(Packed::default());
    }
    let mut text = frame.head().to_owned();
    for piece in &pieces {
        text.extend([&piece.mark, shown(&piece.passage).0, "\n"]);
    }
    text.push_str(frame.foot());
    let citations = (1..).zip(pieces).map(|(n, piece)| Citation {
        n,
        document_id: piece.passage.chunk.document_id.clone(),
        span: shown(&piece.passage).1,
    });
    Some(Packed { tokens: around + packing.used, citations: citations.collect(), text })
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
    use crate::document::{Chunk, Document};
    use crate::merge::{Expand, Scores, expand};
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

    /// What was found is in the middle of what stands around it, of which there is far too much.
    #[test]
    fn what_was_found_stays_when_what_stands_around_it_is_cut() {
        let text = format!("{}The answer is größer. {}", text(), text());
        let chunks = cut_up("d", &text, 8);
        let matched = chunks.iter().find(|chunk| chunk.text.contains("The answer is größer.")).unwrap();
        for by in [Expand::Parent, Expand::Window(3)] {
            let found = expand(vec![passage(matched)], by, &chunks, &|| true).unwrap();
            for (budget, more) in [(64, true), (48, false), (16, false)] {
                let packed = pack(&found, budget, &Frame::plain(), &O200k);
                let span = packed.citations[0].span;
                assert!(
                    packed.tokens <= budget && packed.tokens + 12 > budget.min(40),
                    "{by:?} {budget} {}",
                    packed.tokens
                );
                assert_eq!(packed.text, format!("[1] A title\n{}\n", within(&text, span)));
                // With less than the chunk there is its beginning.
                assert!(span.start <= matched.span.start || !more, "{budget} {span:?}");
                assert_eq!(packed.text.contains("The answer is größer."), budget > 16, "{budget}: {}", packed.text);
                assert!(!more || packed.text.starts_with("[1] A title\nSentence"), "{}", packed.text);
            }
        }
    }

    #[test]
    fn nothing_is_packed_when_there_is_no_time() {
        let chunks = cut_up("d", &text(), 0);
        let found = [&chunks[6], &chunks[1]].map(passage);
        let asked = std::cell::Cell::new(0);
        let goes_on = || asked.replace(asked.get() + 1) < 1;
        assert_eq!(pack_while(&found, 500, &Frame::plain(), &O200k, &goes_on), None);
        assert_eq!(asked.get(), 2);
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
            text in "([A-Za-z語é]{1,9}( |, |\\. |\\n|\\n\\n|/ | /|  ){1,2}){1,120}",
            picked in prop::collection::vec(0_usize..1_000, 0..12),
            budget in 0_usize..400,
            overlap in 0_usize..16,
            is_marked in any::<bool>(),
        ) {
            let chunks = cut_up("d", &text, overlap);
            let found: Vec<Passage> = picked.iter().filter(|_| !chunks.is_empty()).map(|number| passage(&chunks[number % chunks.len()])).collect();
            let frame = if is_marked { Frame::marked(&found) } else { Frame::plain() };
            let packed = pack(&found, budget, &frame, &O200k);
            prop_assert_eq!(&packed, &naive::pack(&found, budget, &frame));
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

    /// All is counted again for each passage.
    mod naive {
        use super::*;
        use crate::chunk::around;

        struct Packing<'p>(&'p Frame, usize, Vec<Passage>);

        impl Packing<'_> {
            fn text(&self, pieces: &[Passage]) -> String {
                let framed = |(n, passage): (usize, &Passage)| {
                    self.0.passage(n, passage.chunk.title.as_deref(), None, shown(passage).0)
                };
                (1..).zip(pieces).map(framed).collect()
            }

            fn add(&mut self, passage: &Passage) -> bool {
                let (touched, mut pieces): (Vec<_>, Vec<_>) =
                    self.2.iter().cloned().enumerate().partition(|(_, piece)| piece.touches(passage));
                match touched.split_first() {
                    None => pieces.push((self.2.len(), passage.clone())),
                    Some(((first, piece), others)) => {
                        let Some(all) = piece.joined(passage) else { return false };
                        let Some(all) = others.iter().try_fold(all, |all, (_, piece)| all.joined(piece)) else {
                            return false;
                        };
                        pieces.push((*first, all));
                    }
                }
                pieces.sort_by_key(|(place, _)| *place);
                let pieces: Vec<Passage> = pieces.into_iter().map(|(_, piece)| piece).collect();
                let fits = O200k.count(&self.text(&pieces)) <= self.1;
                if fits {
                    self.2 = pieces;
                }
                fits
            }
        }

        pub(super) fn pack(passages: &[Passage], budget: usize, frame: &Frame) -> Packed {
            let outside = O200k.count(frame.head()) + O200k.count(frame.foot());
            let Some(room) = budget.checked_sub(outside) else { return Packed::default() };
            let mut packing = Packing(frame, room, Vec::new());
            for passage in passages.iter().filter(|passage| !passage.chunk.text.trim().is_empty()) {
                if packing.add(passage) {
                    continue;
                }
                let (text, span) = shown(passage);
                let part = |text: &str| {
                    let span = Span { start: span.start, end: span.start + text.chars().count() };
                    Passage {
                        chunk: Chunk { text: text.to_owned(), span, ..Chunk::clone(&passage.chunk) }.into(),
                        ..passage.clone()
                    }
                };
                let left = room - O200k.count(&packing.text(&packing.2));
                let mark = O200k.count(&frame.passage(packing.2.len() + 1, passage.chunk.title.as_deref(), None, ""));
                let (Some(mut most), mut less) = (left.checked_sub(mark), 1) else { break };
                while most >= if packing.2.is_empty() { 1 } else { 24 } {
                    let kept = &text[around(text, 0..text.len(), most, &O200k)];
                    if kept.is_empty() || packing.add(&part(kept)) {
                        break;
                    }
                    most = most.saturating_sub(less);
                    less *= 2;
                }
                break;
            }
            if packing.2.is_empty() {
                return Packed::default();
            }
            let text = format!("{}{}{}", frame.head(), packing.text(&packing.2), frame.foot());
            let citation = |(n, passage): (usize, &Passage)| Citation {
                n,
                document_id: passage.chunk.document_id.clone(),
                span: shown(passage).1,
            };
            let citations = (1..).zip(&packing.2).map(citation).collect();
            Packed { tokens: O200k.count(&text), text, citations }
        }
    }
}
