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

/// A piece of no more bytes is merged by looking at all pairs again and again: for few that is faster than order.
const SHORT: usize = 64;

/// Says where each token of a piece ends.
pub(super) fn each_end(piece: &[u8], mut say: impl FnMut(usize)) {
    if piece.is_empty() {
    } else if rank(piece).is_some() {
        say(piece.len());
    } else if piece.len() <= SHORT {
        short(piece, &mut say);
    } else {
        Merging::of(piece).each_end(say);
    }
}

/// A token of a short piece: where it begins, and the rank that it and the next one have together.
#[derive(Clone, Copy)]
struct Part {
    at: usize,
    rank: u32,
}

/// They are no token together.
const NONE: u32 = u32::MAX;

fn short(piece: &[u8], say: &mut impl FnMut(usize)) {
    let mut space = [Part { at: piece.len(), rank: NONE }; SHORT + 1];
    let together = |from: usize, to: usize| piece.get(from..to).and_then(rank).unwrap_or(NONE);
    for (at, part) in space.iter_mut().enumerate().take(piece.len()) {
        *part = Part { at, rank: if at + 2 > piece.len() { NONE } else { together(at, at + 2) } };
    }
    let mut length = piece.len();
    loop {
        let parts = space.get_mut(..=length).unwrap_or_default();
        let Some((lowest, part)) = parts.iter().enumerate().min_by_key(|(_, part)| part.rank) else { return };
        if part.rank == NONE {
            break;
        }
        parts.copy_within(lowest + 2.., lowest + 1);
        length -= 1;
        for changed in [Some(lowest), lowest.checked_sub(1)].into_iter().flatten() {
            let end = parts.get(changed + 2).filter(|_| changed + 2 <= length).map(|part| part.at);
            if let Some(part) = parts.get_mut(changed) {
                part.rank = end.map_or(NONE, |end| together(part.at, end));
            }
        }
    }
    space.iter().take(length + 1).skip(1).for_each(|part| say(part.at));
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

    fn each_end(mut self, mut say: impl FnMut(usize)) {
        while let Some(Reverse((_, at, end))) = self.pairs.pop() {
            let Some(middle) = self.next(at) else { continue };
            let is_there = self.previous.get(at).is_some_and(|before| *before != GONE);
            // Or one of the two has been merged with another since.
            if !is_there || self.next(middle) != Some(end) {
                continue;
            }
            set(&mut self.next, at, end);
            set(&mut self.previous, middle, GONE);
            set(&mut self.previous, end, at);
            self.consider(at);
            if let Some(before) = self.previous.get(at).copied().filter(|before| *before != at) {
                self.consider(before);
            }
        }
        let mut at = 0;
        while let Some(end) = self.next(at) {
            say(end);
            at = end;
        }
    }
}

/// At the end of the piece nothing begins, so that there is nothing to set.
fn set(places: &mut [usize], at: usize, to: usize) {
    if let Some(place) = places.get_mut(at) {
        *place = to;
    }
}
