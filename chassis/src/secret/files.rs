//! Keys as they come from outside: a file with a key a line, or a directory as the kubelet mounts a
//! Secret.
//!
//! The kubelet writes each entry of a Secret into a dated directory, points the symlink `..data` at
//! it, and gives the entries stable names beside it that are symlinks through `..data`. Swapping
//! that one symlink replaces all entries at once, so following the stable names is right, and
//! everything that begins with a dot is the kubelet's own.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::str;

use zeroize::Zeroizing;

use super::Secret;

/// A Kubernetes Secret cannot be larger than this, and no list of keys should be.
const MAX_BYTES: u64 = 1 << 20;

/// Why no keys could be read. Every message names the path and what to do; none shows a key.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// There is nothing at the path.
    #[error("{path}: no such file or directory; mount the Secret there, or correct the path")]
    Missing {
        /// The path that was asked for.
        path: PathBuf,
    },
    /// There is something at the path, but it holds no key.
    #[error(
        "{path}: holds no key; put one key a line into it (blank lines and lines that begin \
         with # do not count)"
    )]
    Empty {
        /// The file or directory without a key.
        path: PathBuf,
    },
    /// The operating system refused to read it.
    #[error("{path}: cannot be read ({source}); check its mode, and fsGroup or runAsUser of the pod")]
    Unreadable {
        /// The file or directory that could not be read.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// It is a device, a pipe or a socket, which may have no end.
    #[error("{path}: is neither a file nor a directory; put the keys into a file, one a line")]
    NotAFile {
        /// What is neither.
        path: PathBuf,
    },
    /// The bytes are not text.
    #[error("{path}: is not UTF-8 text; a key file holds one key a line, not binary data")]
    NotText {
        /// The file that is not text.
        path: PathBuf,
    },
    /// The file cannot be a list of keys.
    #[error("{path}: is larger than 1 MiB; a key file holds one key a line")]
    TooLarge {
        /// The file that is too large.
        path: PathBuf,
    },
    /// A line could not be sent as a credential.
    #[error(
        "{path}: line {line} has a space, a control or a non-ASCII character within the \
         key; put one key a line"
    )]
    NotAKey {
        /// The file with the line.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
    },
}

/// Reads the keys at `path`, in order and without repetitions; never an empty list.
///
/// A file holds one key a line; blank lines and lines that begin with `#` do not count, and white
/// space around a key is dropped. A directory is read as the kubelet mounts a Secret: every regular
/// file whose name does not begin with a dot, sorted by name, each as such a file.
///
/// # Errors
///
/// [`KeyFileError`], when the path is missing, unreadable, not text, too large, or holds no key.
pub fn read_keys(path: &Path) -> Result<Vec<Secret>, KeyFileError> {
    let mut keys = Vec::new();
    for file in files_at(path)? {
        for key in keys_in(&file)? {
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
    }
    if keys.is_empty() {
        return Err(KeyFileError::Empty { path: path.to_owned() });
    }
    Ok(keys)
}

fn files_at(path: &Path) -> Result<Vec<PathBuf>, KeyFileError> {
    let refuse = |source| refused(path, source);
    let kind = fs::metadata(path).map_err(refuse)?.file_type();
    if kind.is_file() {
        return Ok(vec![path.to_owned()]);
    }
    if !kind.is_dir() {
        return Err(KeyFileError::NotAFile { path: path.to_owned() });
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(path).map_err(refuse)? {
        let entry = entry.map_err(refuse)?;
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        let file = entry.path();
        // `metadata` follows the symlink, as `DirEntry::file_type` would not.
        if fs::metadata(&file).map_err(|source| refused(&file, source))?.is_file() {
            files.push(file);
        }
    }
    files.sort();
    Ok(files)
}

fn keys_in(path: &Path) -> Result<Vec<Secret>, KeyFileError> {
    let refuse = |source| refused(path, source);
    if fs::metadata(path).map_err(refuse)?.len() > MAX_BYTES {
        return Err(KeyFileError::TooLarge { path: path.to_owned() });
    }
    let bytes = Zeroizing::new(fs::read(path).map_err(refuse)?);
    let text = str::from_utf8(&bytes).map_err(|_| KeyFileError::NotText { path: path.to_owned() })?;
    let mut keys = Vec::new();
    for (index, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let key = line.trim();
        if key.is_empty() || key.starts_with('#') {
            continue;
        }
        if !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(KeyFileError::NotAKey { path: path.to_owned(), line: index + 1 });
        }
        keys.push(Secret::new(key.to_owned()));
    }
    Ok(keys)
}

fn refused(path: &Path, source: io::Error) -> KeyFileError {
    let path = path.to_owned();
    if source.kind() == io::ErrorKind::NotFound {
        return KeyFileError::Missing { path };
    }
    KeyFileError::Unreadable { path, source }
}
