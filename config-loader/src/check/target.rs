//! Where files go, and with which permissions: below the directory of the set, and nowhere else.

use std::collections::BTreeMap;
use std::fmt;

/// The longest name that a file system takes, in bytes.
const LONGEST_NAME: usize = 255;

/// The longest path, in bytes, that leaves room for the directory it is below.
const LONGEST_PATH: usize = 2048;

/// A path below the directory of the set: `tools.json`, `prompts/system.txt`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Target(String);

/// What is wrong with a target or a mode, and what to do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// What is wrong.
    pub message: &'static str,
    /// What to do about it.
    pub hint: &'static str,
}

impl Target {
    /// Reads a target.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let fault = |message, hint| Err(Fault { message, hint });
        let relative = "write a path relative to the directory, such as prompts/system.txt";
        if text.is_empty() {
            return fault("is empty", relative);
        }
        if text.starts_with('/') {
            return fault("is an absolute path", relative);
        }
        if text.contains('\\') {
            return fault("has a backslash in it", "separate directories with `/`");
        }
        if text.chars().any(char::is_control) {
            return fault("has a control character in it", "remove it");
        }
        if text.len() > LONGEST_PATH {
            return fault("is longer than 2048 bytes", "shorten it");
        }
        for name in text.split('/') {
            match name {
                "" => return fault("has an empty name in it", "remove the `/` at its end or the second of two"),
                "." => return fault("has a `.` in it", "leave it out"),
                ".." => return fault("has a `..` in it", relative),
                name if name.starts_with("..") => {
                    return fault(
                        "has a name in it that begins with `..`",
                        "such names are kept for publishing: take another",
                    );
                }
                name if name.len() > LONGEST_NAME => {
                    return fault("has a name in it that is longer than 255 bytes", "shorten it");
                }
                _ => {}
            }
        }
        if text == "manifest.json" || text.starts_with("manifest.json/") {
            return fault("is where the manifest of the set goes", "take another name");
        }
        Ok(Self(text.to_owned()))
    }

    /// The target of a file in a directory that goes here.
    ///
    /// # Errors
    /// What is wrong with the file's path.
    pub fn join(&self, path: &str) -> Result<Self, Fault> {
        // By itself first: an absolute path must not hide behind this one.
        Self::parse(path)
            .or_else(|fault| if path == "manifest.json" { Ok(Self(path.to_owned())) } else { Err(fault) })?;
        Self::parse(&format!("{}/{path}", self.0))
    }

    /// The path, with `/`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why two targets of a set cannot both be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Collision {
    /// Two files at one place.
    #[error("{0} is the target of two files")]
    Twice(Target),
    /// One is a file where the other needs a directory.
    #[error("{file} is a file, and the target {below} needs a directory there")]
    FileAndDirectory {
        /// The file.
        file: Target,
        /// What is below it.
        below: Target,
    },
}

/// Every collision among the targets of a set.
#[must_use]
pub fn collisions<'t>(targets: impl IntoIterator<Item = &'t Target>) -> Vec<Collision> {
    let mut counted: BTreeMap<&Target, usize> = BTreeMap::new();
    for target in targets {
        *counted.entry(target).or_default() += 1;
    }
    let mut found = Vec::new();
    for (target, count) in &counted {
        if *count > 1 {
            found.push(Collision::Twice((*target).clone()));
        }
        let above = target.0.match_indices('/').filter_map(|(at, _)| target.0.get(..at));
        let files = above.filter_map(|path| counted.get_key_value(&Target(path.to_owned())));
        found.extend(
            files.map(|(file, _)| Collision::FileAndDirectory { file: (*file).clone(), below: (*target).clone() }),
        );
    }
    found
}

/// Permissions of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mode(u32);

impl Default for Mode {
    /// Everybody may read.
    fn default() -> Self {
        Self(0o444)
    }
}

