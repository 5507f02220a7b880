//! One file is read: only if it is one, and no more of it than is allowed.

use std::fs::{self, FileType, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};
use std::path::Path;

use bytes::Bytes;
use chassis::exit::Code;
use rustix::fs::OFlags;
use rustix::io::Errno;

use crate::failure::{Failure, Retry};

/// Reads a regular file of at most `limit` bytes. A pipe or a device is not opened: that alone may block, or do
/// something.
pub(super) fn read(path: &Path, limit: u64) -> Result<Bytes, Failure> {
    let refuse = |error| refused(path, &error);
    regular(path, fs::metadata(path).map_err(refuse)?.file_type())?;
    // If it has become a pipe since, it does not block either.
    let flags = (OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed();
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(refuse)?;
    let found = file.metadata().map_err(refuse)?;
    regular(path, found.file_type())?;
    if found.len() > limit {
        return Err(too_large(path, limit));
    }
    // Its size is a promise that files under /proc do not keep, nor those that grow.
    let mut bytes = Vec::with_capacity(usize::try_from(found.len()).unwrap_or_default());
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(refuse)?;
    if u64::try_from(bytes.len()).is_ok_and(|read| read > limit) {
        return Err(too_large(path, limit));
    }
    Ok(bytes.into())
}

fn regular(path: &Path, kind: FileType) -> Result<(), Failure> {
    let what = match kind {
        kind if kind.is_file() => return Ok(()),
        kind if kind.is_dir() => "a directory where a file is due",
        kind if kind.is_fifo() => "a pipe",
        kind if kind.is_socket() => "a socket",
        _ => "a device",
    };
    Err(Failure::data(format!("{}: is {what}", path.display())).with_hint("only regular files are read"))
}

fn too_large(path: &Path, limit: u64) -> Failure {
    Failure::data(format!("{}: is larger than the {limit} bytes that are allowed", path.display()))
        .with_hint("make it smaller, or raise max_size or limits.file")
}

/// What it means that the operating system said no.
pub(super) fn refused(path: &Path, error: &io::Error) -> Failure {
    let path = path.display();
    match (error.kind(), error.raw_os_error()) {
        // A volume is mounted before a container starts: what is missing then does not appear later.
        (io::ErrorKind::NotFound | io::ErrorKind::NotADirectory, _) => {
            Failure::unavailable(format!("{path}: there is no such file or directory"))
                .with_retry(Retry::Never)
                .with_hint("mount the ConfigMap or Secret there (and check its keys), or correct the path")
        }
        (io::ErrorKind::PermissionDenied, _) => {
            let user = rustix::process::geteuid().as_raw();
            Failure::denied(format!("{path}: may not be read by uid {user}, which this process runs as"))
                .with_hint("set fsGroup or runAsUser in the pod's securityContext, or the volume's defaultMode")
        }
        (_, Some(number)) if number == Errno::LOOP.raw_os_error() => {
            Failure::data(format!("{path}: is a symlink that leads to itself")).with_hint("correct the symlink")
        }
        (io::ErrorKind::InvalidFilename | io::ErrorKind::InvalidInput, _) => {
            Failure::new(Code::Config, format!("{path}: is no possible path ({error})")).with_hint("correct the path")
        }
        _ => Failure::unavailable(format!("{path}: cannot be read ({error})")).with_hint("look at the volume"),
    }
}
