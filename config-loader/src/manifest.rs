//! What was published: `manifest.json`, which tells pods with different prompts apart.
//!
//! It holds no secret: sources are told as they are in logs, contents only by their digests.

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// What the manifest is called in the published set.
pub const NAME: &str = "manifest.json";

/// The shape that this program writes and reads.
pub const VERSION: u32 = 1;

/// A set: what it is, and where each of its files came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The shape of this file.
    pub version: u32,
    /// The set's own digest: `sha256:` and hex. Equal exactly when targets, contents and modes are.
    pub digest: String,
    /// When the set was put together, in RFC 3339.
    pub created: String,
    /// Set when this is the last good set and not what the sources hold now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stale: Option<Stale>,
    /// The files, sorted by target.
    pub files: Vec<File>,
    /// Optional entries that are not there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub omitted: Vec<Omitted>,
}

/// An optional entry that is not there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Omitted {
    /// The entry.
    pub name: String,
    /// Why it is not.
    pub reason: String,
}

/// Why a set is not the newest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stale {
    /// When it was known to be good, in RFC 3339; nothing for a bundled set, which has no age.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// Why there is no newer one.
    pub reason: String,
}

/// A file of the set.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// The entry that it belongs to.
    pub name: String,
    /// Where it is, relative to the directory.
    pub target: String,
    /// Where it came from: no credentials, no query.
    pub source: String,
    /// Where a source that is a label (`.../production`) led to: what it redirected to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resolved: Option<String>,
    /// What the source calls this version: an ETag, an object's version, the dated directory of a ConfigMap's mount.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The SHA-256 of what was published, in hex.
    pub sha256: String,
    /// Its size, in bytes.
    pub bytes: u64,
    /// Its permissions, in octal.
    pub mode: String,
    /// How many tokens a prompt has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokens: Option<u64>,
    /// When it was fetched, in RFC 3339.
    pub fetched: String,
}

impl Manifest {
    /// A manifest of these files, in any order, as of `now` (since 1970).
    #[must_use]
    pub fn new(now: Duration, mut files: Vec<File>) -> Self {
        files.sort_by(|a, b| a.target.cmp(&b.target));
        let digest = digest(&files);
        Self { version: VERSION, digest, created: rfc3339(now), stale: None, files, omitted: Vec::new() }
    }

    /// The same without these.
    #[must_use]
    pub fn without(self, omitted: Vec<Omitted>) -> Self {
        Self { omitted, ..self }
    }

    /// When it was known to be good, since 1970; nothing where it does not say.
    #[must_use]
    pub fn good_at(&self) -> Option<Duration> {
        let told = match &self.stale {
            None => Some(&self.created),
            Some(stale) => stale.since.as_ref(),
        };
        humantime::parse_rfc3339(told?).ok()?.duration_since(SystemTime::UNIX_EPOCH).ok()
    }

    /// The same as of `now`, marked: it was good at `saved_at`, and this is why there is no newer one.
    #[must_use]
    pub fn into_stale(self, now: Duration, saved_at: Option<Duration>, reason: impl Into<String>) -> Self {
        let stale = Stale { since: saved_at.map(rfc3339), reason: reason.into() };
        Self { created: rfc3339(now), stale: Some(stale), ..self }
    }

    /// Whether both say the same, but for the time at which they say it.
    #[must_use]
    pub fn agrees(&self, other: &Self) -> bool {
        let timeless = |manifest: &Self| Self {
            created: String::new(),
            files: manifest.files.iter().map(|file| File { fetched: String::new(), ..file.clone() }).collect(),
            ..manifest.clone()
        };
        timeless(self) == timeless(other)
    }

    /// The bytes of `manifest.json`.
    ///
    /// # Errors
    /// None that a manifest can cause; serde's are passed on.
    pub fn to_bytes(&self) -> Result<Vec<u8>, serde_json::Error> {
        let mut bytes = serde_json::to_vec_pretty(self)?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// The manifest that these bytes are.
    ///
    /// # Errors
    /// What is wrong with them: no JSON, another shape, another version, or a digest that is not that of the files.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, String> {
        let manifest: Self = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if manifest.version != VERSION {
            return Err(format!("version {} where {VERSION} is due", manifest.version));
        }
        if manifest.digest != digest(&manifest.files) {
            return Err("its digest is not that of its files".to_owned());
        }
        Ok(manifest)
    }
}

/// A set's digest: the SHA-256 over `<sha256> <mode> <target>` and a NUL for each file, sorted by target.
fn digest(files: &[File]) -> String {
    let mut sorted: Vec<&File> = files.iter().collect();
    sorted.sort_by(|a, b| a.target.cmp(&b.target));
    let mut hash = Sha256::new();
    for file in sorted {
        hash.update(format!("{} {} {}\0", file.sha256, file.mode, file.target));
    }
    format!("sha256:{}", hex(&hash.finalize()))
}