impl Mode {
    /// Reads octal digits.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let fault = |message, hint| Err(Fault { message, hint });
        let octal = text.bytes().all(|byte| matches!(byte, b'0'..=b'7')) && (3..=5).contains(&text.len());
        let Some(mode) = octal.then(|| u32::from_str_radix(text, 8).ok()).flatten() else {
            return fault("is no mode in octal", "write, for instance, \"0444\" or \"0440\", in quotes");
        };
        match mode {
            mode if mode > 0o777 => fault("has setuid, setgid or the sticky bit", "write, for instance, \"0444\""),
            mode if mode & 0o002 != 0 => fault("lets everybody write", "write, for instance, \"0444\""),
            mode if mode & 0o444 == 0 => fault("lets nobody read", "write, for instance, \"0444\""),
            mode => Ok(Self(mode)),
        }
    }

    /// The bits, at most `0o775`.
    #[must_use]
    pub const fn bits(self) -> u32 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn told(text: &str) -> &'static str {
        Target::parse(text).err().map_or("fine", |fault| fault.message)
    }

    #[test]
    fn targets_stay_below_the_directory() {
        let long = "n".repeat(256);
        let longer = ["n"; 1100].join("/");
        let table = [
            ("system-prompt.txt", "fine"),
            ("prompts/de/system prompt.txt", "fine"),
            (".hidden/...", "has a name in it that begins with `..`"),
            (".hidden", "fine"),
            ("", "is empty"),
            ("/etc/passwd", "is an absolute path"),
            ("../x", "has a `..` in it"),
            ("a/../../x", "has a `..` in it"),
            ("a/..", "has a `..` in it"),
            ("./x", "has a `.` in it"),
            ("a//b", "has an empty name in it"),
            ("a/", "has an empty name in it"),
            ("a\\b", "has a backslash in it"),
            ("a\nb", "has a control character in it"),
            ("a\0b", "has a control character in it"),
            ("..data", "has a name in it that begins with `..`"),
            ("..2026_01_01/x", "has a name in it that begins with `..`"),
            ("manifest.json", "is where the manifest of the set goes"),
            ("sub/manifest.json", "fine"),
            (&long, "has a name in it that is longer than 255 bytes"),
            (&longer, "is longer than 2048 bytes"),
        ];
        for (text, expected) in table {
            assert_eq!(told(text), expected, "{text}");
        }
    }

    #[test]
    fn files_of_a_directory_stay_below_it() {
        let directory = Target::parse("prompts").unwrap();
        assert_eq!(directory.join("de/a.txt").unwrap().as_str(), "prompts/de/a.txt");
        assert_eq!(directory.join("manifest.json").unwrap().as_str(), "prompts/manifest.json");
        for path in ["/etc/passwd", "../a", "a/../../b", ""] {
            assert!(directory.join(path).is_err(), "{path}");
        }
    }

    #[test]
    fn two_files_never_meet() {
        let targets = ["a", "b/c", "a", "b", "b/c/d", "bc", "d/e"].map(|text| Target::parse(text).unwrap());
        let told: Vec<String> = collisions(&targets).iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            [
                "a is the target of two files",
                "b is a file, and the target b/c needs a directory there",
                "b is a file, and the target b/c/d needs a directory there",
                "b/c is a file, and the target b/c/d needs a directory there",
            ]
        );
    }

    #[test]
    fn modes_are_octal_and_harmless() {
        let table = [
            ("0444", "fine"),
            ("440", "fine"),
            ("0o444", "is no mode in octal"),
            ("0", "is no mode in octal"),
            ("888", "is no mode in octal"),
            ("", "is no mode in octal"),
            ("+444", "is no mode in octal"),
            ("4444", "has setuid, setgid or the sticky bit"),
            ("0666", "lets everybody write"),
            ("0111", "lets nobody read"),
        ];
        for (text, expected) in table {
            assert_eq!(Mode::parse(text).err().map_or("fine", |fault| fault.message), expected, "{text}");
        }
        assert_eq!(Mode::parse("0640").unwrap().bits(), 0o640);
        assert_eq!(Mode::default().bits(), 0o444);
    }

    proptest! {
        #[test]
        fn no_target_leads_out(text in "([a.]|\\.\\.|/|\\PC){0,8}") {
            if let Ok(target) = Target::parse(&text) {
                let mut normal = std::path::PathBuf::new();
                for part in std::path::Path::new(target.as_str()).components() {
                    prop_assert!(matches!(part, std::path::Component::Normal(_)));
                    normal.push(part);
                }
                prop_assert_eq!(normal.to_str(), Some(target.as_str()));
            }
            let _ = Mode::parse(&text);
        }
    }
}
