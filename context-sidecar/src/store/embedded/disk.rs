//! What is on the disk: one `redb` file. A write is there, synced, or it is not there at all.
//!
//! `redb` gives up on a file after the first error of the operating system, a full disk among them. So it is opened anew
//! then: what was committed is whole, and the store goes on.

use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{PoisonError, RwLock};

use context_core::{
    point::{Point, PointId},
    scope::{Collection, Scope, Tenant},
};
use redb::{Database, ReadableDatabase, ReadableTable, StorageError, TableDefinition, WriteTransaction};
use uuid::Uuid;

use super::{
    fault::{damaged, fault, given_up, unopened},
    file::Reserved,
    record::{self, Entry, Record},
};
use crate::store::{Fault, Kind};

/// The format of the tables. It is raised when an older program could not read them.
const FORMAT: u64 = 1;

/// The format, and how many writes there were.
const NUMBERS: TableDefinition<'_, &str, u64> = TableDefinition::new("numbers");
/// The model and the dimension of a collection; an empty model is none.
const COLLECTIONS: TableDefinition<'_, &str, (&str, u64)> = TableDefinition::new("collections");
/// Collection, tenant, point: so that a scope's points lie together.
type Key = (&'static str, &'static str, u128);
const PAYLOADS: TableDefinition<'_, Key, &[u8]> = TableDefinition::new("payloads");
const VECTORS: TableDefinition<'_, Key, &[u8]> = TableDefinition::new("vectors");

/// Of the file, so much stays in memory.
const CACHE: usize = 2 << 20;

/// The file.
#[derive(Debug)]
pub(super) struct Disk {
    path: PathBuf,
    database: RwLock<Option<Database>>,
}

/// What a write has taken away or replaced.
#[derive(Debug, Default)]
pub(super) struct Removed {
    /// All the words that it had.
    pub(super) words: Vec<u32>,
    /// The number of this write.
    pub(super) commit: u64,
}

