//! Carries a plan out, and takes back what was done of one that fails.

use std::path::Path;

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
    pub(super) disk: &'a Disk<'a>,
    pub(super) directory: &'a Path,
    pub(super) files: &'a [PublishedFile],
    pub(super) layout: &'a Layout,
}

impl Carrier<'_> {
    /// Does all of it, in order. What only tidies may fail: the next run does it.
    pub(super) fn carry_out(&self, ops: &[Op]) -> Result<(), Trouble> {
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
        if let Err(Trouble { error, .. }) = self.disk.sync_directory(self.directory) {
            tracing::warn!(path = %self.directory.display(), %error, "published, but perhaps not durably");
        }
        Ok(())
    }

    fn take_back(&self, failed: &Op, done: &[&Op]) {
        for op in half(failed).into_iter().chain(done.iter().rev().filter_map(|op| undo(op))) {
            // There is a failure to report already, and the next run sweeps what is left.
            let _left_over = self.apply(&op);
        }
    }

    fn apply(&self, op: &Op) -> Result<(), Trouble> {
        let at = |name: &str| self.directory.join(name);
        match op {
            Op::Sweep(version) => self.disk.remove_tree(&at(version)),
            Op::Write(version) => self.write(&at(version)),
            Op::Link(name) => self.disk.link(&through_data(name), &at(name)),
            Op::Swap(version) => {
                self.disk.link(version, &at(NEXT))?;
                // All that the swap makes visible is on the disk before it is.
                self.disk.sync_directory(self.directory)?;
                self.disk.rename(&at(NEXT), &at(DATA))
            }
            Op::Unlink(name) => self.disk.unlink(&at(name)),
        }
    }

    fn write(&self, version: &Path) -> Result<(), Trouble> {
        self.disk.make(version)?;
        for directory in &self.layout.directories {
            self.disk.make(&version.join(directory))?;
        }
        // A file system brings many files to the disk in little more time than one, if they are all written before.
        for files in self.files.chunks(OPEN_FILES) {
            let mut written = Vec::new();
            for file in files {
                let path = version.join(&file.target);
                let open = self.disk.write_new(&path, &file.bytes, file.mode)?;
                written.push((path, open));
            }
            for (path, open) in written {
                self.disk.sync_file(&path, &open)?;
            }
        }
        for directory in self.layout.directories.iter().rev() {
            self.disk.sync_directory(&version.join(directory))?;
        }
        self.disk.sync_directory(version)
    }
}
