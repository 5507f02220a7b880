//! How many tokens a piece of text has: the pairs of the lowest rank are merged first, as byte pair encoding has it.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::table;

/// Written by `build.rs`.
static TABLE: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/o200k_base.table"));

/// No token is longer, in bytes.
const LONGEST: usize = 128;

/// The rank of a token; `None` where these bytes are none.
fn rank(bytes: &[u8]) -> Option<u32> {
    if bytes.len() > LONGEST {
        return None;
    }
    let (slots, _) = TABLE.as_chunks::<8>();
    let hash = table::hash(bytes);
    for place in table::places(hash) {
        match u64::from_le_bytes(*slots.get(place)?) {
            table::EMPTY => return None,
            slot if table::fingerprint(slot) == table::fingerprint(hash) => {
                return u32::try_from(slot % table::RANKS).ok();
            }
            _ => {}
        }
    }
    None
}

/// The number of tokens of one piece.
pub(super) fn count(piece: &[u8]) -> usize {
    if piece.is_empty() {
        0
    } else if rank(piece).is_some() {
        1
    } else {
        Merging::of(piece).count()
    }
}

/// A piece, cut into tokens that become fewer. A token is known by where it begins.
struct Merging<'a> {
    piece: &'a [u8],
    /// Where the token after the one that begins here begins.
    next: Vec<usize>,
    /// Where the one before it begins; for what begins nothing any more, [`GONE`].
    previous: Vec<usize>,
    /// What two neighbours would be together: rank, beginning, end. The lowest rank first, of equals the leftmost.
    pairs: BinaryHeap<Reverse<(u32, usize, usize)>>,
}

const GONE: usize = usize::MAX;

impl<'a> Merging<'a> {
    fn of(piece: &'a [u8]) -> Self {
        let next = (1..=piece.len()).collect();
        let previous = (0..piece.len()).map(|at| at.saturating_sub(1)).collect();
        let mut merging = Self { piece, next, previous, pairs: BinaryHeap::new() };
        for at in 0..piece.len() {
            merging.consider(at);
        }
        merging
    }

    fn next(&self, at: usize) -> Option<usize> {
        self.next.get(at).copied()
    }

    /// Whether the token that begins here and the one after it are one, too.
    fn consider(&mut self, at: usize) {
        let Some(end) = self.next(at).and_then(|middle| self.next(middle)) else { return };
        if let Some(rank) = self.piece.get(at..end).and_then(rank) {
            self.pairs.push(Reverse((rank, at, end)));
        }
    }

    fn count(mut self) -> usize {
        let mut tokens = self.piece.len();
        while let Some(Reverse((_, at, end))) = self.pairs.pop() {
            let Some(middle) = self.next(at) else { continue };
            let is_there = self.previous.get(at).is_some_and(|before| *before != GONE);
            // Or one of the two has been merged with another since.
            if !is_there || self.next(middle) != Some(end) {
                continue;
            }
            tokens -= 1;
            set(&mut self.next, at, end);
            set(&mut self.previous, middle, GONE);
            set(&mut self.previous, end, at);
            self.consider(at);
            if let Some(before) = self.previous.get(at).copied().filter(|before| *before != at) {
                self.consider(before);
            }
        }
        tokens
    }
}

/// At the end of the piece nothing begins, so that there is nothing to set.
fn set(places: &mut [usize], at: usize, to: usize) {
    if let Some(place) = places.get_mut(at) {
        *place = to;
    }
}
