//! A store within the process: exact search in memory, everything on disk, for a laptop or a small pod.
//!
//! Vectors, words and metadata are in memory (about 2 KB a chunk at 384 numbers), texts are read from the disk when they
//! are found. Whatever is written is committed and synced first and then shown to searches, which wait for no commit: a
//! writer holds them up for as long as it takes to copy vectors.
//!
//! A word weighs what it does among the chunks of its scope. Qdrant does the same from 1.19 on, before that it looks at
//! the whole collection; for a collection of one tenant it is one and the same.

mod best;
mod disk;
mod fault;
mod file;
mod matrix;
mod postings;
mod record;
mod rows;

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use async_trait::async_trait;
use context_core::{
    filter::Filter,
    point::{Point, PointId},
    scope::{Collection, Scope},
};

use super::{Fault, Found, Kind, Legs, Store, Which, valid};
use disk::Disk;
use record::Record;
use rows::Rows;

/// The most chunks, of all collections and tenants together. Beyond that, looking at all of them takes too long, and too
/// much memory for a sidecar: some 200 MB.
pub const CEILING: usize = 100_000;

/// Fewer multiplications than this take less time than handing them to another thread.
const AT_ONCE: usize = 1 << 18;

/// Of fewer points than this, it is worth knowing which words they had.
const FEW: usize = 1_000;

/// The store of one process.
#[derive(Debug, Clone)]
pub struct Embedded(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    disk: Disk,
    ceiling: usize,
    index: RwLock<Index>,
    /// Held from before a commit until searches see it, so that memory and disk go the same way. The number of the last
    /// commit that is in memory.
    writer: Mutex<u64>,
}

#[derive(Debug, Default)]
struct Index {
    kinds: HashMap<Collection, Kind>,
    scopes: HashMap<Scope, Arc<RwLock<Rows>>>,
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
        let index = Index::load(&disk)?;
        let commit = disk.commit()?;
        Ok(Self(Arc::new(Inner { disk, ceiling, index: RwLock::new(index), writer: Mutex::new(commit) })))
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

impl Index {
    fn load(disk: &Disk) -> Result<Self, Fault> {
        let kinds: HashMap<_, _> = disk.collections()?.into_iter().collect();
        let mut scopes: HashMap<Scope, Rows> = HashMap::new();
        disk.load(|scope, entry| {
            let dimension = kinds.get(&scope.collection).map_or(0, Kind::dimension);
            scopes.entry(scope).or_insert_with(|| Rows::new(dimension)).add(entry);
        })?;
        scopes.values_mut().for_each(Rows::shrink);
        let scopes = scopes.into_iter().map(|(scope, rows)| (scope, Arc::new(RwLock::new(rows)))).collect();
        Ok(Self { kinds, scopes })
    }

    fn len(&self) -> usize {
        self.scopes.values().map(|rows| rows.read().unwrap_or_else(PoisonError::into_inner).len()).sum()
    }
}

impl Inner {
    fn kind(&self, name: &Collection) -> Result<Kind, Fault> {
        let index = self.index.read().unwrap_or_else(PoisonError::into_inner);
        index.kinds.get(name).cloned().ok_or_else(|| Fault::NoCollection(name.clone()))
    }

    /// What there is of a scope; `None` where nothing is.
    fn rows(&self, scope: &Scope) -> Result<Option<Arc<RwLock<Rows>>>, Fault> {
        let index = self.index.read().unwrap_or_else(PoisonError::into_inner);
        if !index.kinds.contains_key(&scope.collection) {
            return Err(Fault::NoCollection(scope.collection.clone()));
        }
        Ok(index.scopes.get(scope).cloned())
    }

    /// Asks the rows of a scope.
    fn ask<T: Default>(&self, scope: &Scope, what: impl FnOnce(&Rows) -> T) -> Result<T, Fault> {
        let rows = self.rows(scope)?;
        Ok(rows.map(|rows| what(&rows.read().unwrap_or_else(PoisonError::into_inner))).unwrap_or_default())
    }

    fn put(&self, scope: &Scope, records: Vec<Record>) -> Result<(), Fault> {
        let mut last = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let ids: Vec<PointId> = records.iter().map(|record| record.entry.id).collect();
        let new = self.ask(scope, |rows| ids.iter().filter(|id| !rows.has(**id)).count())?;
        let new = if self.rows(scope)?.is_none() { ids.len() } else { new };
        let there = self.index.read().unwrap_or_else(PoisonError::into_inner).len();
        let ceiling = self.ceiling;
        if there + new > ceiling {
            return Err(Fault::Full(format!(
                "the embedded store holds {there} chunks, and {new} more would be beyond its {ceiling}: use Qdrant (QDRANT_URL) \
                 for as much, or delete documents"
            )));
        }
        let removed = self.disk.write(scope, &records, &[]);
        let removed = self.written(&mut last, removed)?;
        let dimension = self.kind(&scope.collection)?.dimension();
        let rows = {
            let mut index = self.index.write().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(index.scopes.entry(scope.clone()).or_insert_with(|| Arc::new(RwLock::new(Rows::new(dimension)))))
        };
        let mut rows = rows.write().unwrap_or_else(PoisonError::into_inner);
        rows.remove(&ids, (ids.len() < FEW).then_some(&removed));
        records.into_iter().for_each(|record| rows.add(record.entry));
        Ok(())
    }