impl Disk {
    /// Opens the file in `directory`, or makes it.
    pub(super) fn open(directory: &Path) -> Result<Self, Fault> {
        let path = directory.join("chunks.redb");
        fs::create_dir_all(directory).map_err(|error| unopened(directory, &error))?;
        let database = database(&path, true)?;
        let disk = Self { path, database: RwLock::new(Some(database)) };
        disk.found_or_made()?;
        Ok(disk)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Does something with the database; after an error of the operating system it is opened anew.
    fn with<T>(&self, what: impl Fn(&Database) -> Result<T, redb::Error>) -> Result<T, Fault> {
        for _ in 0..2 {
            let done = match &*self.database.read().unwrap_or_else(PoisonError::into_inner) {
                Some(database) => what(database),
                None => Err(redb::Error::PreviousIo),
            };
            match done {
                Ok(done) => return Ok(done),
                Err(error) => {
                    if given_up(&error) {
                        self.reopen()?;
                    }
                    // Another's error: this has not been tried yet.
                    if !matches!(error, redb::Error::PreviousIo) {
                        return Err(fault(&self.path, &error));
                    }
                }
            }
        }
        Err(fault(&self.path, &redb::Error::PreviousIo))
    }

    fn reopen(&self) -> Result<(), Fault> {
        let mut place = self.database.write().unwrap_or_else(PoisonError::into_inner);
        // Closed first: the lock on the file is its.
        drop(place.take());
        *place = Some(database(&self.path, false)?);
        tracing::warn!(path = %self.path.display(), "the store's file was opened anew after an error");
        Ok(())
    }

    fn found_or_made(&self) -> Result<(), Fault> {
        let found = self.with(|database| {
            let write = database.begin_write()?;
            let found = {
                let mut numbers = write.open_table(NUMBERS)?;
                let found = numbers.get("format")?.map(|format| format.value());
                if found.is_none() {
                    numbers.insert("format", FORMAT)?;
                }
                found
            };
            if found.is_none_or(|found| found == FORMAT) {
                write.open_table(COLLECTIONS)?;
                write.open_table(PAYLOADS)?;
                write.open_table(VECTORS)?;
            }
            write.commit()?;
            Ok(found)
        })?;
        match found {
            Some(format) if format != FORMAT => Err(Fault::Corrupt(format!(
                "{} has format {format}, and this program reads format {FORMAT}: run the version that wrote it, or name \
                 another CONTEXT_DATA_DIR and ingest again",
                self.path.display()
            ))),
            _ => Ok(()),
        }
    }

    /// The number of the last write.
    pub(super) fn commit(&self) -> Result<u64, Fault> {
        self.with(|database| {
            let read = database.begin_read()?;
            Ok(read.open_table(NUMBERS)?.get("commits")?.map_or(0, |commits| commits.value()))
        })
    }

    /// Keeps what a collection is for.
    pub(super) fn create(&self, name: &Collection, kind: &Kind) -> Result<(), Fault> {
        let (model, dimension) =
            kind.dense.as_ref().map_or(("", 0), |(model, dimension)| (model.as_str(), *dimension as u64));
        self.with(|database| {
            let write = database.begin_write()?;
            write.open_table(COLLECTIONS)?.insert(name.as_str(), (model, dimension))?;
            Ok(write.commit()?)
        })
    }

    /// All collections.
    pub(super) fn collections(&self) -> Result<Vec<(Collection, Kind)>, Fault> {
        let found = self.with(|database| {
            let read = database.begin_read()?;
            let mut found = Vec::new();
            for row in read.open_table(COLLECTIONS)?.iter()? {
                let (name, kind) = row?;
                let (model, dimension) = kind.value();
                found.push((name.value().to_owned(), model.to_owned(), dimension));
            }
            Ok(found)
        })?;
        let kind = |(name, model, dimension): (String, String, u64)| {
            let name = name.parse().ok()?;
            let dimension = usize::try_from(dimension).ok()?;
            Some((name, Kind { dense: if dimension == 0 { None } else { Some((model, dimension)) } }))
        };
        found.into_iter().map(|row| kind(row).ok_or_else(|| damaged(&self.path))).collect()
    }

    /// Reads all points, those of a scope one after another.
    pub(super) fn load(&self, mut each: impl FnMut(Scope, Entry)) -> Result<(), Fault> {
        let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
        let Some(database) = &*database else { return Err(fault(&self.path, &redb::Error::PreviousIo)) };
        let failed = |error: redb::Error| fault(&self.path, &error);
        let read = database.begin_read().map_err(|error| failed(error.into()))?;
        let table = |table| read.open_table(table).map_err(|error| failed(error.into()));
        let storage = |error: StorageError| failed(error.into());
        let (payloads, vectors) = (table(PAYLOADS)?, table(VECTORS)?);
        let (mut payloads, mut vectors) = (payloads.iter().map_err(storage)?, vectors.iter().map_err(storage)?);
        loop {
            let ((key, payload), (beside, vector)) = match (payloads.next(), vectors.next()) {
                (None, None) => return Ok(()),
                (Some(payload), Some(vector)) => (payload.map_err(storage)?, vector.map_err(storage)?),
                _ => return Err(damaged(&self.path)),
            };
            let (collection, tenant, id) = key.value();
            let scope = collection.parse::<Collection>().ok().zip(tenant.parse::<Tenant>().ok());
            let entry = record::entry(Uuid::from_u128(id).into(), payload.value(), vector.value());
            match (scope, entry) {
                (Some((collection, tenant)), Ok(entry)) if key.value() == beside.value() => {
                    each(Scope { tenant, collection }, entry);
                }
                _ => return Err(damaged(&self.path)),
            }
        }
    }

    /// Writes points and removes others, all of it or nothing, durably before it returns.
    pub(super) fn write(&self, scope: &Scope, put: &[Record], remove: &[PointId]) -> Result<Removed, Fault> {
        let key = |id: PointId| (scope.collection.as_str(), scope.tenant.as_str(), id.uuid().as_u128());
        let removed = self.with(|database| {
            let write = database.begin_write()?;
            let (mut words, commit) = (Ok(Vec::new()), next(&write)?);
            {
                let (mut payloads, mut vectors) = (write.open_table(PAYLOADS)?, write.open_table(VECTORS)?);
                let mut old = |vectors: &[u8]| {
                    if let Ok(all) = &mut words {
                        match record::words(vectors) {
                            Ok(more) => all.extend(more),
                            Err(damaged) => words = Err(damaged),
                        }
                    }
                };
                for record in put {
                    let key = key(record.entry.id);
                    payloads.insert(key, record.payload.as_slice())?;
                    if let Some(before) = vectors.insert(key, record.vectors.as_slice())? {
                        old(before.value());
                    }
                }
                for &id in remove {
                    payloads.remove(key(id))?;
                    if let Some(before) = vectors.remove(key(id))? {
                        old(before.value());
                    }
                }
            }
            let Ok(words) = words else { return Ok(Err(())) };
            write.commit()?;
            Ok(Ok(Removed { words, commit }))
        })?;
        removed.map(Removed::tidy).map_err(|()| damaged(&self.path))
    }

    /// Gives points another time to be gone, all of them or none.
    pub(super) fn prolong(&self, scope: &Scope, ids: &[PointId], expires: u64) -> Result<Removed, Fault> {
        let done = self.with(|database| {
            let write = database.begin_write()?;
            let commit = next(&write)?;
            {
                let mut payloads = write.open_table(PAYLOADS)?;
                for id in ids {
                    let key = (scope.collection.as_str(), scope.tenant.as_str(), id.uuid().as_u128());
                    let Some(payload) = payloads.get(key)?.map(|payload| record::prolonged(payload.value(), expires))
                    else {
                        continue;
                    };
                    let Ok(payload) = payload else { return Ok(Err(())) };
                    payloads.insert(key, payload.as_slice())?;
                }
            }
            write.commit()?;
            Ok(Ok(Removed { words: Vec::new(), commit }))
        })?;
        done.map_err(|()| damaged(&self.path))
    }

    /// Reads the points that are there, in the order of `ids`.
    pub(super) fn read(&self, scope: &Scope, ids: &[PointId], with_vectors: bool) -> Result<Vec<Point>, Fault> {
        let found = self.with(|database| {
            let read = database.begin_read()?;
            let (payloads, vectors) = (read.open_table(PAYLOADS)?, read.open_table(VECTORS)?);
            let mut found = Vec::with_capacity(ids.len());
            for &id in ids {
                let key = (scope.collection.as_str(), scope.tenant.as_str(), id.uuid().as_u128());
                let Some(payload) = payloads.get(key)? else { continue };
                let vectors = if with_vectors { vectors.get(key)? } else { None };
                found.push(record::point(id, payload.value(), vectors.as_ref().map(|vectors| vectors.value())));
            }
            Ok(found)
        })?;
        found.into_iter().map(|point| point.map_err(|_| damaged(&self.path))).collect()
    }

    /// Whether the file is open, or can be opened again.
    pub(super) fn ping(&self) -> Result<(), Fault> {
        self.commit().map(|_| ())
    }
}

impl Removed {
    fn tidy(mut self) -> Self {
        self.words.sort_unstable();
        self.words.dedup();
        self
    }
}

/// The number of a write.
fn next(write: &WriteTransaction) -> Result<u64, redb::Error> {
    let mut numbers = write.open_table(NUMBERS)?;
    let commit = numbers.get("commits")?.map_or(0, |commits| commits.value()) + 1;
    numbers.insert("commits", commit)?;
    Ok(commit)
}

/// Opens the file. To `check` it costs reading all of it, which is done at the start anyway.
fn database(path: &Path, check: bool) -> Result<Database, Fault> {
    let failed = |error: redb::Error| fault(path, &error);
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path);
    let file = file.map_err(|error: io::Error| unopened(path, &error))?;
    let backend = Reserved::new(file).map_err(|error| failed(error.into()))?;
    let mut builder = Database::builder();
    builder.set_cache_size(CACHE).set_check_integrity_on_open(check);
    builder.create_with_backend(backend).map_err(|error| failed(error.into()))
}
