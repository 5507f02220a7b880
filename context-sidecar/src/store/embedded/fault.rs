//! What the file's errors mean for whoever has to act on them.

use std::io::{self, ErrorKind};
use std::path::Path;

use crate::store::Fault;

/// Whether `redb` does nothing more with the file until it is opened anew.
pub(super) const fn given_up(error: &redb::Error) -> bool {
    matches!(error, redb::Error::Io(_) | redb::Error::PreviousIo | redb::Error::DatabaseClosed)
}

/// What an error of the database means.
pub(super) fn fault(path: &Path, error: &redb::Error) -> Fault {
    let file = path.display();
    #[allow(clippy::wildcard_enum_match_arm, reason = "the library's own errors are many, and may become more")]
    match error {
        redb::Error::Io(error) if is_full(error) => Fault::Full(format!(
            "{file} cannot grow: {error}; nothing of this write was kept, and what was there is still found: make the volume \
             larger, or delete documents"
        )),
        redb::Error::Io(error) if error.kind() == ErrorKind::InvalidData => damaged(path),
        redb::Error::Io(error) => Fault::Unavailable(format!("{file}: {error}; check the volume")),
        redb::Error::DatabaseAlreadyOpen | redb::Error::LockProtocolMismatch => Fault::Refused(format!(
            "{file} is in use by another process: give each its own CONTEXT_DATA_DIR, or share a Qdrant (QDRANT_URL)"
        )),
        redb::Error::UpgradeRequired(version) => Fault::Corrupt(format!(
            "{file} has file format {version}, which this program does not read: run the version that wrote it, or name \
             another CONTEXT_DATA_DIR and ingest again"
        )),
        redb::Error::Corrupted(_)
        | redb::Error::TableTypeMismatch { .. }
        | redb::Error::TypeDefinitionChanged { .. }
        | redb::Error::TableIsMultimap(_)
        | redb::Error::TableDoesNotExist(_) => damaged(path),
        other => Fault::Unavailable(format!("{file}: {other}; restart, and check the volume if that does not help")),
    }
}

/// What is in the file is not what was written.
pub(super) fn damaged(path: &Path) -> Fault {
    Fault::Corrupt(format!(
        "{} is damaged, or is no store: restore it from a backup, or move it away and ingest again",
        path.display()
    ))
}

/// Why there is no file.
pub(super) fn unopened(path: &Path, error: &io::Error) -> Fault {
    let path = path.display();
    if is_full(error) {
        return Fault::Full(format!("{path} cannot be made: {error}; make the volume larger"));
    }
    Fault::Refused(format!(
        "{path} cannot be opened: {error}; CONTEXT_DATA_DIR must be a directory that this user may write to (fsGroup or \
         runAsUser of the pod)"
    ))
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge)
}
