//! What is left for people: a summary that `kubectl describe pod` shows, and the number the process ends with.

use std::{fmt::Write as _, io::Write as _, path::Path};

use chassis::exit::Code;

use crate::{failure::Failure, manifest::Manifest};

/// How much of a termination message Kubernetes keeps, in bytes.
pub const LIMIT: usize = 4096;

/// Where Kubernetes looks for it.
pub const TERMINATION_LOG: &str = "/dev/termination-log";

/// What ends a summary that does not fit.
const CUT: &str = "\n... cut: the log has the rest\n";

/// How a run ended.
#[derive(Debug, Clone, Copy)]
pub enum Outcome<'a> {
    /// A set is in the directory.
    Published {
        /// Where.
        directory: &'a Path,
        /// What.
        manifest: &'a Manifest,
        /// Whether it was not there before.
        changed: bool,
    },
    /// Nothing was published.
    Failed(&'a [Failed]),
}

/// What failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failed {
    /// The entry, or what was done.
    pub name: String,
    /// Where it comes from or goes to: no credentials, no query.
    pub source: Option<String>,
    /// Why.
    pub failure: Failure,
}

impl Outcome<'_> {
    /// What the process ends with.
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::Published { .. } => Code::Ok,
            Self::Failed(failed) => exit_code(failed.iter().map(|failed| failed.failure.code)),
        }
    }

    /// The summary, of any length.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Published { directory, manifest, changed } => published(directory, manifest, *changed),
            Self::Failed(all) => failed(all, self.code()),
        }
    }
}

/// The code among several that the process ends with; [`Code::Software`] for none, since somebody failed to say why.
///
/// What nobody but a person can mend wins, and of those what has to be mended first: a wrong configuration (78) may be
/// the reason for anything else; then who is refused (77) asks an administrator, while bad data (65) asks the author of
/// one file. What may pass by itself comes last, and of that the deadline (75) first: it says that the other failures
/// might have been tried again. A command line that is wrong (64) or a defect of ours (70) leaves all of them open.
#[must_use]
pub fn exit_code(codes: impl IntoIterator<Item = Code>) -> Code {
    codes.into_iter().max_by_key(|code| weight(*code)).unwrap_or(Code::Software)
}

const fn weight(code: Code) -> u8 {
    match code {
        // The loader never ends so.
        Code::Ok | Code::Nothing | Code::NoInput | Code::Interrupted => 0,
        Code::Unavailable => 1,
        Code::Deadline => 2,
        Code::Data => 3,
        Code::Denied => 4,
        Code::Config => 5,
        Code::Software => 6,
        Code::Usage => 7,
    }
}

const fn word(code: Code) -> &'static str {
    match code {
        Code::Ok => "ok",
        Code::Nothing => "nothing",
        Code::NoInput => "no input",
        Code::Interrupted => "interrupted",
        Code::Usage => "usage",
        Code::Data => "bad data",
        Code::Unavailable => "unavailable",
        Code::Software => "a defect of the config-loader",
        Code::Deadline => "deadline",
        Code::Denied => "denied",
        Code::Config => "configuration",
    }
}

fn published(directory: &Path, manifest: &Manifest, changed: bool) -> String {
    let count = count(manifest.files.len(), "file");
    let what = match (&manifest.stale, changed) {
        (Some(_), _) => "published a STALE set, the last good one",
        (None, true) => "published",
        (None, false) => "unchanged",
    };
    let mut text = format!("ok (exit code 0): {what}: {count} in {}\nset {}\n", directory.display(), manifest.digest);
    if let Some(stale) = &manifest.stale {
        let since = stale.since.as_deref().unwrap_or("an unknown time");
        line(&mut text, &format!("stale since {since}: {}", stale.reason));
    }
    for omitted in &manifest.omitted {
        line(&mut text, &format!("left out, because it is optional: {}: {}", omitted.name, omitted.reason));
    }
    for file in &manifest.files {
        let short = file.sha256.get(..12).unwrap_or(&file.sha256);
        let version = file.version.as_deref().map(|version| format!(", version {version}")).unwrap_or_default();
        line(
            &mut text,
            &format!("{}: {} bytes, sha256 {short}, from {}{version}", file.target, file.bytes, file.source),
        );
    }
    text
}

fn failed(all: &[Failed], code: Code) -> String {
    let mut text = format!(
        "failed (exit code {}, {}): {}; nothing was published, what was there before stands\n",
        code as u8,
        word(code),
        count(all.len(), "failure"),
    );
    // The failure that the exit code is about comes first, so that a cut does not take it away.
    let mut sorted: Vec<&Failed> = all.iter().collect();
    sorted.sort_by_key(|failed| std::cmp::Reverse(weight(failed.failure.code)));
    for Failed { name, source, failure } in sorted {
        // Most failures begin with where they happened.
        let source = source.as_deref().filter(|source| !failure.message.contains(source));
        let source = source.map(|source| format!(" ({source})")).unwrap_or_default();
        line(&mut text, &format!("{name}{source}: {failure}"));
    }
    text
}

/// Adds one line, whatever is in the text: a message must not look like two, nor colour anybody's terminal.
fn line(text: &mut String, content: &str) {
    text.extend(content.chars().map(|char| if char.is_control() { ' ' } else { char }));
    text.push('\n');
}

