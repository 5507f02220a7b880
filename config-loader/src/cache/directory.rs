//! A directory on a volume: a file for each set that is started from it.

use std::{
    fmt,
    path::PathBuf,
    time::{Duration, SystemTime},
};

use chassis::exit::Code;

use super::Record;
use crate::{
    failure::Failure,
    publish::{
        disk::{self, Disk},
        explain,
    },
};

/// How the names of our files begin; the rest of the directory is not ours.
const PREFIX: &str = "last-good-";

/// Readable by the group, so that pods of one fsGroup share it, and by nobody else: prompts are not for everybody.
const MODE: u32 = 0o640;

/// Nobody takes so long to write a set.
const UNFINISHED: Duration = Duration::from_secs(60 * 60);

/// Each version of a configuration leaves one.
const FORGOTTEN: Duration = Duration::from_secs(365 * 24 * 60 * 60);

#[derive(Debug, Clone)]
pub(super) struct Directory {
    directory: PathBuf,
    path: PathBuf,
    largest: u64,
}

impl Directory {
    pub(super) fn new(directory: PathBuf, name: &str, largest: u64) -> Self {
        let path = directory.join(format!("{PREFIX}{name}.json"));
        Self { directory, path, largest }
    }

    /// What was kept, if anything was.
    pub(super) fn recall(&self) -> Result<Option<Record>, Failure> {
        let (bytes, _) = match Disk::new().read(&self.path, self.largest) {
            Ok(read) => read,
            Err(trouble) if trouble.error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(trouble) => return Err(explain::failure(trouble, 0, None)),
        };
        let broken = |wrong| Failure::unavailable(format!("{}: is no set: {wrong}", self.path.display()));
        Record::from_bytes(&bytes).map(Some).map_err(|wrong| broken(wrong).with_hint("it is replaced by the next run"))
    }

    /// Keeps a set in place of the one before, at once.
    pub(super) fn save(&self, record: &Record) -> Result<(), Failure> {
        let software = |error: serde_json::Error| Failure::new(Code::Software, error.to_string());
        let bytes = record.to_bytes().map_err(software)?;
        let needed = bytes.len() as u64;
        let explain = |trouble| explain::failure(trouble, needed, disk::free(&self.directory));
        let disk = Disk::new();
        disk.make_all(&self.directory).map_err(explain)?;
        self.sweep();
        // Pods that share the volume write at the same time: each has a name of its own until it is whole.
        let own = self.path.with_extension(format!("{}.tmp", unique()));
        let written = disk
            .write_new(&own, &bytes, MODE)
            .and_then(|file| disk.sync_file(&own, &file))
            .and_then(|()| disk.rename(&own, &self.path))
            .and_then(|()| disk.sync_directory(&self.directory));
        if written.is_err() {
            let _not_made_or_renamed = disk.unlink(&own);
        }
        written.map_err(explain)
    }

    /// Removes what killed runs have left, and sets that no pod has renewed for a year. How old a set may be is for those
    /// to say who use it, and they may be others. What cannot be removed is left.
    fn sweep(&self) {
        let Ok(names) = std::fs::read_dir(&self.directory) else { return };
        let now = SystemTime::UNIX_EPOCH + chassis::clock::unix();
        for entry in names.flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let most = match name.strip_prefix(PREFIX) {
                Some(rest) if rest.ends_with(".tmp") => UNFINISHED,
                Some(_) => FORGOTTEN,
                None => continue,
            };
            let modified = entry.metadata().and_then(|metadata| metadata.modified());
            let age = modified.ok().and_then(|modified| now.duration_since(modified).ok()).unwrap_or_default();
            if age > most {
                let _left = std::fs::remove_file(entry.path());
            }
        }
    }
}

impl fmt::Display for Directory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.path.display().fmt(f)
    }
}

/// No other process that writes to the same volume has it: the host's name is the pod's, and process numbers repeat.
fn unique() -> String {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    format!("{host}-{}-{}", std::process::id(), chassis::clock::unix().as_nanos())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use bytes::Bytes;

    use super::*;
    use crate::{
        settings::Spec,
        source::{Content, Fetched},
    };

    const DAY: Duration = Duration::from_secs(86_400);

    fn record(text: &'static str) -> Record {
        let content = Content::File(Bytes::from_static(text.as_bytes()));
        let fetched = Fetched { content, version: Some("7".to_owned()), resolved: None, media_type: None };
        Record {
            saved: Duration::from_secs(1_700_000_000),
            sources: [(Spec::File("/a".into()).identity(), fetched)].into(),
        }
    }

    fn at(path: &Path, name: &str) -> Directory {
        Directory::new(path.to_owned(), name, 1 << 20)
    }

    #[test]
    fn what_is_kept_comes_back_and_the_next_one_replaces_it() {
        let volume = tempfile::tempdir().unwrap();
        let path = volume.path().join("made/when/needed");
        let directory = at(&path, "0123456789abcdef");
        assert_eq!(directory.recall().unwrap(), None);
        for text in ["one", "two"] {
            directory.save(&record(text)).unwrap();
            assert_eq!(directory.recall().unwrap(), Some(record(text)));
        }
        assert_eq!(at(&path, "another-set-there").recall().unwrap(), None);
        assert_eq!(std::fs::read_dir(&path).unwrap().count(), 1, "nothing is left but the set");
    }

    #[test]
    fn what_is_broken_or_too_large_is_told_and_then_replaced() {
        let volume = tempfile::tempdir().unwrap();
        let directory = at(volume.path(), "0123456789abcdef");
        for broken in [b"{\"version\":1".to_vec(), vec![b' '; (1 << 20) + 1]] {
            std::fs::write(&directory.path, broken).unwrap();
            let failure = directory.recall().unwrap_err();
            assert_eq!(failure.code, Code::Unavailable);
            assert!(failure.message.contains("last-good-0123456789abcdef.json"), "{failure}");
            directory.save(&record("good")).unwrap();
            assert_eq!(directory.recall().unwrap(), Some(record("good")));
        }
    }

    #[test]
    fn what_is_forgotten_or_half_written_is_removed_and_what_is_somebody_elses_stays() {
        let volume = tempfile::tempdir().unwrap();
        for (name, days) in [
            ("last-good-forgotten.json", 366),
            ("last-good-x.killed.tmp", 1),
            ("last-good-of-a-neighbour.json", 100),
            ("last-good-y.being-written.tmp", 0),
            ("somebody-elses", 1_000),
        ] {
            let file = std::fs::File::create(volume.path().join(name)).unwrap();
            file.set_modified(SystemTime::UNIX_EPOCH + chassis::clock::unix() - DAY * days).unwrap();
        }
        at(volume.path(), "new").save(&record("x")).unwrap();
        let names = std::fs::read_dir(volume.path()).unwrap().map(|entry| entry.unwrap().file_name());
        let mut left: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
        left.sort();
        let expected =
            ["last-good-new.json", "last-good-of-a-neighbour.json", "last-good-y.being-written.tmp", "somebody-elses"];
        assert_eq!(left, expected);
    }
}
