//! What is configured, and how mistakes in it are told.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail by panicking")]

use std::time::Duration;

use chassis::config::Environment;
use config_loader::{
    file::Kind,
    settings::{self, Settings, Spec},
};

fn environment(pairs: &[(&str, &str)]) -> Environment {
    Environment::from_pairs(pairs.iter().copied())
}

fn dropped_in(pairs: &[(&str, &str)]) -> Settings {
    settings::load(&environment(pairs)).unwrap_or_else(|problems| panic!("{problems}")).settings
}

fn problems_of(pairs: &[(&str, &str)]) -> String {
    settings::load(&environment(pairs)).map(|loaded| loaded.settings).unwrap_err().to_string()
}

fn problems_in(text: &str) -> String {
    settings::from_text(text, &environment(&[])).map(|loaded| loaded.settings).unwrap_err().to_string()
}

#[test]
fn one_url_is_enough() {
    let settings = dropped_in(&[("PROMPT_URL", "http://prompts/agent.txt?v=3")]);
    assert_eq!(settings.directory.to_str(), Some("/config"));
    assert_eq!(settings.deadline, Duration::from_secs(60));
    assert_eq!(settings.limits.file, 16 * 1024 * 1024);
    let [entry] = &settings.entries[..] else { panic!("{settings:?}") };
    assert_eq!((entry.name.as_str(), entry.target.as_str(), entry.kind), ("prompt", "system-prompt.txt", Kind::Prompt));
    assert_eq!((entry.mode, entry.template, entry.optional), (0o444, false, false));
    assert!(matches!(&entry.source, Spec::Http(http) if http.url.as_deref() == Some("http://prompts/agent.txt?v=3")));
}

#[test]
fn each_url_goes_to_its_place_and_each_scheme_to_its_source() {
    let settings = dropped_in(&[
        ("PROMPT_URL", "file:///mnt/prompts/agent.txt"),
        ("TOOLS_URL", "s3://bucket/tools/v3.json"),
        ("GUARDRAILS_URL", "rediss://redis:6379/2/agents/guardrails"),
        ("CONFIG_DIR", "/var/agent"),
        ("CONFIG_LOADER_DEADLINE", "5s"),
    ]);
    assert_eq!((settings.directory.to_str(), settings.deadline), (Some("/var/agent"), Duration::from_secs(5)));
    let targets: Vec<&str> = settings.entries.iter().map(|entry| entry.target.as_str()).collect();
    assert_eq!(targets, ["system-prompt.txt", "tools.json", "guardrails.yaml"]);
    assert!(matches!(&settings.entries[0].source, Spec::File(path) if path.to_str() == Some("/mnt/prompts/agent.txt")));
    assert!(
        matches!(&settings.entries[1].source, Spec::S3(s3) if s3.url.as_deref() == Some("s3://bucket/tools/v3.json"))
    );
    let Spec::Redis(redis) = &settings.entries[2].source else { panic!("{settings:?}") };
    assert_eq!(redis.url.as_deref(), Some("rediss://redis:6379/2"));
    assert_eq!(redis.key.as_deref(), Some("agents/guardrails"));
}

#[test]
fn mistakes_in_the_variables_are_told_without_what_they_hold() {
    assert_eq!(
        problems_of(&[]),
        "nothing to load (set PROMPT_URL, TOOLS_URL or GUARDRAILS_URL, or CONFIG_LOADER_CONFIG to a file)"
    );
    let problems = problems_of(&[
        ("PROMPT_URL", "https://me:hunter2@prompts/agent.txt"),
        ("TOOLS_URL", "ftp://tools/hunter2"),
        ("GUARDRAILS_URL", "redis://redis:6379/0"),
        ("CONFIG_LOADER_DEADLINE", "soon"),
    ]);
    let lines: Vec<&str> = problems.lines().collect();
    assert_eq!(lines.len(), 4, "{problems}");
    assert!(lines[0].starts_with("PROMPT_URL: has credentials in it"), "{problems}");
    assert!(lines[1].starts_with("TOOLS_URL: is no URL of a known scheme"), "{problems}");
    assert!(lines[2].starts_with("GUARDRAILS_URL: names no key in Redis"), "{problems}");
    assert!(lines[3].starts_with("CONFIG_LOADER_DEADLINE: "), "{problems}");
    assert!(!problems.contains("hunter2"), "{problems}");
}