fn count(count: usize, what: &str) -> String {
    let mut text = format!("{count} {what}");
    if count != 1 {
        let _infallible = write!(text, "s");
    }
    text
}

/// The text, or as much of it as fits into `limit` bytes with a note that there was more.
#[must_use]
pub fn cut(text: &str, limit: usize) -> String {
    if text.len() <= limit {
        return text.to_owned();
    }
    let (room, note) = if limit < CUT.len() { (limit, "") } else { (limit - CUT.len(), CUT) };
    let end = (0..=room).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    format!("{}{note}", text.get(..end).unwrap_or_default())
}

/// Tells the log what failed.
pub fn log(Failed { name, source, failure }: &Failed) {
    let exit_code = failure.code as u8;
    tracing::error!(name, source, exit_code, hint = failure.hint, "{}", failure.message);
}

/// Leaves the summary where Kubernetes looks for it. A run does not fail for it: what cannot be written is logged.
pub fn leave(path: &Path, text: &str) {
    // In a pod the kubelet has made the file; outside of one nothing is made among the devices.
    let make = !path.starts_with("/dev");
    let opened = std::fs::OpenOptions::new().write(true).truncate(true).create(make).open(path);
    let written = opened.and_then(|mut file| file.write_all(cut(text, LIMIT).as_bytes()));
    match written {
        Ok(()) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !make => {
            tracing::debug!(path = %path.display(), "no termination log here");
        }
        Err(error) => tracing::warn!(path = %path.display(), %error, "the termination log cannot be written"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::manifest::{File, octal, rfc3339, sha256};
    use proptest::prelude::*;

    fn failures() -> Vec<Failed> {
        let failed = |name: &str, source: Option<&str>, failure| Failed {
            name: name.to_owned(),
            source: source.map(str::to_owned),
            failure,
        };
        vec![
            failed("tools", Some("https://a.example/tools.json"), Failure::unavailable("HTTP 503").with_hint("wait")),
            failed("prompt", Some("s3://b/p"), Failure::denied("HTTP 403").with_hint("look at the\nrole")),
            failed("publish", None, Failure::data("line\u{1b}[31m one")),
        ]
    }

    #[test]
    fn a_failed_run_reads_like_this() {
        insta::assert_snapshot!(Outcome::Failed(&failures()).text());
    }

    #[test]
    fn a_run_that_published_reads_like_this() {
        let file = File {
            name: "prompt".to_owned(),
            target: "system-prompt.txt".to_owned(),
            source: "https://a.example/p".to_owned(),
            version: Some("\"v7\"".to_owned()),
            resolved: None,
            sha256: sha256(b"x"),
            bytes: 1,
            mode: octal(0o444),
            tokens: None,
            fetched: rfc3339(Duration::ZERO),
        };
        let fresh = Manifest::new(Duration::ZERO, vec![file]);
        let stale = fresh.clone().into_stale(Duration::ZERO, Some(Duration::from_secs(60)), "HTTP 503");
        let text = |manifest, changed| Outcome::Published { directory: Path::new("/config"), manifest, changed }.text();
        insta::assert_snapshot!([text(&fresh, true), text(&fresh, false), text(&stale, true)].join("\n"));
    }

    #[test]
    fn the_heaviest_code_wins_in_any_order() {
        let order = [Code::Config, Code::Denied, Code::Data, Code::Deadline, Code::Unavailable, Code::Ok];
        for (index, heavier) in order.iter().enumerate() {
            for lighter in &order[index..] {
                assert_eq!(exit_code([*lighter, *heavier]), *heavier);
                assert_eq!(exit_code([*heavier, *lighter]), *heavier);
            }
        }
        assert_eq!(exit_code([]), Code::Software);
        assert_eq!(Outcome::Failed(&failures()).code(), Code::Denied);
    }

    #[test]
    fn a_long_summary_fits_and_says_that_it_is_cut() {
        let many: Vec<Failed> = std::iter::repeat_with(failures).take(99).flatten().collect();
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        leave(&path, &"x".repeat(9999));
        leave(&path, &Outcome::Failed(&many).text());
        let text = std::fs::read_to_string(path).unwrap();
        assert!(text.len() <= LIMIT && text.len() > LIMIT - 9, "{}", text.len());
        assert!(text.starts_with("failed (exit code 77, denied)") && text.ends_with(CUT));
        leave(&directory.path().join("short"), "fits");
        assert_eq!(std::fs::read_to_string(directory.path().join("short")).unwrap(), "fits");
    }

    #[test]
    fn a_log_that_cannot_be_written_is_no_reason_to_fail() {
        leave(Path::new("/dev/no-such-termination-log"), "x");
        assert!(!Path::new("/dev/no-such-termination-log").exists());
        leave(Path::new("/proc/no/such"), "x");
    }

    proptest! {
        #[test]
        fn what_is_cut_fits_and_is_a_beginning(text in "\\PC{0,200}", limit in 0_usize..300) {
            let short = cut(&text, limit);
            prop_assert!(short.len() <= limit);
            let kept = short.strip_suffix(CUT).unwrap_or(&short);
            prop_assert!(text.starts_with(kept));
            prop_assert!(text.len() > limit || short == text);
        }
    }
}
