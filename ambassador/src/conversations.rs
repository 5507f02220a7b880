//! How many conversations are going on: the gauge that autoscaling by conversations reads.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// How long after its last request a conversation counts as going on.
pub const WINDOW: Duration = Duration::from_secs(5 * 60);

/// Conversations that are told apart; more are not counted. Far beyond what one pod can serve.
const MAX: usize = 65_536;

/// The conversations seen lately. Only hashes are kept: an id may be a user's name.
#[derive(Debug, Default)]
pub struct Conversations {
    hasher: RandomState,
    last_seen: Mutex<HashMap<u64, Instant>>,
}

impl Conversations {
    /// Takes note of a request of the conversation `id`.
    pub fn seen(&self, id: &str, now: Instant) {
        let hash = self.hasher.hash_one(id);
        let mut last_seen = self.last_seen.lock().unwrap_or_else(PoisonError::into_inner);
        if last_seen.len() >= MAX && !last_seen.contains_key(&hash) {
            retain(&mut last_seen, now);
            if last_seen.len() >= MAX {
                return;
            }
        }
        last_seen.insert(hash, now);
    }

    /// How many are going on.
    #[must_use]
    pub fn active(&self, now: Instant) -> usize {
        let mut last_seen = self.last_seen.lock().unwrap_or_else(PoisonError::into_inner);
        retain(&mut last_seen, now);
        last_seen.len()
    }
}

fn retain(last_seen: &mut HashMap<u64, Instant>, now: Instant) {
    last_seen.retain(|_, seen| now.saturating_duration_since(*seen) < WINDOW);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_conversation_counts_once_and_for_five_minutes() {
        let conversations = Conversations::default();
        let start = chassis::clock::now();
        for (id, at) in [("a", 0), ("b", 10), ("a", 200)] {
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
}