#[test]
fn a_file_and_variables_together_are_refused() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "files: [ { name: a, target: a, type: text, source: { inline: x } } ]").unwrap();
    let path = file.path().to_str().unwrap();
    let problems = problems_of(&[("CONFIG_LOADER_CONFIG", path), ("TOOLS_URL", "http://a/b")]);
    assert!(problems.starts_with("TOOLS_URL: is set beside CONFIG_LOADER_CONFIG"), "{problems}");
    assert_eq!(dropped_in(&[("CONFIG_LOADER_CONFIG", path)]).entries.len(), 1);
}

#[test]
fn every_mistake_in_a_file_is_told_at_once() {
    let problems = problems_in(
        "
files:
  - { name: a, target: a.txt, type: txt, source: { inline: x } }
  - { target: b.txt, type: text, source: {} }
  - { name: c, target: c.txt, type: text, source: { inline: x, file: { path: /c } }, mode: '0666' }
  - { name: c, target: d.txt, type: text, source: { http: {} }, checks: { sha256: abc } }
  - { name: e, target: e.txt, type: text, source: { s3: { url: 's3://bucket' } } }
  - { name: f, target: f.txt, type: text, source: { redis: { url: 'redis://:hunter2@r', key: k } } }
  - { name: g, target: g.txt, type: text, source: { inline: x }, checks: { signature: {} } }
",
    );
    for expected in [
        "files[0].type: ",
        "files[1].name: missing",
        "files[1].source: names no source (exactly one of http, file, s3, redis and inline)",
        "files[2].source: names several sources",
        "files[2].mode: lets everybody write",
        "files[3].source.http.url: missing",
        "files[3].checks.sha256: is no SHA-256",
        "files[4].source: names no object (write s3://BUCKET/KEY)",
        "files[5].source.redis.url: has credentials in it",
        "files[6].checks.signature: needs one public key",
        "files[6].checks.signature: has no place beside an inline file",
    ] {
        assert!(problems.lines().any(|line| line.starts_with(expected)), "{expected} is not in:\n{problems}");
    }
    assert!(!problems.contains("hunter2"), "{problems}");
}

#[test]
fn a_signature_lies_beside_its_file_unless_it_is_elsewhere() {
    let of = |source: &str, more: &str| {
        let checks = format!(
            "checks: {{ signature: {{ public_key: RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3{more} }} }}"
        );
        let text = format!("files: [ {{ name: a, target: a, type: binary, source: {source}, {checks} }} ]");
        let loaded = settings::from_text(&text, &environment(&[])).unwrap_or_else(|problems| panic!("{problems}"));
        loaded.settings.entries[0].signature.clone().unwrap()
    };
    let url = |spec: &Spec| match spec {
        Spec::Http(http) => http.url.clone().unwrap(),
        Spec::S3(s3) => s3.url.clone().unwrap(),
        Spec::File(path) => path.to_str().unwrap().to_owned(),
        Spec::Redis(redis) => redis.key.clone().unwrap(),
        Spec::Inline(text) => text.clone(),
    };
    assert_eq!(url(&of("{ http: { url: 'https://a/b?x=1' } }", "")), "https://a/b.minisig?x=1");
    assert_eq!(url(&of("{ s3: { url: 's3://a/b', version: '7' } }", "")), "s3://a/b.minisig");
    assert_eq!(url(&of("{ file: { path: /a/b } }", "")), "/a/b.minisig");
    assert_eq!(url(&of("{ redis: { url: 'redis://r', key: k } }", "")), "k.minisig");
    assert_eq!(url(&of("{ inline: x }", ", source: { inline: untrusted }")), "untrusted");
}

/// What the documentation shows, can be used as it stands.
#[test]
fn the_examples_of_the_documentation_hold() {
    let text = include_str!("../../docs/config-loader.md");
    let blocks = |language: &'static str| {
        let blocks = text.split("\n```").collect::<Vec<_>>();
        blocks.into_iter().filter_map(move |block| block.strip_prefix(language)).map(str::to_owned).collect::<Vec<_>>()
    };
    let yaml = blocks("yaml\n");
    let loaded = settings::from_text(&yaml[0], &environment(&[])).unwrap();
    assert_eq!((loaded.settings.entries.len(), loaded.warnings.len()), (4, 0));
    let (guardrails, warnings) = config_loader::check::guardrails::read(&yaml[1]).unwrap();
    assert!(warnings.is_empty(), "{warnings:?}");
    assert!(guardrails.permits("read_mail") && !guardrails.permits("read_secrets"));
    assert!(guardrails.output[0].pattern.is_match("it is 4111 1111 1111 1111"));
    let tools = format!("[{}]", blocks("json\n")[0]);
    config_loader::check::tools::read(&tools).unwrap();
}
