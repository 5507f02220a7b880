//! The file to settings: what its shape alone cannot say.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use chassis::config::{Environment, Problems};

use super::{
    Cache, Entry, MAX_FILE, MAX_FILES, MAX_SET, MAX_STALE, Settings, Spec, TEMPLATE_FILES, bytes, deadline, directory,
};
use crate::{
    check::{
        digest::Digest,
        signature::Key,
        target::{Fault, Mode, Target, collisions},
    },
    file,
    source::{Budget, Limits},
};

/// The settings of a file. `None` where a problem leaves nothing to build on; every problem is in `problems`.
pub(super) fn settings(file: file::File, environment: &Environment, problems: &mut Problems) -> Option<Settings> {
    if file.files.is_empty() && !problems.pruned_within("files") {
        let example = "files: [ { name: prompt, target: system-prompt.txt, type: prompt, source: { http: { url: \"https://...\" } } } ]";
        problems.push_hint("files", "names no file", format!("the least is {example}"));
    }
    let deadline = match file.deadline {
        Some(deadline) => Duration::from(deadline),
        None => deadline(environment, problems),
    };
    let max_set = bytes(file.limits.set, MAX_SET);
    let limits =
        Limits { file: bytes(file.limits.file, MAX_FILE), files: MAX_FILES, set: max_set, budget: Budget::NONE };
    let entries: Vec<Entry> =
        file.files.into_iter().enumerate().filter_map(|(index, given)| entry(given, index, problems)).collect();
    refuse_twins(&entries, problems);
    refuse_collisions(&entries, problems);
    let directory: PathBuf = file.directory.map_or_else(|| directory(environment), Into::into);
    let cache = file.cache.and_then(|given| cache(given, &directory, problems));
    let template_files = file.templates.files.unwrap_or_else(|| vec![TEMPLATE_FILES.to_owned()]);
    problems.is_empty().then_some(Settings {
        directory,
        deadline,
        limits,
        values: file.values,
        template_env: file.templates.env,
        template_files: template_files.into_iter().map(Into::into).collect(),
        cache,
        entries,
    })
}

fn cache(given: file::Cache, published: &Path, problems: &mut Problems) -> Option<Cache> {
    let file::Cache { directory, redis, bundled, max_stale } = given;
    if directory.is_none() && redis.is_none() && bundled.is_none() {
        if !problems.pruned_within("cache") {
            problems.push_hint("cache", "names no place", "one of directory, redis and bundled");
        }
        return None;
    }
    let directory: Option<PathBuf> = directory.map(Into::into);
    // What is published is swept of what is not of the set.
    for (key, path) in [("directory", &directory), ("bundled", &bundled.clone().map(Into::into))] {
        if path.as_ref().is_some_and(|path| path.starts_with(published)) {
            let hint = "name a directory of its own, on a volume that outlives the pod";
            problems.push_hint(format!("cache.{key}"), "is in the directory that the set is published in", hint);
        }
    }
    let redis = match redis {
        Some(redis) => Some(redis_key(redis, "cache", problems)?),
        None => None,
    };
    let max_stale = max_stale.map_or(MAX_STALE, Duration::from);
    if max_stale.is_zero() {
        problems.push_hint("cache.max_stale", "is no time at all", "remove the cache, or let it be some days old");
    }
    Some(Cache { directory, redis, bundled: bundled.map(Into::into), max_stale })
}

fn entry(given: file::Entry, index: usize, problems: &mut Problems) -> Option<Entry> {
    let path = format!("files[{index}]");
    let name = required(given.name, &path, "name", problems);
    let target = required(given.target, &path, "target", problems);
    let target = target.and_then(|text| {
        let fault = |fault: Fault| problems.push_hint(format!("{path}.target"), fault.message, fault.hint);
        Target::parse(&text).map_err(fault).ok()
    });
    let kind = required(given.kind, &path, "type", problems);
    let source = required(given.source, &path, "source", problems);
    let source = source.and_then(|source| spec(source, &format!("{path}.source"), problems));
    let mode = mode(given.mode.as_deref(), &format!("{path}.mode"), problems);
    if kind == Some(file::Kind::Binary) {
        for (key, given) in [("template", given.template), ("checks.max_tokens", given.checks.max_tokens.is_some())] {
            if given {
                problems.push_hint(
                    format!("{path}.{key}"),
                    "is for text, and the type is binary",
                    "give it the type text",
                );
            }
        }
    }
    let signature = match &given.checks.signature {
        None => None,
        Some(wanted) => {
            let path = format!("{path}.checks.signature");
            check_key(wanted, &path, problems);
            match &wanted.source {
                Some(source) => Some(spec(source.clone(), &format!("{path}.source"), problems)?),
                None => beside(source.as_ref()?, &path, problems),
            }
        }
    };
    if let Some(Err(error)) = given.checks.sha256.as_deref().map(str::parse::<Digest>) {
        problems.push(format!("{path}.checks.sha256"), error.to_string());
    }
    Some(Entry {
        name: name?,
        target: target?,
        kind: kind?,
        source: source?,
        optional: given.optional,
        checks: given.checks,
        signature,
        template: given.template,
        mode: mode?,
    })
}

