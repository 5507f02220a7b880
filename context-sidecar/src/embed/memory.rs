//! Vectors that were made already, by model and text, bounded in bytes.

use std::{fmt, sync::Arc};

use moka::sync::Cache;
use sha2::{Digest as _, Sha256};

/// 64 MiB: some 40,000 vectors of 384 numbers.
const DEFAULT_BYTES: u64 = 64 << 20;

/// What an entry costs besides its numbers, in bytes.
const OVERHEAD: usize = 160;

/// Names a text as one model sees it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Key([u8; 32]);

impl Key {
    pub(super) fn of(model: &str, text: &str) -> Self {
        // With its length, so that no model and text are another model and text.
        let head = format!("{}:{model}:", model.len());
        Self(Sha256::new().chain_update(head).chain_update(text).finalize().into())
    }
}

/// Remembers vectors, for as many embedders as share it: the model is part of the key.
#[derive(Clone)]
pub struct Memory(Cache<Key, Arc<[f32]>>);

impl Memory {
    /// One of at most so many bytes.
    #[must_use]
    pub fn of(bytes: u64) -> Self {
        let weigh = |_: &Key, vector: &Arc<[f32]>| {
            u32::try_from(size_of_val::<[f32]>(vector).saturating_add(OVERHEAD)).unwrap_or(u32::MAX)
        };
        Self(Cache::builder().max_capacity(bytes).weigher(weigh).build())
    }

    pub(super) fn get(&self, key: &Key) -> Option<Arc<[f32]>> {
        self.0.get(key)
    }

    /// Whether it is there, without this being a use of it.
    pub(super) fn has(&self, key: &Key) -> bool {
        self.0.contains_key(key)
    }

    pub(super) fn put(&self, key: Key, vector: Arc<[f32]>) {
        self.0.insert(key, vector);
    }

    /// How many bytes it holds, more or less.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.0.run_pending_tasks();
        self.0.weighted_size()
    }

    /// How many it holds, more or less.
    #[must_use]
    pub fn entries(&self) -> u64 {
        self.0.entry_count()
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self::of(DEFAULT_BYTES)
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory").field("bytes", &self.0.weighted_size()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_model_has_anothers_vectors() {
        let keys = [("a", "b"), ("b", "a"), ("ab", ""), ("", "ab"), ("a:1", "x"), ("a", "1:x"), ("b", "b")];
        for (at, (model, text)) in keys.iter().enumerate() {
            for (other, text_of_other) in &keys[at + 1..] {
                assert!(Key::of(model, text) != Key::of(other, text_of_other), "{model} {other}");
            }
        }
    }

    #[test]
    fn it_holds_no_more_than_it_may() {
        let memory = Memory::of(100_000);
        for index in 0..1_000 {
            memory.put(Key::of("m", &index.to_string()), vec![0.5; 384].into());
        }
        assert!((1..=100_000).contains(&memory.bytes()), "{}", memory.bytes());
    }
}
