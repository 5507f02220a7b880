//! What is in memory beside what is on the disk, and how both go the same way.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use context_core::{
    filter::Filter,
    point::PointId,
    scope::{Collection, Scope},
};

use super::{
    disk::{Disk, Removed},
    record::Record,
    rows::Rows,
};
use crate::store::{Fault, Kind};

/// Of fewer points than this, it is worth knowing which words they had.
const FEW: usize = 1_000;

/// The store.
pub(super) struct Inner {
    pub(super) disk: Disk,
    pub(super) ceiling: usize,
    pub(super) index: RwLock<Index>,
    /// Held from before a commit until searches see it, so that memory and disk go the same way. The number of the last
    /// commit that is in memory.
    pub(super) writer: Mutex<u64>,
}

/// What is in memory.
#[derive(Default)]
pub(super) struct Index {
    pub(super) kinds: HashMap<Collection, Kind>,
    pub(super) scopes: HashMap<Scope, Arc<RwLock<Rows>>>,
}

impl Index {
    pub(super) fn load(disk: &Disk) -> Result<Self, Fault> {
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
    pub(super) fn new(disk: Disk, ceiling: usize) -> Result<Self, Fault> {
        let index = Index::load(&disk)?;
        let commit = disk.commit()?;
        Ok(Self { disk, ceiling, index: RwLock::new(index), writer: Mutex::new(commit) })
    }

    pub(super) fn kind(&self, name: &Collection) -> Result<Kind, Fault> {
        let index = self.index.read().unwrap_or_else(PoisonError::into_inner);
        index.kinds.get(name).cloned().ok_or_else(|| Fault::NoCollection(name.clone()))
    }

    /// What there is of a scope; `None` where nothing is.
    pub(super) fn rows(&self, scope: &Scope) -> Result<Option<Arc<RwLock<Rows>>>, Fault> {
        let index = self.index.read().unwrap_or_else(PoisonError::into_inner);
        if !index.kinds.contains_key(&scope.collection) {
            return Err(Fault::NoCollection(scope.collection.clone()));
        }
        Ok(index.scopes.get(scope).cloned())
    }

    /// Asks the rows of a scope.
    pub(super) fn ask<T: Default>(&self, scope: &Scope, what: impl FnOnce(&Rows) -> T) -> Result<T, Fault> {
        let rows = self.rows(scope)?;
        Ok(rows.map(|rows| what(&rows.read().unwrap_or_else(PoisonError::into_inner))).unwrap_or_default())
    }

    pub(super) fn put(&self, scope: &Scope, records: Vec<Record>) -> Result<(), Fault> {
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
        if new < ids.len() {
            rows.remove(&ids, (ids.len() < FEW).then_some(&removed));
        }
        records.into_iter().for_each(|record| rows.add(record.entry));
        Ok(())
    }

    pub(super) fn delete(&self, scope: &Scope, which: impl FnOnce(&Rows) -> Vec<PointId>) -> Result<u64, Fault> {
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

    /// Gives points another time to be gone.
    pub(super) fn prolong(&self, scope: &Scope, filter: &Filter, expires: u64) -> Result<(), Fault> {
        let mut last = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(rows) = self.rows(scope)? else { return Ok(()) };
        let ids = rows.read().unwrap_or_else(PoisonError::into_inner).of_filter(filter);
        if ids.is_empty() {
            return Ok(());
        }
        let done = self.disk.prolong(scope, &ids, expires);
        self.written(&mut last, done)?;
        rows.write().unwrap_or_else(PoisonError::into_inner).prolong(&ids, expires);
        Ok(())
    }

    /// The words of what was removed. A write that failed may be on the disk all the same, where the error came after it
    /// had been written: then memory is read anew.
    fn written(&self, last: &mut u64, done: Result<Removed, Fault>) -> Result<Vec<u32>, Fault> {
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

#[cfg(test)]
mod tests {
    use context_core::{
        document::{Chunk, Metadata, Span},
        point::{Point, Sparse},
    };

    use super::*;

    fn record(scope: &Scope, document: &str) -> Record {
        let chunk = Chunk {
            document_id: document.to_owned(),
            chunk: 0,
            text: "t".to_owned(),
            span: Span { start: 0, end: 1 },
            title: None,
            url: None,
            metadata: Metadata::new(),
        };
        let lexical = Sparse { indices: vec![1], values: vec![1.0] };
        let id = PointId::of(scope, document, 0, "");
        let point = Point {
            id,
            chunk,
            hash: String::new(),
            version: Default::default(),
            written: 0,
            expires: None,
            dense: None,
            lexical,
        };
        Record::of(&point).unwrap()
    }

    #[test]
    fn what_a_failed_write_has_left_on_the_disk_is_in_memory_too() {
        let directory = tempfile::tempdir().unwrap();
        let inner = Inner::new(Disk::open(directory.path()).unwrap(), 10).unwrap();
        let scope = Scope { tenant: "acme".parse().unwrap(), collection: "docs".parse().unwrap() };
        inner.disk.create(&scope.collection, &Kind { dense: None }).unwrap();
        inner.index.write().unwrap().kinds.insert(scope.collection.clone(), Kind { dense: None });
        inner.put(&scope, vec![record(&scope, "a")]).unwrap();
        // It was committed, and then the disk said that it was not.
        inner.disk.write(&scope, &[record(&scope, "b")], &[PointId::of(&scope, "a", 0, "")]).unwrap();
        let failed = Err(Fault::Unavailable("the disk is gone".to_owned()));
        let told = inner.written(&mut inner.writer.lock().unwrap(), failed).unwrap_err();
        assert_eq!(told, Fault::Unavailable("the disk is gone".to_owned()));
        let documents = inner.ask(&scope, |rows| rows.documents(None, None, 9, 0)).unwrap();
        assert_eq!(documents, [("b".to_owned(), 1)]);
        inner.put(&scope, vec![record(&scope, "c")]).unwrap();
        assert_eq!(inner.ask(&scope, Rows::len).unwrap(), 2);
    }
}
