//! Which state of a scope an answer was made from: a number that each write changes.

use std::{
    collections::HashMap,
    fmt,
    hash::{BuildHasher as _, RandomState},
    sync::{Mutex, PoisonError},
};

use context_core::scope::Scope;

/// So many scopes have a number at a time, unless told otherwise.
const MOST: usize = 100_000;

/// A state of a scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Epoch(u64);

impl Epoch {
    /// One that was never there before: the hasher's keys are random, and others each time.
    fn new() -> Self {
        Self(RandomState::new().hash_one(0))
    }
}

/// The states of all scopes, as far as this process knows. What others write to the same store is not seen here: for
/// that, answers have a time to live.
pub struct Epochs {
    known: Mutex<HashMap<Scope, Epoch>>,
    most: usize,
}

impl Epochs {
    /// For at most so many scopes at a time.
    #[must_use]
    pub fn of(most: usize) -> Self {
        Self { known: Mutex::default(), most: most.max(1) }
    }

    /// The state of a scope now. Take it before the store is asked: what is written meanwhile makes the answer old.
    #[must_use]
    pub fn now(&self, scope: &Scope) -> Epoch {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(epoch) = known.get(scope) {
            return *epoch;
        }
        self.set(&mut known, scope)
    }

    /// Somebody has written, or may have: to be called when the store has answered, whatever it said, and before that is
    /// passed on.
    pub fn bump(&self, scope: &Scope) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        self.set(&mut known, scope);
    }

    /// All scopes are in another state: the store was away, and who knows.
    pub fn bump_all(&self) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn set(&self, known: &mut HashMap<Scope, Epoch>, scope: &Scope) -> Epoch {
        // To forget a number is to be safe: the next is another one.
        if known.len() >= self.most && !known.contains_key(scope) {
            known.clear();
        }
        let epoch = Epoch::new();
        known.insert(scope.clone(), epoch);
        epoch
    }
}

impl Default for Epochs {
    fn default() -> Self {
        Self::of(MOST)
    }
}

impl fmt::Debug for Epochs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Epochs").field("most", &self.most).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(tenant: &str) -> Scope {
        Scope { tenant: tenant.parse().unwrap(), collection: "docs".parse().unwrap() }
    }

    #[test]
    fn a_write_changes_its_scope_and_no_other() {
        let epochs = Epochs::default();
        let (a, b) = (epochs.now(&scope("a")), epochs.now(&scope("b")));
        assert_ne!(a, b);
        epochs.bump(&scope("a"));
        assert_ne!(epochs.now(&scope("a")), a);
        assert_eq!(epochs.now(&scope("b")), b);
        epochs.bump_all();
        assert_ne!(epochs.now(&scope("b")), b);
        assert_ne!(Epochs::default().now(&scope("a")), Epochs::default().now(&scope("a")));
    }

    #[test]
    fn they_are_bounded_and_never_come_back() {
        let epochs = Epochs::of(3);
        let mut seen = std::collections::HashSet::new();
        for round in 0..50 {
            assert!(seen.insert(epochs.now(&scope(&format!("t{round}")))));
            assert!(epochs.known.lock().unwrap().len() <= 3);
        }
    }
}
