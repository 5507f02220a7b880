//! What is in a directory: files that can be read, and what is left out and why.

use std::{collections::BTreeMap, path::Path};

use walkdir::WalkDir;

use super::{Format, Found, Unreadable};

/// Names of a kind that is left out, at most: enough to know it again.
const EXAMPLES: usize = 3;

/// Kinds that are told apart, at most: in a directory of anything, every file may have an ending of its own.
const KINDS: usize = 32;

/// What is in a directory.
#[derive(Debug, Default)]
pub struct Listing {
    /// In the order of their names.
    pub files: Vec<Found>,
    /// What is left out, by the reason why.
    pub left_out: BTreeMap<String, LeftOut>,
    /// What could not be looked at.
    pub unreadable: Vec<Unreadable>,
}

/// What is left out for one reason.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LeftOut {
    /// How many.
    pub count: usize,
    /// The first few.
    pub examples: Vec<String>,
}

impl Listing {
    fn leave_out(&mut self, why: &str, name: String) {
        let is_known = self.left_out.contains_key(why) || self.left_out.len() < KINDS;
        let kind = self.left_out.entry(if is_known { why } else { "other formats" }.to_owned()).or_default();
        kind.count += 1;
        if kind.examples.len() < EXAMPLES {
            kind.examples.push(name);
        }
    }
}

/// All files below a directory; or the one file, if it is one. Hidden ones are left out, and links are not followed.
#[must_use]
pub fn list(root: &Path) -> Listing {
    let mut listing = Listing::default();
    let mut entries = WalkDir::new(root).sort_by_file_name().into_iter();
    while let Some(entry) = entries.next() {
        let entry = match entry {
            Ok(entry) => entry,
            Err(error) => {
                let place = error.path().unwrap_or(root).display().to_string();
                let message = error.io_error().map_or_else(|| error.to_string(), ToString::to_string);
                listing.unreadable.push(Unreadable { place, message });
                continue;
            }
        };
        let within = entry.path().strip_prefix(root).ok().filter(|path| !path.as_os_str().is_empty());
        let within = within.unwrap_or_else(|| Path::new(entry.file_name()));
        let parts: Vec<_> = within.iter().map(|part| part.to_string_lossy()).collect();
        let name = parts.join("/");
        if entry.depth() > 0 && entry.file_name().as_encoded_bytes().starts_with(b".") {
            if entry.file_type().is_dir() {
                entries.skip_current_dir();
            }
            listing.leave_out("hidden", name);
            continue;
        }
        let kind = entry.file_type();
        if kind.is_dir() {
            continue;
        }
        if !kind.is_file() {
            listing.leave_out(if kind.is_symlink() { "links" } else { "no files" }, name);
            continue;
        }
        let Some(format) = Format::of(entry.path()) else {
            let end = entry.path().extension().map(|end| end.to_string_lossy().to_ascii_lowercase());
            let why = end.filter(|end| end.len() <= 16).map_or_else(|| "no ending".to_owned(), |end| format!(".{end}"));
            listing.leave_out(&why, name);
            continue;
        };
        let bytes = entry.metadata().map_or(0, |about| about.len());
        listing.files.push(Found { path: entry.path().to_owned(), name, format, bytes });
    }
    listing
}
