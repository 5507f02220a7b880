//! Who writes which document right now, in this process: one at a time.

use context_core::scope::Scope;
use std::hash::{BuildHasher as _, RandomState};
use tokio::sync::{Mutex, MutexGuard};

/// More documents than are written at once, so that few wait for another one's.
const STRIPES: u64 = 256;

/// Locks that documents share, by their hash.
#[derive(Debug)]
pub(crate) struct Locks {
    hasher: RandomState,
    stripes: Vec<Mutex<()>>,
}

impl Default for Locks {
    fn default() -> Self {
        Self { hasher: RandomState::new(), stripes: (0..STRIPES).map(|_| Mutex::new(())).collect() }
    }
}

impl Locks {
    /// Holds these documents of a scope. Always in the same order, so that nobody waits for somebody who waits.
    pub(crate) async fn hold(&self, scope: &Scope, documents: impl Iterator<Item = &str>) -> Vec<MutexGuard<'_, ()>> {
        let mut stripes: Vec<u64> = documents.map(|id| self.hasher.hash_one((scope, id)) % STRIPES).collect();
        stripes.sort_unstable();
        stripes.dedup();
        let mut held = Vec::with_capacity(stripes.len());
        for stripe in stripes {
            if let Some(lock) = usize::try_from(stripe).ok().and_then(|stripe| self.stripes.get(stripe)) {
                held.push(lock.lock().await);
            }
        }
        held
    }
}
