//! What is published now.

use std::path::Path;

use super::{
    PublishedFile,
    disk::{Disk, Found},
    explain,
    plan::{self, DATA},
};
use crate::{
    failure::Failure,
    manifest::{self, Manifest},
};

/// The largest manifest that is read, in bytes.
const LARGEST_MANIFEST: u64 = 64 * 1024 * 1024;

/// The set in a directory, if there is one; its files as they are, whatever the manifest says of them.
///
/// # Errors
/// What cannot be read, or a manifest that is none.
pub fn published(directory: &Path) -> Result<Option<(Manifest, Vec<PublishedFile>)>, Failure> {
    let disk = Disk::new();
    let explain = |trouble| explain::failure(trouble, 0, None);
    if !directory.exists() {
        return Ok(None);
    }
    // `..data` is followed once: all that is read is of one version, even if another is published meanwhile.
    let listing = disk.list(directory).map_err(explain)?;
    let version = match (plan::current(&listing), listing.get(DATA)) {
        (Some(version), _) => directory.join(version),
        (None, Some(Found::Link(_) | Found::Directory | Found::Other)) => {
            return Err(explain::in_the_way(directory, &[DATA.to_owned()]));
        }
        (None, None) => return Ok(None),
    };
    let path = version.join(manifest::NAME);
    let (bytes, _) = disk.read(&path, LARGEST_MANIFEST).map_err(explain)?;
    let manifest = Manifest::from_bytes(&bytes)
        .map_err(|wrong| Failure::data(format!("`{}` is no manifest: {wrong}", path.display())))?;
    let files = manifest.files.iter().map(|file| {
        let (bytes, mode) = disk.read(&version.join(&file.target), u64::MAX).map_err(explain)?;
        Ok(PublishedFile { target: file.target.clone(), bytes: bytes.into(), mode })
    });
    let files = files.collect::<Result<_, Failure>>()?;
    Ok(Some((manifest, files)))
}

/// What a manifest would say of the files that are really there: somebody may have changed them.
#[must_use]
pub fn as_found(mut manifest: Manifest, files: &[PublishedFile]) -> Manifest {
    for (told, file) in manifest.files.iter_mut().zip(files) {
        told.sha256 = manifest::sha256(&file.bytes);
        told.bytes = file.bytes.len() as u64;
        told.mode = manifest::octal(file.mode);
    }
    manifest
}

/// Whether a version is this set already: every file whole, and a manifest that says the same. What cannot be read is not.
pub(super) fn same(disk: &Disk<'_>, version: &Path, files: &[PublishedFile], manifest: &Manifest) -> bool {
    let there = |target: &str, limit: u64| disk.read(&version.join(target), limit).ok();
    let told = there(manifest::NAME, LARGEST_MANIFEST).and_then(|(bytes, _)| Manifest::from_bytes(&bytes).ok());
    told.is_some_and(|told| told.agrees(manifest))
        && files.iter().filter(|file| file.target != manifest::NAME).all(|file| {
            there(&file.target, file.bytes.len() as u64)
                .is_some_and(|(bytes, mode)| bytes == file.bytes && mode == file.mode)
        })
}
