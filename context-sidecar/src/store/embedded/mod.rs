//! A store within the process: exact search in memory, everything on disk, for a laptop or a small pod.
//!
//! Vectors, words and metadata are in memory (some 3.5 KB a chunk at 384 numbers), texts are read from the disk when they
//! are found. Whatever is written is committed and synced first and then shown to searches, which wait for no commit: a
//! writer holds them up for as long as it takes to copy vectors.
//!
//! A word weighs what it does among the chunks of its scope. Qdrant does the same from 1.19 on, before that it looks at
//! the whole collection; for a collection of one tenant it is one and the same.

mod best;
mod disk;
mod fault;
mod file;
mod inner;
mod matrix;
mod postings;
mod record;
mod rows;

use std::collections::HashSet;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, PoisonError};

use async_trait::async_trait;
use context_core::{
    filter::Filter,
    point::{Point, PointId},
    scope::{Collection, Scope, Tenant},
};

use super::{Fault, Found, Kind, Legs, Store, Which, valid};
use disk::Disk;
use inner::Inner;
use record::Record;
use rows::Rows;

/// The most chunks, of all collections and tenants together. Beyond that, looking at all of them takes too long, and too
/// much memory for a sidecar: some 360 MB, and 1 GB on the disk, at 384 numbers a vector.
pub const CEILING: usize = 100_000;

/// So many multiplications take a tenth of a millisecond, which is not much more than handing them to another thread.
const AT_ONCE: usize = 1 << 20;

/// The store of one process.
#[derive(Clone)]
pub struct Embedded(Arc<Inner>);

impl fmt::Debug for Embedded {
    /// Nothing of what is in it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Embedded").field(&self.0.disk.path()).finish()
    }
}

impl Embedded {
    /// Opens the store in a directory, or makes one, and reads it into memory. It blocks.
    ///
    /// # Errors
    /// Another process has it open; it cannot be written to; what is in it was written by a newer version, or is damaged.
    pub fn open(directory: &Path) -> Result<Self, Fault> {
        Self::with_ceiling(directory, CEILING)
    }

    /// The same with another ceiling than [`CEILING`].
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn with_ceiling(directory: &Path, ceiling: usize) -> Result<Self, Fault> {
        let disk = Disk::open(directory)?;
        Ok(Self(Arc::new(Inner::new(disk, ceiling)?)))
    }

    /// Does what blocks on a thread that may.
    async fn blocking<T: Send + 'static>(
        &self,
        what: impl FnOnce(&Inner) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, Fault> {
        let inner = Arc::clone(&self.0);
        let done = tokio::task::spawn_blocking(move || what(&inner)).await;
        done.unwrap_or_else(|_| {
            Err(Fault::Unavailable("the embedded store failed; see the log for its panic".to_owned()))
        })
    }
}

/// Those that have not expired.
fn living(mut points: Vec<Point>, now: u64) -> Vec<Point> {
    points.retain(|point| point.expires.is_none_or(|expires| expires > now));
    points
}

#[async_trait]
impl Store for Embedded {
    fn describe(&self) -> String {
        let path = self.0.disk.path();
        format!("embedded {}", path.parent().unwrap_or(path).display())
    }

    /// It is locked by this process.
    fn is_shared(&self) -> bool {
        false
    }

