//! The drop-in form: a URL each for prompt, tools and guardrails, and nothing else to configure.

use chassis::config::{Environment, Problems};

use super::{Entry, FILE_VARIABLE, MAX_FILE, MAX_FILES, MAX_SET, Settings, Spec, deadline, directory};
use crate::{
    check::target::Target,
    file::{Checks, FilePath, Http, Kind, RedisKey, S3, Source},
    settings::resolve::spec,
    source::{Budget, Limits},
};

/// The variables, and what each brings.
const FORMS: [(&str, &str, &str, Kind); 3] = [
    ("PROMPT_URL", "prompt", "system-prompt.txt", Kind::Prompt),
    ("TOOLS_URL", "tools", "tools.json", Kind::Tools),
    ("GUARDRAILS_URL", "guardrails", "guardrails.yaml", Kind::Guardrails),
];

/// The settings that the variables ask for.
pub(super) fn settings(environment: &Environment, problems: &mut Problems) -> Option<Settings> {
    // A Secret that was made with an editor ends in a line end.
    let given = FORMS.iter().filter_map(|form| Some((form, environment.get(form.0)?.trim())));
    let entries: Vec<Entry> = given
        .filter_map(|((variable, name, target, kind), url)| {
            Some(Entry {
                name: (*name).to_owned(),
                target: Target::parse(target).ok()?,
                kind: *kind,
                source: source(url, variable, problems)?,
                optional: false,
                checks: Checks::default(),
                signature: None,
                template: false,
                mode: 0o444,
            })
        })
        .collect();
    if entries.is_empty() && problems.is_empty() {
        problems.push_hint(
            "",
            "nothing to load",
            format!("set PROMPT_URL, TOOLS_URL or GUARDRAILS_URL, or {FILE_VARIABLE} to a file"),
        );
    }
    let deadline = deadline(environment, problems);
    Some(Settings {
        directory: directory(environment),
        deadline,
        limits: Limits { file: MAX_FILE, files: MAX_FILES, set: MAX_SET, budget: Budget::NONE },
        values: Default::default(),
        template_env: Vec::new(),
        template_files: Vec::new(),
        cache: None,
        entries,
    })
}

/// With a file, the variables would be ignored in silence. Better to say so.
pub(super) fn refuse_beside_file(environment: &Environment, problems: &mut Problems) {
    for (variable, ..) in FORMS.iter().filter(|form| environment.get(form.0).is_some()) {
        let message =
            format!("is set beside {FILE_VARIABLE}: the set is described by the file or by variables, not both");
        problems.push_hint(variable, message, "unset one of the two");
    }
}

/// The source that a URL names.
fn source(url: &str, variable: &str, problems: &mut Problems) -> Option<Spec> {
    let owned = url.to_owned();
    let source = match url.split_once("://").map(|(scheme, rest)| (scheme.to_ascii_lowercase(), rest)) {
        Some((scheme, _)) if scheme == "http" || scheme == "https" => {
            Source { http: Some(Http::of(owned)), ..Source::default() }
        }
        Some((scheme, path)) if scheme == "file" && !path.starts_with('/') => {
            problems.push_hint(
                variable,
                "names a host, and files are of this container",
                "write file:///the/path, with three slashes",
            );
            return None;
        }
        Some((scheme, path)) if scheme == "file" => {
            Source { file: Some(FilePath { path: Some(path.to_owned()) }), ..Source::default() }
        }
        Some((scheme, _)) if scheme == "s3" => Source { s3: Some(S3::of(owned)), ..Source::default() },
        Some((scheme, rest)) if scheme == "redis" || scheme == "rediss" => {
            // redis://host:6379/0/the/key
            let mut parts = rest.splitn(3, '/');
            let (server, database, key) = (parts.next(), parts.next(), parts.next());
            let (Some(server), Some(database), Some(key)) = (server, database, key.filter(|key| !key.is_empty()))
            else {
                let hint = "write redis://HOST:PORT/DATABASE/KEY";
                problems.push_hint(variable, "names no key in Redis", hint);
                return None;
            };
            let redis = RedisKey::of(format!("{scheme}://{server}/{database}"), key.to_owned());
            Source { redis: Some(redis), ..Source::default() }
        }
        _ => {
            let hint = "http://, https://, file://, s3:// and redis:// are known";
            problems.push_hint(variable, "is no URL of a known scheme", hint);
            return None;
        }
    };
    spec(source, variable, problems)
}
