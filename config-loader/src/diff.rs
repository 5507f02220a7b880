//! What would change: a published set beside one that was fetched.

use std::{collections::BTreeMap, fmt::Write as _};

use crate::manifest::{File, Manifest};

/// A line for each file that differs, by targets; empty where none does. Contents are not shown.
#[must_use]
pub fn diff(published: Option<&Manifest>, fetched: &Manifest) -> String {
    let old: BTreeMap<&str, &File> =
        published.into_iter().flat_map(|manifest| &manifest.files).map(|file| (file.target.as_str(), file)).collect();
    let new: BTreeMap<&str, &File> = fetched.files.iter().map(|file| (file.target.as_str(), file)).collect();
    let mut text = String::new();
    // Writing to a String cannot fail.
    for (target, file) in &new {
        let _ = match old.get(target) {
            None => writeln!(text, "+ {target}: {}", described(file)),
            Some(before) if before.sha256 != file.sha256 => {
                writeln!(text, "~ {target}: {} -> {}", described(before), described(file))
            }
            Some(before) if before.mode != file.mode => {
                writeln!(text, "~ {target}: mode {} -> {}", before.mode, file.mode)
            }
            Some(_) => Ok(()),
        };
    }
    for (target, file) in old.iter().filter(|(target, _)| !new.contains_key(*target)) {
        let _ = writeln!(text, "- {target}: {}", described(file));
    }
    text
}

fn described(file: &File) -> String {
    let short = file.sha256.get(..12).unwrap_or(&file.sha256);
    let version = file.version.as_deref().map(|version| format!(", version {version}")).unwrap_or_default();
    format!("{} bytes, sha256 {short}{version}", file.bytes)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn manifest(files: &[(&str, &str, &str)]) -> Manifest {
        let files = files.iter().map(|(target, sha256, mode)| File {
            name: (*target).to_owned(),
            target: (*target).to_owned(),
            source: "http://a".to_owned(),
            version: None,
            resolved: None,
            sha256: (*sha256).to_owned(),
            bytes: 3,
            mode: (*mode).to_owned(),
            tokens: None,
            fetched: String::new(),
        });
        Manifest::new(Duration::ZERO, files.collect())
    }

    #[test]
    fn each_difference_is_a_line() {
        let old = manifest(&[("a", "1", "0444"), ("b", "1", "0444"), ("c", "1", "0444"), ("d", "1", "0444")]);
        let new = manifest(&[("a", "1", "0444"), ("b", "2", "0444"), ("c", "1", "0400"), ("e", "1", "0444")]);
        assert_eq!(
            diff(Some(&old), &new),
            "~ b: 3 bytes, sha256 1 -> 3 bytes, sha256 2\n~ c: mode 0444 -> 0400\n+ e: 3 bytes, sha256 1\n\
             - d: 3 bytes, sha256 1\n"
        );
        assert_eq!(diff(Some(&new), &new), "");
        assert_eq!(diff(None, &manifest(&[("a", "1", "0444")])), "+ a: 3 bytes, sha256 1\n");
    }
}
