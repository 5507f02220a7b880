//! Carries a plan out, and takes back what was done of one that fails.

use std::{
    fs::File,
    path::{Path, PathBuf},
};

use super::{
    PublishedFile,
    disk::{Disk, Trouble},
    layout::Layout,
    plan::{DATA, NEXT, Op, half, through_data, undo},
};

/// How many files are held open at most; a thousand is what a process may have, as a rule.
const OPEN_FILES: usize = 256;

/// What a plan needs to be carried out.
pub(super) struct Carrier<'a> {
    disk: &'a Disk<'a>,
    directory: &'a Path,
    files: &'a [PublishedFile],
    layout: &'a Layout,
    /// Whether all that a swap makes visible is on the disk before it is.
    durable: bool,
    /// Files that are written, and perhaps not on the disk yet.
    open: Vec<(PathBuf, File)>,
}

impl<'a> Carrier<'a> {
    pub(super) const fn new(
        disk: &'a Disk<'a>,
        directory: &'a Path,
        files: &'a [PublishedFile],
        layout: &'a Layout,
        durable: bool,
    ) -> Self {
        Self { disk, directory, files, layout, durable, open: Vec::new() }
    }

    /// Does all of it, in order. What only tidies may fail: the next run does it.
    pub(super) fn carry_out(&mut self, ops: &[Op]) -> Result<(), Trouble> {
        let mut done = Vec::new();
        for op in ops {
            match (self.apply(op), op) {
                (Ok(()), _) => done.push(op),
                (Err(trouble), Op::Sweep(_) | Op::Unlink(_)) => {
                    let Trouble { step, error } = trouble;
                    tracing::warn!(path = %step.path.display(), %error, "cannot {} what is left over", step.what);
                }
                (Err(trouble), Op::Write(_) | Op::Link(_) | Op::Swap(_)) => {
                    self.take_back(op, &done);
                    return Err(trouble);
                }
            }
        }
        // What is seen is the new set already; a disk that cannot hold on to it is told, not believed.
        if let Err(Trouble { error, .. }) = self.sync_directory(self.directory) {
            tracing::warn!(path = %self.directory.display(), %error, "published, but perhaps not durably");
        }
        Ok(())
    }

    fn take_back(&mut self, failed: &Op, done: &[&Op]) {
        for op in half(failed).into_iter().chain(done.iter().rev().filter_map(|op| undo(op))) {
            // There is a failure to report already, and the next run sweeps what is left.
            let _left_over = self.apply(&op);
        }
    }

    fn apply(&mut self, op: &Op) -> Result<(), Trouble> {
        let at = |name: &str| self.directory.join(name);
        match op {
            Op::Sweep(version) => self.disk.remove_tree(&at(version)),
            Op::Write(version) => self.write(&at(version)),
            Op::Link(name) => self.disk.link(&through_data(name), &at(name)),
            Op::Swap(version) => {
                self.disk.link(version, &at(NEXT))?;
                self.sync(&at(version))?;
                self.disk.rename(&at(NEXT), &at(DATA))
            }
            Op::Unlink(name) => self.disk.unlink(&at(name)),
        }
    }

    fn write(&mut self, version: &Path) -> Result<(), Trouble> {
        self.disk.make(version)?;
        for directory in &self.layout.directories {
            self.disk.make(&version.join(directory))?;
        }
        for file in self.files {
            let path = version.join(&file.target);
            let open = self.disk.write_new(&path, &file.bytes, file.mode)?;
            if self.durable {
                self.open.push((path, open));
            }
            if self.open.len() >= OPEN_FILES {
                self.sync_files()?;
            }
        }
        Ok(())
    }

    /// Brings a version to the disk, and the names that lead to it: at the end, because a file system brings many things
    /// there in little more time than one.
    fn sync(&mut self, version: &Path) -> Result<(), Trouble> {
        self.sync_files()?;
        for directory in self.layout.directories.iter().rev() {
            self.sync_directory(&version.join(directory))?;
        }
        self.sync_directory(version)?;
        self.sync_directory(self.directory)
    }

    fn sync_files(&mut self) -> Result<(), Trouble> {
        self.open.drain(..).try_for_each(|(path, open)| self.disk.sync_file(&path, &open))
    }

    fn sync_directory(&self, path: &Path) -> Result<(), Trouble> {
        if self.durable { self.disk.sync_directory(path) } else { Ok(()) }
    }
}