/// The SHA-256 of some bytes, in hex.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    format!("{:x}", Bytes::copy_from_slice(bytes))
}

/// Permissions as the manifest has them: four octal digits.
#[must_use]
pub fn octal(mode: u32) -> String {
    format!("{:04o}", mode & 0o7777)
}

/// A time since 1970 in RFC 3339, in UTC and whole seconds.
#[must_use]
pub fn rfc3339(time: Duration) -> String {
    // What RFC 3339 cannot say (after the year 9999) is not a clock that was set.
    let time = time.min(Duration::from_secs(253_402_300_799));
    humantime::format_rfc3339_seconds(SystemTime::UNIX_EPOCH + time).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn file(target: &str, content: &str) -> File {
        File {
            name: target.to_owned(),
            target: target.to_owned(),
            source: "https://prompts.example/x".to_owned(),
            version: Some("\"etag\"".to_owned()),
            resolved: None,
            sha256: sha256(content.as_bytes()),
            bytes: content.len() as u64,
            mode: octal(0o444),
            tokens: None,
            fetched: rfc3339(Duration::from_secs(1_700_000_000)),
        }
    }

    #[test]
    fn a_manifest_reads_like_this() {
        let mut prompt = file("system-prompt.txt", "be kind");
        prompt.tokens = Some(2);
        prompt.resolved = Some("https://prompts.example/x/17".to_owned());
        let manifest = Manifest::new(Duration::from_secs(1_700_000_001), vec![prompt, file("a/tools.json", "[]")])
            .into_stale(Duration::from_secs(1_700_000_900), Some(Duration::from_secs(1_700_000_001)), "503");
        insta::assert_snapshot!(String::from_utf8(manifest.to_bytes().unwrap()).unwrap());
    }

    #[test]
    fn the_digest_can_be_recomputed_by_hand() {
        // printf '%s 0444 a\0' "$(printf x | sha256sum | cut -d' ' -f1)" | sha256sum
        let manifest = Manifest::new(Duration::ZERO, vec![file("a", "x")]);
        let by_hand = sha256(b"2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881 0444 a\0");
        assert_eq!(manifest.digest, format!("sha256:{by_hand}"));
    }

    #[test]
    fn another_shape_or_a_touched_file_is_no_manifest() {
        let manifest = Manifest::new(Duration::ZERO, vec![file("a", "x")]);
        let newer = Manifest { version: 2, ..manifest.clone() };
        assert!(Manifest::from_bytes(&newer.to_bytes().unwrap()).unwrap_err().contains("version 2"));
        let mut touched = manifest;
        touched.files[0].mode = "0777".to_owned();
        assert!(Manifest::from_bytes(&touched.to_bytes().unwrap()).unwrap_err().contains("digest"));
        assert!(Manifest::from_bytes(b"<html>").is_err());
    }

    #[test]
    fn times_do_not_make_a_difference_and_versions_do() {
        let old = Manifest::new(Duration::ZERO, vec![file("a", "x")]);
        let mut new = Manifest { created: rfc3339(Duration::from_secs(5)), ..old.clone() };
        new.files[0].fetched = rfc3339(Duration::from_secs(5));
        assert!(old.agrees(&new));
        new.files[0].version = None;
        assert!(!old.agrees(&new));
        assert!(!old.agrees(&old.clone().into_stale(Duration::ZERO, None, "down")));
    }

    #[test]
    fn no_time_is_too_late_to_be_told() {
        assert_eq!(rfc3339(Duration::from_secs(1_700_000_000)), "2023-11-14T22:13:20Z");
        assert_eq!(rfc3339(Duration::MAX), "9999-12-31T23:59:59Z");
    }

    proptest! {
        #[test]
        fn the_order_of_files_is_nothing(contents in prop::collection::btree_map("[a-z/]{1,9}", ".{0,9}", 0..6), seed: u64) {
            let mut files: Vec<File> = contents.iter().map(|(target, content)| file(target, content)).collect();
            let one = Manifest::new(Duration::ZERO, files.clone());
            if !files.is_empty() {
                let by = seed as usize % files.len();
                files.rotate_left(by);
            }
            let two = Manifest::new(Duration::ZERO, files);
            prop_assert_eq!(one.to_bytes().unwrap(), two.to_bytes().unwrap());
            prop_assert_eq!(Manifest::from_bytes(&one.to_bytes().unwrap()).unwrap(), one);
        }

        #[test]
        fn a_change_of_content_target_or_mode_is_another_set(content in ".{0,9}", which in 0..3) {
            let one = file("a", &content);
            let other = match which {
                0 => file("a", &format!("{content}!")),
                1 => file("b", &content),
                _ => File { mode: octal(0o440), ..one.clone() },
            };
            prop_assert_ne!(digest(&[one]), digest(&[other]));
        }
    }
}
