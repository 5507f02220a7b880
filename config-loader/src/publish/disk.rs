//! The file system, one operation a function, each of them named for whoever has to mend what went wrong with it.
//!
//! Before each operation the gate is asked. It is open in production; tests close it, to see what a process leaves
//! behind that is killed there, or what happens on a volume that is full.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions, Permissions, TryLockError},
    io::{self, Read as _, Write as _},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use rustix::{fs::OFlags, io::Errno};

/// How much is written at once, in bytes.
const CHUNK: usize = 64 * 1024;

/// How long to wait before a lock is tried again.
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// Permissions of directories: readable by all, and ours to remove.
const DIRECTORY_MODE: u32 = 0o755;

/// Permissions of lock files: another user of the same group (fsGroup) must be able to take the lock.
const LOCK_MODE: u32 = 0o664;

/// An operation that is about to happen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Step {
    /// What, as in "cannot {what} `path`".
    pub(crate) what: &'static str,
    /// On what.
    pub(crate) path: PathBuf,
}

/// An operation that failed.
#[derive(Debug)]
pub(crate) struct Trouble {
    /// Which.
    pub(crate) step: Step,
    /// How.
    pub(crate) error: io::Error,
}

/// What a name in a directory is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Found {
    /// A symbolic link, and where it leads.
    Link(String),
    /// A directory.
    Directory,
    /// Anything else.
    Other,
}

/// The names in a directory.
pub(crate) type Listing = BTreeMap<String, Found>;

/// The file system.
pub(crate) struct Disk<'a> {
    gate: &'a dyn Fn(&Step) -> io::Result<()>,
}

impl Disk<'static> {
    /// The one that is there.
    pub(crate) fn new() -> Self {
        Self { gate: &|_| Ok(()) }
    }
}

