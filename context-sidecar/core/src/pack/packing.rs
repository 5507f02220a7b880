//! A context while it is packed: its pieces, where they are, and how many tokens they have.
//!
//! Nothing is counted twice: the tokens of what grows are those that it had, and what changes between two places where a
//! token must end.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::shown;
use crate::chunk::around;
use crate::document::{Chunk, Span};
use crate::merge::Passage;
use crate::prompt::Frame;
use crate::tokens::{Counter, count_within, first_break, last_break};

/// A part of a passage with fewer tokens than this is not worth its mark.
const FEWEST: usize = 24;

/// So many pieces of other versions of a document are looked at behind the first that does not reach a passage.
const VERSIONS: usize = 4;

/// A passage with its mark.
#[derive(Clone)]
pub(super) struct Piece {
    pub(super) passage: Passage,
    pub(super) mark: String,
    /// Its number.
    n: usize,
    /// Of the mark.
    before: usize,
    /// Of the text, and the end of its line.
    within: usize,
}

impl Piece {
    const fn tokens(&self) -> usize {
        self.before + self.within
    }
}

pub(super) struct Packing<'p> {
    frame: &'p Frame,
    counter: &'p dyn Counter,
    /// Tokens for all the pieces.
    room: usize,
    /// Tokens of all the pieces.
    pub(super) used: usize,
    /// In their order; what has become a part of another one leaves its place empty.
    places: Vec<Option<Piece>>,
    /// How many of them are not empty.
    many: usize,
    /// By document and where they begin.
    index: HashMap<String, BTreeMap<(usize, usize), usize>>,
}

impl<'p> Packing<'p> {
    pub(super) fn new(frame: &'p Frame, counter: &'p dyn Counter, room: usize) -> Self {
        Self { frame, counter, room, used: 0, places: Vec::new(), many: 0, index: HashMap::new() }
    }

    pub(super) fn pieces(&self) -> impl Iterator<Item = &Piece> {
        self.places.iter().flatten()
    }

    /// The mark of a passage with this number, and its tokens.
    fn mark(&self, n: usize, passage: &Passage) -> (String, usize) {
        let chunk = &passage.chunk;
        let mark = self.frame.mark(n, chunk.title.as_deref(), chunk.url.as_deref());
        let (text, _) = shown(passage);
        if !text.starts_with('/') {
            let tokens = self.counter.count(&mark);
            return (mark, tokens);
        }
        // It may be one token with the end of the mark.
        let line = || format!("{text}\n");
        let head = first_break(text, 0).and_then(|at| text.get(..at)).map_or_else(line, str::to_owned);
        let both = self.counter.count(&format!("{mark}{head}"));
        (mark, both.saturating_sub(self.counter.count(&head)))
    }

    /// The tokens of a text and the end of its line; `None` where they are more than there is room for.
    fn line(&self, text: &str, room: usize) -> Option<usize> {
        let (head, tail) = text.split_at_checked(last_break(text).unwrap_or_default())?;
        let head = count_within(self.counter, head, room)?;
        Some(head + count_within(self.counter, &format!("{tail}\n"), room - head)?)
    }

    /// `None` where it has more tokens than there is room for.
    fn piece(&self, n: usize, passage: Passage, room: usize) -> Option<Piece> {
        let (mark, before) = self.mark(n, &passage);
        let within = self.line(shown(&passage).0, room.checked_sub(before)?)?;
        Some(Piece { passage, mark, n, before, within })
    }

    /// Adds a passage if there is room for all of it.
    pub(super) fn add(&mut self, passage: &Passage) -> bool {
        let touched = self.touched(passage);
        if !touched.is_empty() {
            return self.join(passage, &touched).is_some();
        }
        let Some(piece) = self.piece(self.many + 1, passage.clone(), self.room.saturating_sub(self.used)) else {
            return false;
        };
        self.used += piece.tokens();
        self.many += 1;
        self.put(self.places.len(), piece);
        true
    }

    /// The places of what touches a passage, in order.
    fn touched(&self, passage: &Passage) -> Vec<usize> {
        let Some(of_document) = self.index.get(&passage.chunk.document_id) else { return Vec::new() };
        let Span { start, end } = passage.chunk.span;
        let (mut touched, mut beyond) = (Vec::new(), 0);
        for (_, place) in of_document.range(..=(end, usize::MAX)).rev() {
            let Some(Some(piece)) = self.places.get(*place) else { continue };
            if piece.passage.chunk.span.end < start {
                beyond += 1;
                if beyond > VERSIONS {
                    break;
                }
            } else if piece.passage.touches(passage) {
                touched.push(*place);
            }
        }
        touched.sort_unstable();
        touched
    }

    fn put(&mut self, place: usize, piece: Piece) {
        let chunk = &piece.passage.chunk;
        if !self.index.contains_key(&chunk.document_id) {
            self.index.insert(chunk.document_id.clone(), BTreeMap::new());
        }
        if let Some(of_document) = self.index.get_mut(&chunk.document_id) {
            of_document.insert((chunk.span.start, place), place);
        }
        if place == self.places.len() {
            self.places.push(Some(piece));
        } else if let Some(there) = self.places.get_mut(place) {
            *there = Some(piece);
        }
    }

