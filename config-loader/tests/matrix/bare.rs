//! A root file system as an image from scratch has it: programs, what these are linked with, and nothing else.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

/// Puts programs into a root where they are called, with what loads them; `None` where one of them is not there.
pub(crate) fn holds(root: &Path, programs: &[(&Path, &Path)]) -> Option<()> {
    for (program, at) in programs {
        copied(program, root, at)?;
        loaded_with(program)?.iter().try_for_each(|library| copied(library, root, library))?;
    }
    Some(())
}

/// All regular files of a root, but for the kernel's.
pub(crate) fn files(root: &Path) -> BTreeSet<PathBuf> {
    let mut all = BTreeSet::new();
    let mut left = vec![root.to_owned()];
    while let Some(directory) = left.pop() {
        for entry in fs::read_dir(&directory).unwrap() {
            let entry = entry.unwrap();
            if !entry.file_type().unwrap().is_dir() {
                all.insert(entry.path());
            } else if entry.path() != root.join("proc") {
                left.push(entry.path());
            }
        }
    }
    all
}

fn copied(from: &Path, root: &Path, at: &Path) -> Option<()> {
    let to = root.join(at.strip_prefix("/").ok()?);
    fs::create_dir_all(to.parent()?).ok()?;
    fs::copy(from, to).ok().map(|_| ())
}

/// The loader and the libraries: none of a static program.
fn loaded_with(program: &Path) -> Option<Vec<PathBuf>> {
    let said = Command::new("ldd").arg(program).output().ok()?;
    let words = String::from_utf8(said.stdout).ok()?;
    Some(words.split_whitespace().filter(|word| word.starts_with('/')).map(PathBuf::from).collect())
}