impl Disk<'_> {
    fn step<T>(
        &self,
        what: &'static str,
        path: &Path,
        operation: impl FnOnce() -> io::Result<T>,
    ) -> Result<T, Trouble> {
        let step = Step { what, path: path.to_owned() };
        (self.gate)(&step).and_then(|()| operation()).map_err(|error| Trouble { step, error })
    }

    /// What is in a directory.
    pub(crate) fn list(&self, path: &Path) -> Result<Listing, Trouble> {
        self.step("list", path, || {
            let mut listing = Listing::new();
            for entry in fs::read_dir(path)? {
                let entry = entry?;
                let kind = entry.file_type()?;
                let found = if kind.is_symlink() {
                    Found::Link(fs::read_link(entry.path())?.to_string_lossy().into_owned())
                } else if kind.is_dir() {
                    Found::Directory
                } else {
                    Found::Other
                };
                listing.insert(entry.file_name().to_string_lossy().into_owned(), found);
            }
            Ok(listing)
        })
    }

    /// A regular file's content and permissions; more than `limit` bytes are an error.
    pub(crate) fn read(&self, path: &Path, limit: u64) -> Result<(Vec<u8>, u32), Trouble> {
        self.step("read", path, || {
            // Without NONBLOCK a FIFO would be waited for.
            let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
            let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
            let metadata = file.metadata()?;
            if !metadata.is_file() {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "not a regular file"));
            }
            let mut bytes = Vec::new();
            file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
            if bytes.len() as u64 > limit {
                return Err(io::Error::new(io::ErrorKind::InvalidData, format!("more than {limit} bytes")));
            }
            Ok((bytes, metadata.mode() & 0o7777))
        })
    }

    /// Makes a directory, and those above it, where they are not there yet.
    pub(crate) fn make_all(&self, path: &Path) -> Result<(), Trouble> {
        self.step("make", path, || fs::create_dir_all(path))
    }

    /// Makes a directory.
    pub(crate) fn make(&self, path: &Path) -> Result<(), Trouble> {
        self.step("make", path, || fs::create_dir(path))?;
        self.step("set the permissions of", path, || {
            // The set-group-ID bit is how an fsGroup reaches what is made below; setting a mode would take it away.
            let inherited = fs::symlink_metadata(path)?.mode() & 0o2000;
            fs::set_permissions(path, Permissions::from_mode(DIRECTORY_MODE | inherited))
        })
    }

    /// Makes a file that was not there, whole, with these permissions whatever the umask is.
    pub(crate) fn write_new(&self, path: &Path, bytes: &[u8], mode: u32) -> Result<File, Trouble> {
        let mut options = OpenOptions::new();
        options.write(true).create_new(true).mode(0o600);
        let mut file = self.step("make", path, || options.open(path))?;
        for chunk in bytes.chunks(CHUNK) {
            self.step("write", path, || file.write_all(chunk))?;
        }
        self.step("set the permissions of", path, || file.set_permissions(Permissions::from_mode(mode)))?;
        Ok(file)
    }

    /// Brings a file to the disk.
    pub(crate) fn sync_file(&self, path: &Path, file: &File) -> Result<(), Trouble> {
        self.step("sync", path, || file.sync_all())
    }

    /// Brings the names in a directory to the disk, on file systems that can.
    pub(crate) fn sync_directory(&self, path: &Path) -> Result<(), Trouble> {
        self.step("sync", path, || match File::open(path)?.sync_all() {
            Err(error) if is(&error, &[Errno::INVAL, Errno::NOTSUP, Errno::NOSYS]) => Ok(()),
            other => other,
        })
    }

    /// Makes a symbolic link.
    pub(crate) fn link(&self, to: &str, at: &Path) -> Result<(), Trouble> {
        self.step("link", at, || std::os::unix::fs::symlink(to, at))
    }

    /// Puts something in the place of something else, at once.
    pub(crate) fn rename(&self, from: &Path, to: &Path) -> Result<(), Trouble> {
        self.step("replace", to, || fs::rename(from, to))
    }

    /// Removes a file or a link.
    pub(crate) fn unlink(&self, path: &Path) -> Result<(), Trouble> {
        self.step("remove", path, || fs::remove_file(path))
    }

    /// Removes a directory with all that is in it. No link is followed.
    pub(crate) fn remove_tree(&self, path: &Path) -> Result<(), Trouble> {
        for (name, found) in self.list(path)? {
            let inner = path.join(name);
            match found {
                Found::Directory => self.remove_tree(&inner)?,
                Found::Link(_) | Found::Other => self.unlink(&inner)?,
            }
        }
        self.step("remove", path, || fs::remove_dir(path))
    }

    /// Takes a lock by a file, held until the result is dropped or this process dies; tries until `until`.
    ///
    /// On a file system without locks there is none, and two at a time have to be kept apart by others.
    pub(crate) fn lock(&self, path: &Path, until: Instant) -> Result<Option<File>, Trouble> {
        self.step("lock", path, || {
            let file = open_lock(path)?;
            loop {
                match file.try_lock() {
                    Ok(()) => return Ok(Some(file)),
                    Err(TryLockError::WouldBlock) if chassis::clock::now() >= until => {
                        return Err(io::ErrorKind::WouldBlock.into());
                    }
                    Err(TryLockError::WouldBlock) => std::thread::sleep(LOCK_PAUSE),
                    Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(TryLockError::Error(error)) if is(&error, &[Errno::NOSYS, Errno::NOTSUP, Errno::NOLCK]) => {
                        tracing::warn!(path = %path.display(), %error, "this volume knows no locks; going on without");
                        return Ok(None);
                    }
                    Err(TryLockError::Error(error)) => return Err(error),
                }
            }
        })
    }
}

/// How many bytes are free on a path's volume.
pub(crate) fn free(path: &Path) -> Option<u64> {
    let volume = rustix::fs::statvfs(path).ok()?;
    Some(volume.f_bavail.saturating_mul(volume.f_frsize))
}

/// Whether an error is one of these.
pub(crate) fn is(error: &io::Error, which: &[Errno]) -> bool {
    error.raw_os_error().is_some_and(|code| which.iter().any(|errno| errno.raw_os_error() == code))
}

fn open_lock(path: &Path) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW.bits().cast_signed();
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(flags);
    match options.clone().write(true).create(true).mode(LOCK_MODE).open(path) {
        Ok(file) => {
            // Against the umask. Whose file it is not may not, and need not.
            let _not_ours = file.set_permissions(Permissions::from_mode(LOCK_MODE));
            Ok(file)
        }
        // Another user made it; most file systems lock what can only be read as well.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => options.open(path).map_err(|_| error),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
impl<'a> Disk<'a> {
    /// One whose operations can be counted, and made to fail.
    pub(crate) const fn gated(gate: &'a dyn Fn(&Step) -> io::Result<()>) -> Self {
        Self { gate }
    }
}
