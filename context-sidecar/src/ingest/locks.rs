//! Who writes which document right now, in this process: one at a time. Nobody waits for another document's writer, and so
//! no tenant for another one.

use std::{
    collections::HashMap,
    hash::{BuildHasher as _, RandomState},
    sync::{Arc, Mutex as Quick, PoisonError},
};

use context_core::scope::Scope;
use tokio::sync::{Mutex, OwnedMutexGuard};

/// Locks of the documents that are being written, and of no others: there are as many as requests in flight have documents
/// in them.
#[derive(Debug, Default)]
pub(crate) struct Locks {
    hasher: RandomState,
    /// By 64 bits of a hash with a secret key, of tenant, collection and document.
    known: Quick<HashMap<u64, Arc<Mutex<()>>>>,
}

/// Documents that are held, or waited for, until it is dropped.
#[derive(Debug)]
pub(crate) struct Held<'l> {
    locks: &'l Locks,
    names: Vec<u64>,
    guards: Vec<OwnedMutexGuard<()>>,
}

impl Locks {
    /// Holds these documents of a scope. Always in the same order, so that nobody waits for somebody who waits.
    pub(crate) async fn hold(&self, scope: &Scope, documents: impl Iterator<Item = &str>) -> Held<'_> {
        let mut names: Vec<u64> = documents.map(|id| self.hasher.hash_one((scope, id))).collect();
        names.sort_unstable();
        names.dedup();
        let mut held = Held { locks: self, names: Vec::with_capacity(names.len()), guards: Vec::new() };
        for name in names {
            // Noted before it is waited for: whoever gives up waiting leaves nothing behind.
            held.names.push(name);
            let lock = Arc::clone(self.known.lock().unwrap_or_else(PoisonError::into_inner).entry(name).or_default());
            held.guards.push(lock.lock_owned().await);
        }
        held
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.guards.clear();
        let mut known = self.locks.known.lock().unwrap_or_else(PoisonError::into_inner);
        for name in &self.names {
            // One that is not the map's alone is somebody else's.
            if known.get(name).is_some_and(|lock| Arc::strong_count(lock) == 1) {
                known.remove(name);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::poll;

    use super::*;

    fn scope(tenant: &str) -> Scope {
        Scope { tenant: tenant.parse().unwrap(), collection: "docs".parse().unwrap() }
    }

    #[tokio::test]
    async fn nobody_waits_for_anothers_documents_and_nothing_stays() {
        let locks = Locks::default();
        let ids: Vec<String> = (0..1_000).map(|id| id.to_string()).collect();
        let all = || ids.iter().map(String::as_str);
        let (ours, theirs) = (scope("slow"), scope("other"));
        let slow = locks.hold(&ours, all()).await;
        // More than any number of stripes: two of them would share one.
        let patience = std::time::Duration::from_secs(60);
        let other = tokio::time::timeout(patience, locks.hold(&theirs, all())).await.unwrap();
        let mut same = Box::pin(locks.hold(&ours, ["999", "7"].into_iter()));
        let mut gives_up = Box::pin(locks.hold(&ours, ["3"].into_iter()));
        assert!(poll!(&mut same).is_pending() && poll!(&mut gives_up).is_pending());
        drop(gives_up);
        drop(slow);
        let same = tokio::time::timeout(patience, same).await.unwrap();
        drop((same, other));
        assert!(locks.known.lock().unwrap().is_empty());
    }
}