    async fn collection(&self, name: &Collection) -> Result<Option<Kind>, Fault> {
        match self.0.kind(name) {
            Ok(kind) => Ok(Some(kind)),
            Err(Fault::NoCollection(_)) => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    async fn collections(&self) -> Result<Vec<Collection>, Fault> {
        let index = self.0.index.read().unwrap_or_else(PoisonError::into_inner);
        let mut names: Vec<Collection> = index.kinds.keys().cloned().collect();
        names.sort_unstable();
        Ok(names)
    }

    async fn create(&self, name: &Collection, kind: &Kind) -> Result<(), Fault> {
        let (name, kind) = (name.clone(), kind.clone());
        self.blocking(move |inner| {
            let _writer = inner.writer.lock().unwrap_or_else(PoisonError::into_inner);
            if let Ok(there) = inner.kind(&name) {
                return there.same_as(&kind, &name);
            }
            inner.disk.create(&name, &kind)?;
            inner.index.write().unwrap_or_else(PoisonError::into_inner).kinds.insert(name, kind);
            Ok(())
        })
        .await
    }

    async fn search(&self, scope: &Scope, legs: &Legs, filter: Option<&Filter>, now: u64) -> Result<Found, Fault> {
        let kind = self.0.kind(&scope.collection)?;
        valid::legs(legs, &kind)?;
        let Some(rows) = self.0.rows(scope)? else {
            return Ok(Found {
                dense: legs.dense.as_ref().map(|_| vec![]),
                lexical: legs.lexical.as_ref().map(|_| vec![]),
            });
        };
        {
            // A writer that is about to show what it wrote is not waited for on this thread.
            let rows = rows.try_read().ok().filter(|rows| rows.work(kind.dimension()) < AT_ONCE);
            if let Some(rows) = rows {
                return Ok(rows.search(legs, filter, now));
            }
        }
        let (legs, filter) = (legs.clone(), filter.cloned());
        self.blocking(move |_| {
            Ok(rows.read().unwrap_or_else(PoisonError::into_inner).search(&legs, filter.as_ref(), now))
        })
        .await
    }

    async fn get(&self, scope: &Scope, ids: &[PointId], vectors: bool, now: u64) -> Result<Vec<Point>, Fault> {
        self.0.kind(&scope.collection)?;
        let (scope, ids) = (scope.clone(), ids.to_vec());
        self.blocking(move |inner| inner.disk.read(&scope, &ids, vectors).map(|points| living(points, now))).await
    }

    async fn chunks(&self, scope: &Scope, documents: &[String], now: u64) -> Result<Vec<Point>, Fault> {
        let (scope, documents) = (scope.clone(), documents.to_vec());
        self.blocking(move |inner| {
            let ids = inner.ask(&scope, |rows| rows.of_documents(&documents))?;
            inner.disk.read(&scope, &ids, false).map(|points| living(points, now))
        })
        .await
    }

    async fn documents(
        &self,
        scope: &Scope,
        filter: Option<&Filter>,
        after: Option<&str>,
        limit: usize,
        now: u64,
    ) -> Result<Vec<(String, u32)>, Fault> {
        let (scope, filter, after) = (scope.clone(), filter.cloned(), after.map(str::to_owned));
        let documents = move |rows: &Rows| rows.documents(filter.as_ref(), after.as_deref(), limit, now);
        self.blocking(move |inner| inner.ask(&scope, documents)).await
    }

    async fn count(&self, scope: &Scope, now: u64) -> Result<u64, Fault> {
        self.0.ask(scope, |rows| rows.count(now) as u64)
    }

    async fn has_key(&self, scope: &Scope, key: &str, now: u64) -> Result<bool, Fault> {
        self.0.ask(scope, |rows| rows.has_key(key, now))
    }

    async fn keys(&self, scope: &Scope, now: u64) -> Result<Vec<String>, Fault> {
        self.0.ask(scope, |rows| rows.keys(now))
    }

    async fn put(&self, scope: &Scope, points: &[Point]) -> Result<(), Fault> {
        valid::points(points, &self.0.kind(&scope.collection)?)?;
        // The last of each id is the one that stays.
        let mut seen = HashSet::new();
        let last = points.iter().rev().filter(|point| seen.insert(point.id)).map(Record::of);
        let records = last.collect::<Option<Vec<_>>>();
        let records = records.ok_or_else(|| Fault::Refused("a chunk cannot be written as JSON".to_owned()))?;
        if records.is_empty() {
            return Ok(());
        }
        let scope = scope.clone();
        self.blocking(move |inner| inner.put(&scope, records)).await
    }

    async fn delete(&self, scope: &Scope, which: &Which) -> Result<u64, Fault> {
        let (scope, which) = (scope.clone(), which.clone());
        self.blocking(move |inner| {
            inner.delete(&scope, |rows| match which {
                Which::Points(ids) => {
                    let mut ids: Vec<_> = ids.into_iter().filter(|id| rows.has(*id)).collect();
                    ids.sort_unstable();
                    ids.dedup();
                    ids
                }
                Which::Documents(documents) => rows.of_documents(&documents),
                Which::Where(filter) => rows.of_filter(&filter),
                Which::All => rows.all(),
            })
        })
        .await
    }

    async fn prolong(&self, scope: &Scope, filter: &Filter, expires: u64) -> Result<(), Fault> {
        let (scope, filter) = (scope.clone(), filter.clone());
        self.blocking(move |inner| inner.prolong(&scope, &filter, expires)).await
    }

    async fn expire(&self, collection: &Collection, now: u64) -> Result<Vec<Tenant>, Fault> {
        self.0.kind(collection)?;
        let collection = collection.clone();
        self.blocking(move |inner| {
            let scopes: Vec<Scope> = {
                let index = inner.index.read().unwrap_or_else(PoisonError::into_inner);
                index.scopes.keys().filter(|scope| scope.collection == collection).cloned().collect()
            };
            let mut of = Vec::new();
            for scope in scopes {
                if inner.delete(&scope, |rows| rows.expired(now))? > 0 {
                    of.push(scope.tenant);
                }
            }
            Ok(of)
        })
        .await
    }

    async fn ping(&self) -> Result<(), Fault> {
        self.blocking(|inner| inner.disk.ping()).await
    }
}
