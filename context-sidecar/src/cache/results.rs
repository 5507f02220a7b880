//! Answers that were given already. An answer has two lives: while its epoch is the scope's and it is young it stands for
//! the store; after that, for as long as it is kept, it is there for outages, and says how old it is.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use context_core::scope::Scope;
use moka::sync::Cache;
use sha2::{Digest as _, Sha256};

use super::Epoch;

/// What an entry costs besides its value, in bytes.
const OVERHEAD: usize = 256;

/// What was asked, and whose documents it was asked of.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Question {
    scope: Scope,
    digest: [u8; 32],
}

impl Question {
    /// A question in its normal form: all that makes a difference to the answer, in one way of writing it down.
    #[must_use]
    pub fn of(scope: Scope, normal: &[u8]) -> Self {
        Self { scope, digest: Sha256::digest(normal).into() }
    }

    /// Whose documents.
    #[must_use]
    pub const fn scope(&self) -> &Scope {
        &self.scope
    }
}

impl fmt::Debug for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Question").field("scope", &self.scope).finish_non_exhaustive()
    }
}

struct Kept<V> {
    value: Arc<V>,
    epoch: Epoch,
    at: Instant,
    bytes: usize,
}

impl<V> Clone for Kept<V> {
    fn clone(&self) -> Self {
        Self { value: Arc::clone(&self.value), ..*self }
    }
}

/// An answer for outages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stale<V> {
    /// What was answered then.
    pub value: Arc<V>,
    /// How long ago.
    pub age: Duration,
}

/// Answers, bounded in bytes.
pub struct Results<V> {
    cache: Cache<Question, Kept<V>>,
    ttl: Duration,
}

impl<V: Send + Sync + 'static> Results<V> {
    /// At most `bytes` of them; each is good for `ttl`, and kept for `outage` (the longer one) for when the store is
    /// down.
    #[must_use]
    pub fn of(bytes: u64, ttl: Duration, outage: Duration) -> Self {
        let weigh = |question: &Question, kept: &Kept<V>| {
            let scope = question.scope.tenant.as_str().len() + question.scope.collection.as_str().len();
            u32::try_from(kept.bytes.saturating_add(scope + OVERHEAD)).unwrap_or(u32::MAX)
        };
        let cache = Cache::builder()
            .max_capacity(bytes)
            .weigher(weigh)
            .time_to_live(outage.max(ttl))
            .support_invalidation_closures();
        Self { cache: cache.build(), ttl }
    }

    /// The answer, where it is of this epoch and young enough.
    #[must_use]
    pub fn fresh(&self, question: &Question, epoch: Epoch, now: Instant) -> Option<Arc<V>> {
        let kept = self.cache.get(question)?;
        let young = now.saturating_duration_since(kept.at) < self.ttl;
        (kept.epoch == epoch && young).then_some(kept.value)
    }

    /// The last answer there was, of whatever epoch. Only for when the store is down.
    #[must_use]
    pub fn stale(&self, question: &Question, now: Instant) -> Option<Stale<V>> {
        let kept = self.cache.get(question)?;
        Some(Stale { age: now.saturating_duration_since(kept.at), value: kept.value })
    }

    /// Keeps an answer of so many `bytes`. The epoch is the one from before the store was asked.
    pub fn put(&self, question: Question, epoch: Epoch, value: Arc<V>, bytes: usize, now: Instant) {
        self.cache.insert(question, Kept { value, epoch, at: now, bytes });
    }

    /// The same, for as long as `is_true`: whoever makes it untrue forgets what is kept after that, so that what is put in
    /// meanwhile has to be looked at once more.
    pub fn put_while(
        &self,
        question: Question,
        epoch: Epoch,
        value: Arc<V>,
        bytes: usize,
        now: Instant,
        is_true: impl Fn() -> bool,
    ) {
        if is_true() {
            self.put(question.clone(), epoch, value, bytes, now);
            if !is_true() {
                self.cache.invalidate(&question);
            }
        }
    }

    /// Forgets what was answered of a scope, for outages too: its documents were deleted for good.
    pub fn forget(&self, scope: &Scope) {
        let scope = scope.clone();
        // It fails only for caches that were built without support for it.
        let _ = self.cache.invalidate_entries_if(move |question, _| question.scope == scope);
    }

    /// How many bytes it holds, more or less.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.cache.run_pending_tasks();
        self.cache.weighted_size()
    }

    /// How many it holds, more or less.
    #[must_use]
    pub fn entries(&self) -> u64 {
        self.cache.entry_count()
    }
}

impl<V> fmt::Debug for Results<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Results").field("ttl", &self.ttl).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
