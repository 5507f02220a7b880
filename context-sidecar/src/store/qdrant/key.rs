//! The API key, from a file that is read again when it has changed: a key that was renewed is the one that is sent.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use chassis::secret::{Secret, read_keys};

use crate::store::Fault;

/// What a file looks like from outside. The kubelet swaps a link, so that another file is there at once.
type Look = (u64, u64, i64, i64);

/// A file with a key in it.
#[derive(Debug)]
pub(super) struct KeyFile {
    path: PathBuf,
    last: Mutex<Option<(Look, Secret)>>,
}

impl KeyFile {
    pub(super) const fn new(path: PathBuf) -> Self {
        Self { path, last: Mutex::new(None) }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The key that is in it now.
    pub(super) fn read(&self) -> Result<Secret, Fault> {
        let look = fs::metadata(&self.path).ok().map(|file| (file.ino(), file.size(), file.mtime(), file.mtime_nsec()));
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let (Some(look), Some((known, key))) = (look, &*last)
            && look == *known
        {
            return Ok(key.clone());
        }
        let keys = read_keys(&self.path).map_err(|error| Fault::Refused(format!("QDRANT_API_KEY_FILE: {error}")))?;
        let [key] = keys.as_slice() else {
            let (path, many) = (self.path.display(), keys.len());
            return Err(Fault::Refused(format!(
                "QDRANT_API_KEY_FILE: {path}: holds {many} keys; leave the one that is to be sent"
            )));
        };
        *last = look.map(|look| (look, key.clone()));
        Ok(key.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_that_is_in_the_file_is_the_one_that_is_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key");
        let file = KeyFile::new(path.clone());
        assert!(file.read().unwrap_err().to_string().contains("no such file"));
        for key in ["first", "second-one", "third"] {
            fs::write(&path, format!("{key}\n")).unwrap();
            assert_eq!(file.read().unwrap().expose(), key);
            assert_eq!(file.read().unwrap().expose(), key);
        }
        fs::write(&path, "one\ntwo-of-them\n").unwrap();
        let told = file.read().unwrap_err().to_string();
        assert!(told.contains("holds 2 keys") && !told.contains("two-of-them"), "{told}");
    }
}