    fn take(&mut self, place: usize) {
        let Some(piece) = self.places.get_mut(place).and_then(Option::take) else { return };
        if let Some(of_document) = self.index.get_mut(&piece.passage.chunk.document_id) {
            of_document.remove(&(piece.passage.chunk.span.start, place));
        }
    }

    /// Makes a passage a part of those that it touches, if there is room for that. It may close the gap between two: both
    /// are where the better one is.
    fn join(&mut self, passage: &Passage, touched: &[usize]) -> Option<()> {
        let (first, others) = touched.split_first()?;
        let at = |place: &usize| self.places.get(*place).and_then(Option::as_ref);
        let mut all = at(first)?.clone();
        let was: usize = touched.iter().filter_map(at).map(Piece::tokens).sum();
        let mut others_of: Vec<&Passage> = vec![passage];
        others_of.extend(others.iter().filter_map(at).map(|piece| &piece.passage));
        for other in others_of {
            let (before, behind) = all.passage.more(other)?;
            all.within = self.grown(&all, before, behind)?;
            all.passage.take_in(other, before, behind);
            (all.mark, all.before) = self.mark(all.n, &all.passage);
        }
        let mut used = self.used - was + all.tokens();
        // Those behind what is empty now have other numbers.
        let mut renumbered = Vec::new();
        if let Some(gap) = others.first() {
            let mut n = self.places.iter().take(*gap).flatten().count();
            for (place, piece) in self.places.iter().enumerate().skip(*gap) {
                let Some(piece) = piece.as_ref().filter(|_| !others.contains(&place)) else { continue };
                n += 1;
                let (mark, before) = self.mark(n, &piece.passage);
                used = used - piece.before + before;
                renumbered.push((place, n, mark, before));
            }
        }
        if used > self.room {
            return None;
        }
        for place in touched {
            self.take(*place);
        }
        self.put(*first, all);
        for (place, n, mark, before) in renumbered {
            if let Some(piece) = self.places.get_mut(place).and_then(Option::as_mut) {
                (piece.n, piece.mark, piece.before) = (n, mark, before);
            }
        }
        self.many -= others.len();
        self.used = used;
        Some(())
    }

    /// The tokens of a piece's text with more before and behind it; `None` where they are more than there is room for.
    fn grown(&self, piece: &Piece, before: &str, behind: &str) -> Option<usize> {
        let (text, whole) = (shown(&piece.passage).0, &piece.passage.chunk.text);
        let skipped = whole.len() - whole.trim_start().len();
        let space = (whole.get(..skipped)?, whole.get(skipped + text.len()..)?);
        let (Some(first), Some(last)) = (first_break(text, 0), last_break(text)) else {
            return self.line(format!("{before}{whole}{behind}").trim(), self.room);
        };
        let (head, tail) = (text.get(..first)?, text.get(last..)?);
        let mut tokens = piece.within;
        if !before.trim_start().is_empty() {
            let grown = count_within(self.counter, format!("{before}{}{head}", space.0).trim_start(), self.room)?;
            tokens = (tokens + grown).saturating_sub(self.counter.count(head));
        }
        if !behind.trim_end().is_empty() {
            let grown = self.line(format!("{tail}{}{behind}", space.1).trim_end(), self.room)?;
            tokens = (tokens + grown).saturating_sub(self.line(tail, usize::MAX)?);
        }
        Some(tokens)
    }

    /// Adds what was found of a passage, with as much around it as there is room for, if that is worth it.
    pub(super) fn add_a_part_of(&mut self, passage: &Passage) {
        let (text, span) = shown(passage);
        let part = |bytes: std::ops::Range<usize>| {
            let start = span.start + text.get(..bytes.start).unwrap_or_default().chars().count();
            let text = text.get(bytes).unwrap_or_default().to_owned();
            let span = Span { start, end: start + text.chars().count() };
            let Chunk { document_id, chunk, title, url, metadata, .. } = &*passage.chunk;
            let (document_id, title, url) = (document_id.clone(), title.clone(), url.clone());
            let chunk = Chunk { document_id, chunk: *chunk, text, span, title, url, metadata: metadata.clone() };
            Passage { chunk: Arc::new(chunk), ..passage.clone() }
        };
        let Chunk { title, url, .. } = &*passage.chunk;
        let mark = self.counter.count(&self.frame.passage(self.many + 1, title.as_deref(), url.as_deref(), ""));
        let Some(mut most) = self.room.saturating_sub(self.used).checked_sub(mark) else { return };
        let core = {
            let at = |point: usize| span.chars_to_bytes(text, point.clamp(span.start, span.end) - span.start);
            at(passage.core.start).unwrap_or_default()..at(passage.core.end).unwrap_or(text.len())
        };
        let fewest = if self.many == 0 { 1 } else { FEWEST };
        let mut less = 1;
        while most >= fewest {
            let bytes = around(text, core.clone(), most, self.counter);
            if bytes.is_empty() || self.add(&part(bytes)) {
                return;
            }
            // What is cut off can change how the words beside it are counted: it is less and less likely that it is that.
            most = most.saturating_sub(less);
            less *= 2;
        }
    }
}
