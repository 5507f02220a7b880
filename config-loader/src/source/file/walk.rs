//! Which files a directory has, and where each really is.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use super::read::refused;
use crate::failure::Failure;

/// The files at and below `root`, sorted: their names relative to it, and where they are when every symlink is
/// followed, which is nowhere outside of it.
pub(super) fn files(root: &Path, most: usize) -> Result<Vec<(String, PathBuf)>, Failure> {
    let real = fs::canonicalize(root).map_err(|error| refused(root, &error))?;
    let mut walk = Walk { root, real: &real, most, seen: 0, files: Vec::new() };
    walk.visit(&real, "", &mut vec![real.clone()])?;
    walk.files.sort();
    Ok(walk.files)
}

struct Walk<'a> {
    /// As it was configured, for messages.
    root: &'a Path,
    real: &'a Path,
    most: usize,
    /// Directories count as well: symlinks can make very many of few.
    seen: usize,
    files: Vec<(String, PathBuf)>,
}

impl Walk<'_> {
    /// Takes what is in `directory`, which is called `prefix` and was reached through those `above`, itself the last.
    fn visit(&mut self, directory: &Path, prefix: &str, above: &mut Vec<PathBuf>) -> Result<(), Failure> {
        let refuse = |error| refused(&self.root.join(prefix), &error);
        for entry in fs::read_dir(directory).map_err(refuse)? {
            let entry = entry.map_err(refuse)?.file_name();
            if entry.as_encoded_bytes().starts_with(b".") {
                continue;
            }
            self.seen += 1;
            if self.seen > self.most {
                let (root, most) = (self.root.display(), self.most);
                let message = format!("{root}: has more than {most} files and directories, which is the limit");
                return Err(Failure::data(message).with_hint("name the files one by one, or another directory"));
            }
            self.take(directory, prefix, entry, above)?;
        }
        Ok(())
    }

    fn take(
        &mut self,
        directory: &Path,
        prefix: &str,
        entry: OsString,
        above: &mut Vec<PathBuf>,
    ) -> Result<(), Failure> {
        let shown = self.root.join(prefix).join(&entry);
        let shown_name = shown.display();
        let Ok(entry) = entry.into_string() else {
            let message = format!("{shown_name}: its name is not UTF-8");
            return Err(Failure::data(message).with_hint("rename the file"));
        };
        let real = fs::canonicalize(directory.join(&entry)).map_err(|error| refused(&shown, &error))?;
        if !real.starts_with(self.real) {
            let message = format!("{shown_name}: is a symlink that leads out of the directory");
            return Err(Failure::denied(message).with_hint("put the file itself there"));
        }
        let name = if prefix.is_empty() { entry } else { format!("{prefix}/{entry}") };
        if !fs::metadata(&real).map_err(|error| refused(&shown, &error))?.is_dir() {
            self.files.push((name, real));
            return Ok(());
        }
        if above.contains(&real) {
            let message = format!("{shown_name}: is a symlink that leads back to a directory above it");
            return Err(Failure::data(message).with_hint("remove the symlink"));
        }
        above.push(real.clone());
        self.visit(&real, &name, above)?;
        above.pop();
        Ok(())
    }
}