    fn delete(&self, scope: &Scope, which: impl FnOnce(&Rows) -> Vec<PointId>) -> Result<u64, Fault> {
        let mut last = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(rows) = self.rows(scope)? else { return Ok(0) };
        let ids = which(&rows.read().unwrap_or_else(PoisonError::into_inner));
        if ids.is_empty() {
            return Ok(0);
        }
        let removed = self.disk.write(scope, &[], &ids);
        let removed = self.written(&mut last, removed)?;
        let left = {
            let mut rows = rows.write().unwrap_or_else(PoisonError::into_inner);
            rows.remove(&ids, (ids.len() < FEW).then_some(&removed));
            rows.len()
        };
        if left == 0 {
            self.index.write().unwrap_or_else(PoisonError::into_inner).scopes.remove(scope);
        }
        Ok(ids.len() as u64)
    }

    /// The words of what was removed. A write that failed may be on the disk all the same, where the error came after it
    /// had been written: then memory is read anew.
    fn written(&self, last: &mut u64, done: Result<disk::Removed, Fault>) -> Result<Vec<u32>, Fault> {
        match done {
            Ok(removed) => {
                *last = removed.commit;
                Ok(removed.words)
            }
            Err(fault) => {
                if let Ok(commit) = self.disk.commit()
                    && commit != *last
                    && let Ok(index) = Index::load(&self.disk)
                {
                    *self.index.write().unwrap_or_else(PoisonError::into_inner) = index;
                    *last = commit;
                }
                Err(fault)
            }
        }
    }
}

#[async_trait]
impl Store for Embedded {
    fn describe(&self) -> String {
        let path = self.0.disk.path();
        format!("embedded {}", path.parent().unwrap_or(path).display())
    }

    async fn collection(&self, name: &Collection) -> Result<Option<Kind>, Fault> {
        match self.0.kind(name) {
            Ok(kind) => Ok(Some(kind)),
            Err(Fault::NoCollection(_)) => Ok(None),
            Err(fault) => Err(fault),
        }
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

    async fn search(&self, scope: &Scope, legs: &Legs, filter: Option<&Filter>) -> Result<Found, Fault> {
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
                return Ok(rows.search(legs, filter));
            }
        }
        let (legs, filter) = (legs.clone(), filter.cloned());
        self.blocking(move |_| Ok(rows.read().unwrap_or_else(PoisonError::into_inner).search(&legs, filter.as_ref())))
            .await
    }

    async fn get(&self, scope: &Scope, ids: &[PointId], vectors: bool) -> Result<Vec<Point>, Fault> {
        self.0.kind(&scope.collection)?;
        let (scope, ids) = (scope.clone(), ids.to_vec());
        self.blocking(move |inner| inner.disk.read(&scope, &ids, vectors)).await
    }

    async fn chunks(&self, scope: &Scope, documents: &[String]) -> Result<Vec<Point>, Fault> {
        let (scope, documents) = (scope.clone(), documents.to_vec());
        self.blocking(move |inner| {
            let ids = inner.ask(&scope, |rows| rows.of_documents(&documents))?;
            inner.disk.read(&scope, &ids, false)
        })
        .await
    }

    async fn documents(
        &self,
        scope: &Scope,
        filter: Option<&Filter>,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<(String, u32)>, Fault> {
        let (scope, filter, after) = (scope.clone(), filter.cloned(), after.map(str::to_owned));
        self.blocking(move |inner| inner.ask(&scope, |rows| rows.documents(filter.as_ref(), after.as_deref(), limit)))
            .await
    }

    async fn put(&self, scope: &Scope, points: &[Point]) -> Result<(), Fault> {
        valid::points(points, &self.0.kind(&scope.collection)?)?;
        // The last of each id is the one that stays.
        let mut seen = std::collections::HashSet::new();
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

    async fn expire(&self, collection: &Collection, now: u64) -> Result<(), Fault> {
        self.0.kind(collection)?;
        let collection = collection.clone();
        self.blocking(move |inner| {
            let scopes: Vec<Scope> = {
                let index = inner.index.read().unwrap_or_else(PoisonError::into_inner);
                index.scopes.keys().filter(|scope| scope.collection == collection).cloned().collect()
            };
            scopes.iter().try_for_each(|scope| inner.delete(scope, |rows| rows.expired(now)).map(|_| ()))
        })
        .await
    }

    async fn ping(&self) -> Result<(), Fault> {
        self.blocking(|inner| inner.disk.ping()).await
    }
}