/// Exactly one kind of source, with what it needs.
pub(super) fn spec(source: file::Source, path: &str, problems: &mut Problems) -> Option<Spec> {
    let file::Source { http, file, s3, redis, inline } = source;
    let given = [http.is_some(), file.is_some(), s3.is_some(), redis.is_some(), inline.is_some()];
    match given.iter().filter(|given| **given).count() {
        1 => {}
        0 if problems.pruned_within(path) => return None,
        count => {
            let message = if count == 0 { "names no source" } else { "names several sources" };
            problems.push_hint(path, message, "exactly one of http, file, s3, redis and inline");
            return None;
        }
    }
    if let Some(http) = http {
        let url = required(http.url.clone(), &format!("{path}.http"), "url", problems)?;
        check_http(&url, path, problems).then_some(Spec::Http(http))
    } else if let Some(file) = file {
        Some(Spec::File(required(file.path, &format!("{path}.file"), "path", problems)?.into()))
    } else if let Some(s3) = s3 {
        let url = required(s3.url.clone(), &format!("{path}.s3"), "url", problems)?;
        let object = url.strip_prefix("s3://").and_then(|rest| rest.split_once('/'));
        if object.is_some_and(|(bucket, key)| !bucket.is_empty() && !key.is_empty()) {
            return Some(Spec::S3(s3));
        }
        problems.push_hint(path, "names no object", "write s3://BUCKET/KEY");
        None
    } else if let Some(redis) = redis {
        redis_key(redis, path, problems).map(Spec::Redis)
    } else {
        inline.map(Spec::Inline)
    }
}

/// A query may be part of a file's address, so this is less strict than what providers get.
fn check_http(url: &str, path: &str, problems: &mut Problems) -> bool {
    let uri = url.parse::<http::Uri>().ok();
    let uri = uri.filter(|uri| {
        matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some_and(|host| !host.is_empty())
    });
    let Some(uri) = uri else {
        problems.push_hint(path, "is no http(s) URL", "write, for instance, https://prompts.example.com/agent.txt");
        return false;
    };
    if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
        let hint = "take them out of the URL; basic.password_file and bearer_file take them from mounted files";
        problems.push_hint(path, "has credentials in it", hint);
        return false;
    }
    true
}

fn redis_key(redis: file::RedisKey, path: &str, problems: &mut Problems) -> Option<file::RedisKey> {
    let path = format!("{path}.redis");
    let url = required(redis.url.clone(), &path, "url", problems);
    let key = required(redis.key.clone(), &path, "key", problems);
    let url = url?;
    if !url.starts_with("redis://") && !url.starts_with("rediss://") {
        problems.push_hint(
            format!("{path}.url"),
            "is no address of Redis",
            "write, for instance, redis://redis:6379/0",
        );
        return None;
    }
    if url.contains('@') {
        let hint = "take them out; username and password_file are for them";
        problems.push_hint(format!("{path}.url"), "has credentials in it", hint);
        return None;
    }
    key.map(|_| redis)
}

/// The signature that lies beside a file.
fn beside(source: &Spec, path: &str, problems: &mut Problems) -> Option<Spec> {
    const END: &str = ".minisig";
    match source {
        Spec::Http(http) => {
            let url = http.url.clone().unwrap_or_default();
            let (address, query) =
                url.split_once('?').map_or((url.as_str(), None), |(address, query)| (address, Some(query)));
            let query = query.map(|query| format!("?{query}")).unwrap_or_default();
            Some(Spec::Http(file::Http { url: Some(format!("{address}{END}{query}")), ..http.clone() }))
        }
        Spec::File(file) => {
            let mut file = file.clone().into_os_string();
            file.push(END);
            Some(Spec::File(file.into()))
        }
        Spec::S3(s3) => Some(Spec::S3(file::S3 {
            url: s3.url.as_ref().map(|url| format!("{url}{END}")),
            version: None,
            ..s3.clone()
        })),
        Spec::Redis(redis) => {
            let key = redis.key.as_ref().map(|key| format!("{key}{END}"));
            Some(Spec::Redis(file::RedisKey { key, ..redis.clone() }))
        }
        Spec::Inline(_) => {
            problems.push_hint(path, "has no place beside an inline file", "name the signature's own source");
            None
        }
    }
}

fn check_key(wanted: &file::Signature, path: &str, problems: &mut Problems) {
    if wanted.public_key.is_some() == wanted.public_key_file.is_some() {
        problems.push_hint(path, "needs one public key", "exactly one of public_key and public_key_file");
    }
    if let Some(Err(error)) = wanted.public_key.as_deref().map(str::parse::<Key>) {
        problems.push(format!("{path}.public_key"), error.to_string());
    }
}

/// Of directories it is known only when they are read.
fn refuse_collisions(entries: &[Entry], problems: &mut Problems) {
    for collision in collisions(entries.iter().map(|entry| &entry.target)) {
        problems.push("files", collision.to_string());
    }
}

/// Two entries of one name could not be told apart in the manifest.
fn refuse_twins(entries: &[Entry], problems: &mut Problems) {
    for (index, entry) in entries.iter().enumerate() {
        if entries.iter().take(index).any(|earlier| earlier.name == entry.name) {
            problems.push(format!("files[{index}].name"), format!("`{}` is the name of another file, too", entry.name));
        }
    }
}

fn mode(given: Option<&str>, path: &str, problems: &mut Problems) -> Option<u32> {
    let Some(given) = given else { return Some(0o444) };
    let fault = |fault: Fault| problems.push_hint(path, fault.message, fault.hint);
    Mode::parse(given).map(Mode::bits).map_err(fault).ok()
}

/// A key that must be there, unless its absence is the consequence of a problem that has been told.
fn required<T>(given: Option<T>, path: &str, key: &str, problems: &mut Problems) -> Option<T> {
    let path = format!("{path}.{key}");
    if given.is_none() && !problems.pruned(&path) {
        problems.push(path, "missing");
    }
    given
}
