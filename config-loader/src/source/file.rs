//! A file or a directory of this container: what a ConfigMap or a Secret is mounted as.
//!
//! The kubelet writes the entries of a ConfigMap into a dated directory, points the symlink `..data` at it, and gives
//! the entries stable names beside that, which are symlinks through it. It replaces all of them at once by swapping
//! that one symlink. So what begins with a dot is the kubelet's own, the name that `..data` points at is a version, and
//! what was read while it changed is of two versions and no good.

mod read;
mod walk;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use async_trait::async_trait;
use bytes::Bytes;
#[cfg(feature = "redis")]
use chassis::secret::Secret;
use chassis::units::Size;
use tokio::task;

use super::{Content, Fetched, Limits, Source};
use crate::failure::{Failure, Retry};

/// A password is short.
#[cfg(feature = "redis")]
const MAX_SECRET: u64 = 64 << 10;

/// So are configuration files and keys.
const MAX_TEXT: u64 = 4 << 20;

/// Where to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// A file, or a directory whose files are all taken.
    pub path: PathBuf,
}

/// The source of a file or of a directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    path: PathBuf,
}

impl File {
    /// A source that reads there. Nothing is looked at so far.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self { path: settings.path }
    }
}

#[async_trait]
impl Source for File {
    fn location(&self) -> String {
        self.path.display().to_string()
    }

    async fn fetch(&self, limits: Limits) -> Result<Fetched, Failure> {
        let path = self.path.clone();
        blocking(move || fetch(&path, &limits)).await
    }
}

/// The text of a small file, such as a key: a pipe or a device is not waited for. It blocks.
///
/// # Errors
/// [`Failure`], when it cannot be read, is too large or is not text. It does not show the text.
pub(crate) fn text(path: &Path) -> Result<String, Failure> {
    let bytes = read::read(path, MAX_TEXT)?;
    String::from_utf8(bytes.into()).map_err(|_| Failure::data(format!("{}: is not UTF-8 text", path.display())))
}

/// The text of a file that holds one secret, such as a password, without the line's end.
///
/// # Errors
/// [`Failure`], when it cannot be read or is not text. It does not show the text.
#[cfg(feature = "redis")]
pub(crate) async fn secret(path: &Path) -> Result<Secret, Failure> {
    let path = path.to_owned();
    blocking(move || {
        let bytes = read::read(&path, MAX_SECRET)?;
        let Ok(text) = std::str::from_utf8(&bytes) else {
            return Err(Failure::data(format!("{}: is not UTF-8 text", path.display()))
                .with_hint("put the password into it, and nothing else"));
        };
        Ok(Secret::new(text.trim_end_matches(['\r', '\n']).to_owned()))
    })
    .await
}

/// Files are read on threads that may block, so that a volume that hangs holds nothing else up.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    let lost = |error| Failure::new(chassis::exit::Code::Software, format!("the thread that reads files: {error}"));
    task::spawn_blocking(work).await.unwrap_or_else(|error| Err(lost(error)))
}

fn fetch(path: &Path, limits: &Limits) -> Result<Fetched, Failure> {
    let found = fs::metadata(path).map_err(|error| read::refused(path, &error))?;
    let (mount, many) = if found.is_dir() { (path, true) } else { (path.parent().unwrap_or(path), false) };
    let before = data(mount);
    let outcome = if many { directory(path, limits) } else { file(path, limits) };
    if data(mount) != before {
        let message = format!("{}: was replaced while it was read", path.display());
        return Err(Failure::unavailable(message).with_retry(Retry::Soon));
    }
    let (content, modified) = outcome?;
    let mut charge = limits.budget.charge();
    charge
        .take(content.size())
        .map_err(|failure| Failure { message: format!("{}: {}", path.display(), failure.message), ..failure })?;
    charge.keep();
    let through = before.filter(|before| many || leads_through(path, &mount.join(before)));
    let version = through.or_else(|| modified.and_then(told));
    Ok(Fetched { content, version, resolved: None, media_type: None })
}

fn file(path: &Path, limits: &Limits) -> Result<(Content, Option<SystemTime>), Failure> {
    let bytes = read::read(path, limits.file)?;
    Ok((Content::File(bytes), modified(path)))
}

fn directory(path: &Path, limits: &Limits) -> Result<(Content, Option<SystemTime>), Failure> {
    let mut newest = None;
    let mut files: Vec<(String, Bytes)> = Vec::new();
    let mut left = limits.set;
    for (name, file) in walk::files(path, limits.files)? {
        let bytes = read::read(&file, limits.file)?;
        let Some(rest) = left.checked_sub(u64::try_from(bytes.len()).unwrap_or(u64::MAX)) else {
            let (path, most) = (path.display(), Size::bytes(limits.set));
            let message = format!("{path}: its files are larger than {most} in all");
            return Err(Failure::data(message).with_hint("make them smaller, or raise limits.set"));
        };
        left = rest;
        files.push((name, bytes));
        newest = newest.max(modified(&file));
    }
    if files.is_empty() {
        let message = format!("{}: is a directory without files", path.display());
        let failure = Failure::unavailable(message).with_retry(Retry::Never);
        return Err(failure.with_hint("an optional ConfigMap or Secret that does not exist is mounted so; create it"));
    }
    Ok((Content::Directory(files), newest))
}

/// What `..data` points at, where the kubelet has mounted something.
fn data(mount: &Path) -> Option<String> {
    fs::read_link(mount.join("..data")).ok()?.to_str().map(ToOwned::to_owned)
}

fn leads_through(path: &Path, version: &Path) -> bool {
    let (path, version) = (fs::canonicalize(path), fs::canonicalize(version));
    path.is_ok_and(|path| version.is_ok_and(|version| path.starts_with(version)))
}

fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).ok()?.modified().ok()
}

fn told(modified: SystemTime) -> Option<String> {
    let since: Duration = modified.duration_since(SystemTime::UNIX_EPOCH).ok()?;
    Some(format!("modified-{}.{:09}", since.as_secs(), since.subsec_nanos()))
}

#[cfg(test)]
mod tests;
