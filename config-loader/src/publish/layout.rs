//! Which directories and links a set needs, and whether its targets can be in one directory at all. Pure.

use std::collections::BTreeSet;

use chassis::exit::Code;

use super::PublishedFile;
use crate::{failure::Failure, manifest};

/// How long a name may be on the file systems there are, in bytes.
const LONGEST_NAME: usize = 255;

/// What a set looks like on disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layout {
    /// The first components of all targets: what is linked.
    pub(super) tops: BTreeSet<String>,
    /// The directories below the set's own, those above first.
    pub(super) directories: BTreeSet<String>,
    /// The size of all files, in bytes.
    pub(super) bytes: u64,
}

impl Layout {
    /// The layout of a set that has its manifest among its files.
    ///
    /// # Errors
    /// A target that leads out, is reserved, is there twice, or is a file and a directory at once.
    pub(super) fn of(files: &[PublishedFile]) -> Result<Self, Failure> {
        let mut tops = BTreeSet::new();
        let mut directories = BTreeSet::new();
        let mut targets = BTreeSet::new();
        for PublishedFile { target, .. } in files {
            if let Some(wrong) = target.split('/').enumerate().find_map(|(depth, name)| wrong(depth, name)) {
                return Err(refused(target, wrong));
            }
            if !targets.insert(target.as_str()) {
                let twice =
                    if target == manifest::NAME { "the set's own manifest has this name" } else { "there twice" };
                return Err(refused(target, twice));
            }
            tops.extend(target.split('/').next().map(str::to_owned));
            directories.extend(target.match_indices('/').filter_map(|(at, _)| target.get(..at)).map(str::to_owned));
        }
        if let Some(both) = directories.iter().find(|directory| targets.contains(directory.as_str())) {
            return Err(refused(both, "a file, and the directory of another"));
        }
        let bytes = files.iter().map(|file| file.bytes.len() as u64).sum();
        Ok(Self { tops, directories, bytes })
    }
}

fn wrong(depth: usize, name: &str) -> Option<&'static str> {
    match name {
        "" => Some("empty, absolute, or with `//` or a `/` at its end"),
        "." | ".." => Some("`.` and `..` are no names"),
        _ if depth == 0 && name.starts_with("..") => Some("names that begin with `..` are the publisher's own"),
        _ if name.len() > LONGEST_NAME => Some("a name longer than 255 bytes"),
        _ if name.chars().any(char::is_control) => Some("a control character in a name"),
        _ => None,
    }
}

fn refused(target: &str, wrong: &str) -> Failure {
    Failure::new(Code::Config, format!("target `{}`: {wrong}", target.escape_debug()))
        .with_hint("targets are relative paths, such as `tools.json` or `prompts/system.txt`, each of them once")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn layout(targets: &[&str]) -> Result<Layout, Failure> {
        let file = |target: &&str| PublishedFile { target: (*target).to_owned(), bytes: "xyz".into(), mode: 0o444 };
        Layout::of(&targets.iter().map(file).collect::<Vec<_>>())
    }

    #[test]
    fn directories_come_from_above_and_only_the_top_is_linked() {
        let layout = layout(&["a/b/c", "a/d", "e"]).unwrap();
        assert_eq!(layout.tops.into_iter().collect::<Vec<_>>(), ["a", "e"]);
        assert_eq!(layout.directories.into_iter().collect::<Vec<_>>(), ["a", "a/b"]);
        assert_eq!(layout.bytes, 9);
    }

    #[test]
    fn what_cannot_be_in_one_directory_is_refused() {
        let long = "x".repeat(256);
        let cases: [&[&str]; 12] = [
            &[""],
            &["/etc/passwd"],
            &["a//b"],
            &["a/"],
            &["a/../b"],
            &["./a"],
            &["..data"],
            &["..data/x"],
            &[&long],
            &["a\nb"],
            &["a", "a"],
            &["a/b", "a"],
        ];
        for case in cases {
            let failure = layout(case).unwrap_err();
            assert_eq!(failure.code, Code::Config, "{case:?}");
            assert!(failure.message.starts_with("target `"), "{failure}");
        }
        assert!(layout(&["manifest.json", "manifest.json"]).unwrap_err().message.contains("own manifest"));
        assert!(layout(&["a/..hidden", ".env", "x".repeat(255).as_str()]).is_ok());
    }

    proptest! {
        #[test]
        fn every_directory_comes_after_the_one_above(targets in prop::collection::btree_set("[ab.]{1,2}(/[ab!.]{1,2}){0,3}", 1..6)) {
            let targets: Vec<&str> = targets.iter().map(String::as_str).collect();
            if let Ok(layout) = layout(&targets) {
                let mut made = BTreeSet::from([""]);
                for directory in &layout.directories {
                    prop_assert!(made.contains(directory.rsplit_once('/').map_or("", |(above, _)| above)));
                    made.insert(directory);
                }
                for target in targets {
                    prop_assert!(made.contains(target.rsplit_once('/').map_or("", |(above, _)| above)));
                }
            }
        }
    }
}
