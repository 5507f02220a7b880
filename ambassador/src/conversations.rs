//! How many conversations are going on: the gauge that autoscaling by conversations reads.

use std::{
    collections::{BTreeSet, HashMap},
    hash::{BuildHasher, RandomState},
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// How long after its last request a conversation counts as going on.
pub const WINDOW: Duration = Duration::from_secs(5 * 60);

/// Conversations that are told apart; more are not counted. Far beyond what one pod can serve.
const MAX: usize = 65_536;

/// Conversations that are forgotten under one lock by whoever counts them. Requests wait for that lock.
const BATCH: usize = 256;

/// The conversations seen lately. Only hashes are kept: an id may be a user's name.
#[derive(Debug, Default)]
pub struct Conversations {
    hasher: RandomState,
    seen: Mutex<Seen>,
}

/// When each was last seen, and all in that order: what is over stands first, and nothing has to be gone through.
#[derive(Debug, Default)]
struct Seen {
    last: HashMap<u64, Instant>,
    in_order: BTreeSet<(Instant, u64)>,
}

impl Conversations {
    /// Takes note of a request of the conversation `id`.
    pub fn seen(&self, id: &str, now: Instant) {
        let hash = self.hasher.hash_one(id);
        let mut seen = self.lock();
        // A request adds one conversation at most, so two at a time are sure to make room.
        seen.forget(now, 2);
        if seen.last.len() < MAX || seen.last.contains_key(&hash) {
            seen.note(hash, now);
        }
    }

    /// How many are going on.
    #[must_use]
    pub fn active(&self, now: Instant) -> usize {
        loop {
            let mut seen = self.lock();
            if seen.forget(now, BATCH) < BATCH {
                return seen.last.len();
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seen {
    /// Threads take the time before they take the lock, so a later request may come first: the later time stays.
    fn note(&mut self, hash: u64, now: Instant) {
        let known = self.last.get(&hash).copied();
        if known.is_none_or(|known| known < now) {
            if let Some(known) = known {
                self.in_order.remove(&(known, hash));
            }
            self.last.insert(hash, now);
            self.in_order.insert((now, hash));
        }
    }

    /// Forgets up to `most` of those that are over, and says how many.
    fn forget(&mut self, now: Instant, most: usize) -> usize {
        for forgotten in 0..most {
            match self.in_order.first().copied() {
                Some(first @ (seen, hash)) if now.saturating_duration_since(seen) >= WINDOW => {
                    self.in_order.remove(&first);
                    self.last.remove(&hash);
                }
                _ => return forgotten,
            }
        }
        most
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conversation_counts_once_and_for_five_minutes() {
        let conversations = Conversations::default();
        let start = chassis::clock::now();
        for (id, at) in [("a", 0), ("b", 10), ("a", 200), ("a", 199)] {
            conversations.seen(id, start + Duration::from_secs(at));
        }
        let active = |at| conversations.active(start + Duration::from_secs(at));
        assert_eq!([active(200), active(311), active(499), active(500)], [2, 1, 1, 0]);
    }

    #[test]
    fn a_flood_of_ids_stays_bounded() {
        let conversations = Conversations::default();
        let start = chassis::clock::now();
        for id in 0..MAX + 100 {
            conversations.seen(&id.to_string(), start);
        }
        assert_eq!(conversations.active(start), MAX);
        conversations.seen("later", start + WINDOW);
        assert_eq!(conversations.active(start + WINDOW), 1);
    }

    #[test]
    fn whoever_comes_when_it_is_full_forgets_a_few_and_not_all() {
        let conversations = Conversations::default();
        let start = chassis::clock::now();
        for id in 0..MAX {
            conversations.seen(&id.to_string(), start);
        }
        let held = || {
            let seen = conversations.lock();
            assert_eq!(seen.last.len(), seen.in_order.len());
            seen.last.len()
        };
        conversations.seen("one more", start);
        assert_eq!(held(), MAX, "none of them is over");
        conversations.seen("later", start + WINDOW);
        assert_eq!(held(), MAX - 1);
        conversations.seen("later", start + WINDOW);
        assert_eq!(held(), MAX - 3);
        assert_eq!(conversations.active(start + WINDOW), 1);
        assert_eq!(held(), 1);
    }
}
