//! Everything that was gathered, checked, becomes a set; or every reason why there is none.

use std::{path::Path, time::Duration};

use bytes::Bytes;
use chassis::{config::Environment, exit::Code, units::Size};

use crate::{
    check::{self, Checked, Rules, digest::Digest, signature, target, target::Target, template},
    failure::Failure,
    fetch::Gathered,
    manifest::{self, Manifest, Omitted},
    publish::PublishedFile,
    reach,
    report::Failed,
    settings::{Entry, Settings, Spec},
    source::{Content, Fetched, file},
};

/// A set that may be published.
#[derive(Debug)]
pub struct Set {
    /// Its files.
    pub files: Vec<PublishedFile>,
    /// What there is to say about them.
    pub manifest: Manifest,
    /// What somebody should know, although nothing is wrong.
    pub warnings: Vec<String>,
}

/// Checks what was gathered at `unix` (since 1970) and makes a set of it; `location` says where a source is.
///
/// # Errors
/// Every file that stands in the way of it.
pub fn assemble(
    settings: &Settings,
    environment: &Environment,
    gathered: &Gathered,
    location: impl Fn(&Spec) -> String,
    unix: Duration,
) -> Result<Set, Vec<Failed>> {
    let context = reach::context(settings, environment);
    let mut failed = Vec::new();
    let mut made = Made::default();
    for entry in &settings.entries {
        let location = location(&entry.source);
        match read(entry, gathered, settings, &context) {
            Ok(files) => made.add(entry, &location, files, unix),
            Err(failure) if entry.optional && matches!(failure.code, Code::Unavailable | Code::Deadline) => {
                made.warnings.push(format!("{}: left out, because it is optional: {failure}", entry.name));
                made.omitted.push(Omitted { name: entry.name.clone(), reason: failure.message });
            }
            Err(failure) => failed.push(Failed { name: entry.name.clone(), source: Some(location), failure }),
        }
    }
    made.finish(failed, settings, unix)
}

/// What has been made of the entries so far.
#[derive(Default)]
struct Made {
    files: Vec<PublishedFile>,
    told: Vec<manifest::File>,
    targets: Vec<Target>,
    checked: Vec<Checked>,
    warnings: Vec<String>,
    omitted: Vec<Omitted>,
}

/// A file of an entry, what its source calls this version of it, and where that was in the end.
struct File {
    target: Target,
    checked: Checked,
    version: Option<String>,
    resolved: Option<String>,
}

impl Made {
    fn add(&mut self, entry: &Entry, location: &str, files: Vec<File>, now: Duration) {
        for File { target, checked, version, resolved } in files {
            self.warnings.extend(checked.warnings.iter().map(|warning| format!("{}: {warning}", entry.name)));
            self.told.push(manifest::File {
                name: entry.name.clone(),
                target: target.as_str().to_owned(),
                source: location.to_owned(),
                version,
                resolved,
                sha256: checked.sha256.to_string(),
                bytes: checked.bytes.len() as u64,
                mode: format!("{:04o}", entry.mode),
                tokens: checked.tokens,
                fetched: manifest::rfc3339(now),
            });
            self.files.push(PublishedFile {
                target: target.as_str().to_owned(),
                bytes: checked.bytes.clone(),
                mode: entry.mode,
            });
            self.targets.push(target);
            self.checked.push(checked);
        }
    }

    fn finish(mut self, mut failed: Vec<Failed>, settings: &Settings, now: Duration) -> Result<Set, Vec<Failed>> {
        let whole = |failure| Failed { name: "the set".to_owned(), source: None, failure };
        for collision in target::collisions(&self.targets) {
            failed.push(whole(Failure::new(Code::Config, collision.to_string())));
        }
        let size: u64 = self.files.iter().map(|file| file.bytes.len() as u64).sum();
        if size > settings.limits.set {
            let message = format!("has {size} bytes, and {} are allowed", Size::bytes(settings.limits.set));
            failed.push(whole(Failure::data(message).with_hint("make it smaller, or raise limits.set")));
        }
        if !failed.is_empty() {
            return Err(failed);
        }
        self.warnings.extend(check::across(&self.checked));
        Ok(Set {
            files: self.files,
            manifest: Manifest::new(now, self.told).without(self.omitted),
            warnings: self.warnings,
        })
    }
}

/// What one entry's sources gave, checked.
fn read(
    entry: &Entry,
    gathered: &Gathered,
    settings: &Settings,
    context: &template::Context,
) -> Result<Vec<File>, Failure> {
    let lost = || Failure::new(Code::Software, "the config-loader has a bug: nothing was fetched");
    let of = |spec: &Spec| gathered.get(&spec.identity()).cloned().ok_or_else(lost)?;
    let Fetched { content, version, resolved, media_type } = of(&entry.source)?;
    let signature = entry.signature.as_ref().map(|spec| signature_of(of(spec))).transpose()?;
    let key = entry.checks.signature.as_ref().map(key).transpose()?;
    let pin = entry.checks.sha256.as_deref().map(str::parse::<Digest>).transpose();
    let sha256 = pin.map_err(|error| Failure::new(Code::Config, format!("checks.sha256 {error}")))?;
    let rules = Rules {
        max_size: entry.checks.max_size.unwrap_or(Size::bytes(settings.limits.file)),
        sha256,
        signature: key.as_ref().zip(signature.as_deref()),
        template: entry.template.then_some(context),
        count_tokens: true,
        max_tokens: entry.checks.max_tokens,
    };
    let of = |target: Target, bytes| {
        let checked = check::check(entry.kind, &rules, bytes, media_type.as_deref())?;
        Ok(File { target, checked, version: version.clone(), resolved: resolved.clone() })
    };
    match content {
        Content::File(bytes) => Ok(vec![of(entry.target.clone(), bytes)?]),
        Content::Directory(_) if sha256.is_some() || key.is_some() => {
            let message = "is a directory, of which neither a SHA-256 nor a signature can be checked";
            Err(Failure::new(Code::Config, message).with_hint("name its files one by one"))
        }
        Content::Directory(files) => files
            .into_iter()
            .map(|(path, bytes)| {
                let at = |failure: Failure| Failure { message: format!("{path}: {}", failure.message), ..failure };
                let target = entry
                    .target
                    .join(&path)
                    .map_err(|fault| at(Failure::data(format!("its name {}", fault.message)).with_hint(fault.hint)))?;
                of(target, bytes).map_err(at)
            })
            .collect(),
    }
}

/// The content of a `.minisig` file.
fn signature_of(fetched: Result<Fetched, Failure>) -> Result<Bytes, Failure> {
    let about = |failure: Failure| Failure { message: format!("its signature: {}", failure.message), ..failure };
    match fetched.map_err(about)?.content {
        Content::File(bytes) => Ok(bytes),
        Content::Directory(_) => Err(Failure::new(Code::Config, "its signature is a directory")),
    }
}

/// The key to trust.
fn key(wanted: &crate::file::Signature) -> Result<signature::Key, Failure> {
    let text = match (&wanted.public_key, &wanted.public_key_file) {
        (Some(key), _) => key.clone(),
        (None, Some(path)) => file::text(Path::new(path)).map_err(|failure| {
            let message = format!("checks.signature.public_key_file: {}", failure.message);
            Failure { hint: failure.hint, ..Failure::new(Code::Config, message) }
        })?,
        (None, None) => String::new(),
    };
    text.parse().map_err(|error| Failure::new(Code::Config, format!("checks.signature: the key {error}")))
}
