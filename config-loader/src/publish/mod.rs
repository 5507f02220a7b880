//! A set into a directory: all of it at one moment, or nothing.
//!
//! Decided in `layout`, `plan` and `volume`, carried out in `carry`, one operation of the file system at a time in `disk`.
//! A process that is killed at any of them leaves the old set or the new one, and the next run sweeps what it left.

mod carry;
pub(crate) mod disk;
pub(crate) mod explain;
mod layout;
mod plan;
mod read;
mod volume;

use std::{path::Path, time::Duration};

use bytes::Bytes;
use chassis::exit::Code;

pub use self::read::{as_found, published};
use self::{carry::Carrier, disk::Disk, layout::Layout};
use crate::{
    failure::Failure,
    manifest::{self, Manifest},
};

/// A file to publish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedFile {
    /// Where it goes, relative to the directory.
    pub target: String,
    /// What is in it.
    pub bytes: Bytes,
    /// Its permissions, whatever the umask is.
    pub mode: u32,
}

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Published {
    /// Readers see another set than before, or the first one.
    Swapped,
    /// The same set was there already, with the same to say about its files.
    Unchanged,
}

/// Publishes a set with its manifest, whose files these are. It blocks, for `wait` at most when another one holds the
/// directory's lock.
///
/// The version before stays until the next run, for readers that are still in it.
///
/// # Errors
/// A target that cannot be one, something in the way that is not ours, a volume that is full, read-only or not ours to
/// write. What was published before stands then.
pub fn publish(
    directory: &Path,
    files: &[PublishedFile],
    manifest: &Manifest,
    wait: Duration,
) -> Result<Published, Failure> {
    publish_on(&Disk::new(), directory, files, manifest, wait)
}

fn publish_on(
    disk: &Disk<'_>,
    directory: &Path,
    files: &[PublishedFile],
    manifest: &Manifest,
    wait: Duration,
) -> Result<Published, Failure> {
    let mut files = files.to_vec();
    let bytes = manifest.to_bytes().map_err(|error| Failure::new(Code::Software, format!("the manifest: {error}")))?;
    files.push(PublishedFile { target: manifest::NAME.to_owned(), bytes: bytes.into(), mode: 0o444 });
    let layout = Layout::of(&files)?;
    let explain = |trouble| explain::failure(trouble, layout.bytes, disk::free(directory));

    disk.make_all(directory).map_err(explain)?;
    let until = chassis::clock::now() + wait;
    let _held = disk.lock(&directory.join(plan::LOCK), until).map_err(explain)?;
    let listing = disk.list(directory).map_err(explain)?;
    let unchanged =
        plan::current(&listing).is_some_and(|version| read::same(disk, &directory.join(version), &files, manifest));
    let fresh = (!unchanged).then(|| plan::fresh(&listing, &manifest.digest));
    let ops =
        plan::plan(&listing, &layout.tops, fresh.as_deref()).map_err(|names| explain::in_the_way(directory, &names))?;
    let durable = volume::outlives_the_pod(directory);
    if !durable {
        tracing::debug!(path = %directory.display(), "an emptyDir ends with its pod: nothing of it is synced");
    }
    Carrier::new(disk, directory, &files, &layout, durable).carry_out(&ops).map_err(explain)?;
    Ok(if unchanged { Published::Unchanged } else { Published::Swapped })
}

#[cfg(test)]
mod kill_tests;
#[cfg(test)]
mod tests;
