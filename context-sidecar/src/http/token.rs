//! A bearer token in a file, read anew when the file has changed: the kubelet renews it under our feet.

use std::{
    fmt, fs, io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use chassis::secret::{Secret, read_keys};
use http::HeaderValue;

use super::Trouble;

/// What differs when a file is another one, or was written to: device, inode, length, time of the last change.
type Stamp = (u64, u64, u64, i64, i64);

/// A bearer token in a file.
pub struct Token {
    path: PathBuf,
    known: Mutex<Option<(Stamp, HeaderValue)>>,
}

impl Token {
    /// The token in this file, which is read for the first time.
    ///
    /// # Errors
    /// A file that cannot be read, or does not hold one token.
    pub fn at(path: impl Into<PathBuf>) -> Result<Self, Trouble> {
        let token = Self { path: path.into(), known: Mutex::new(None) };
        token.header().map(|_| token)
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// What is sent as `authorization`. Where the file is away for a moment, the token that was in it last.
    pub(super) fn header(&self) -> Result<HeaderValue, Trouble> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let stamp = stamp(&self.path).ok();
        if let (Some((then, header)), Some(now)) = (&*known, stamp)
            && *then == now
        {
            return Ok(header.clone());
        }
        match (read(&self.path), stamp) {
            (Ok(header), Some(stamp)) => {
                *known = Some((stamp, header.clone()));
                Ok(header)
            }
            (Ok(header), None) => Ok(header),
            (Err(error), _) => match &*known {
                Some((_, header)) => {
                    tracing::warn!(%error, "a token cannot be read anew; the one that was there before is sent");
                    Ok(header.clone())
                }
                None => Err(error),
            },
        }
    }

    /// It was not accepted: next time the file is read, whether it seems to have changed or not.
    pub(super) fn forget(&self) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((stamp, _)) = &mut *known {
            *stamp = Stamp::default();
        }
    }
}

fn stamp(path: &Path) -> io::Result<Stamp> {
    let about = fs::metadata(path)?;
    Ok((about.dev(), about.ino(), about.len(), about.mtime(), about.mtime_nsec()))
}

fn read(path: &Path) -> Result<HeaderValue, Trouble> {
    let keys = read_keys(path).map_err(|error| Trouble::Token { message: error.to_string() })?;
    let [key] = <[Secret; 1]>::try_from(keys).map_err(|keys| Trouble::Token {
        message: format!("{}: holds {} tokens; leave the one that is to be sent", path.display(), keys.len()),
    })?;
    let mut header = HeaderValue::try_from(format!("Bearer {}", key.expose()))
        .map_err(|_| Trouble::Token { message: format!("{}: holds no token that can be sent", path.display()) })?;
    header.set_sensitive(true);
    Ok(header)
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Token").field(&self.path).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_that_changes_is_the_one_that_is_sent() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        assert!(Token::at(&path).unwrap_err().to_string().contains("no such file"));
        fs::write(&path, "one\n").unwrap();
        let token = Token::at(&path).unwrap();
        assert_eq!(token.header().unwrap(), "Bearer one");
        // As the kubelet does it: another file in its place.
        fs::write(dir.path().join("new"), "two\n").unwrap();
        fs::rename(dir.path().join("new"), &path).unwrap();
        assert_eq!(token.header().unwrap(), "Bearer two");
        fs::remove_file(&path).unwrap();
        assert_eq!(token.header().unwrap(), "Bearer two");
        fs::write(&path, "three\nfour\n").unwrap();
        assert_eq!(token.header().unwrap(), "Bearer two");
        let told = Token::at(&path).unwrap_err().to_string();
        assert!(told.contains("holds 2 tokens") && !told.contains("three"), "{told}");
        assert!(!format!("{token:?} {:?}", token.header()).contains("two"));
    }

    #[test]
    fn one_that_was_refused_is_read_again() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "one").unwrap();
        let token = Token::at(file.path()).unwrap();
        let before = fs::metadata(file.path()).unwrap().modified().unwrap();
        // The same length, the same time: nothing shows that it is another.
        fs::write(file.path(), "two").unwrap();
        fs::File::options().write(true).open(file.path()).unwrap().set_modified(before).unwrap();
        assert_eq!(token.header().unwrap(), "Bearer one");
        token.forget();
        assert_eq!(token.header().unwrap(), "Bearer two");
    }
}
