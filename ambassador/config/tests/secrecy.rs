//! A key is nowhere to be seen: not in what is wrong with it, and not in the settings that hold it.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod common;

use std::fs;

use chassis::config::Environment;
use common::{CANARY, file, told, variables, with_providers};

#[test]
fn settings_show_no_key() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    fs::write(&path, CANARY).unwrap();
    let by_file = format!(
        "providers:\n  openai: {{ kind: openai, keys: [ {{ env: OPENAI_API_KEY }}, {{ file: {} }} ] }}\n\
         routes: [ {{ model: '*', targets: [ {{ provider: openai }} ] }} ]\n",
        path.display()
    );
    let by_variables = variables([
        ("PRIMARY_PROVIDER", "openai"),
        ("FALLBACK_PROVIDER", "anthropic"),
        ("OPENAI_API_KEY", CANARY),
        ("ANTHROPIC_API_KEY_FILE", path.to_str().unwrap()),
    ]);
    for settings in [file(&by_file).unwrap(), by_variables.unwrap()] {
        let held = settings.upstreams.iter().flat_map(|upstream| &upstream.keys);
        assert!(held.filter(|key| key.expose() == CANARY).count() >= 2);
        for shown in [format!("{settings:?}"), format!("{settings:#?}")] {
            assert!(shown.contains("openai") && !shown.contains(CANARY), "{shown}");
        }
    }
}

/// Keys in all the places where they do not belong, by mistake.
#[test]
fn a_key_in_the_wrong_place_is_not_repeated() {
    let route = "routes: [ { model: '*', targets: [ { provider: vllm } ] } ]\n";
    for text in [
        format!("providers:\n  p: {{ kind: {CANARY} }}\n{route}"),
        format!("providers:\n  p: {{ kind: openai, keys: [ {CANARY} ] }}\n{route}"),
        format!("providers:\n  p: {{ kind: openai, keys: {CANARY} }}\n{route}"),
        format!("providers:\n  p: {{ kind: openai, stream_usage: {CANARY} }}\n{route}"),
        format!("providers: {CANARY}\n{route}"),
        format!("providers:\n  p: {{ kind: openai, keys: [ {{ env: {CANARY} }} ] }}\n{route}"),
        format!("providers:\n  p: {{ kind: openai, keys: [ {{ file: {CANARY} }} ] }}\n{route}"),
        format!("providers:\n  {CANARY}: {{ kind: openai }}\n{route}"),
        with_providers(&format!("routes: [ {{ model: '*', targets: [ {{ provider: {CANARY} }} ] }} ]\n")),
        with_providers(&format!("{route}limits: {{ max_body: {CANARY} }}\n")),
        with_providers(&format!("{route}timeouts: {{ idle: {CANARY} }}\n")),
        with_providers(&format!("{route}prices: {{ m: {{ input: {CANARY}, output: 1 }} }}\n")),
        with_providers(&format!("routes: {CANARY}\n")),
        with_providers(&format!("{route}x: [ {CANARY}\n")),
        CANARY.to_owned(),
    ] {
        let problems = file(&text).unwrap_err();
        assert!(!problems.is_empty());
        assert!(!format!("{problems} {problems:?}").contains(CANARY), "{problems}");
    }
}

#[test]
fn a_key_for_a_name_or_a_path_is_not_repeated() {
    for pairs in [
        [("PRIMARY_PROVIDER", CANARY), ("OPENAI_API_KEY", "k")],
        [("PRIMARY_PROVIDER", "openai"), ("OPENAI_API_KEY_FILE", CANARY)],
    ] {
        let problems = variables(pairs).unwrap_err();
        assert!(!format!("{problems} {problems:?}").contains(CANARY), "{problems}");
    }
}

#[test]
fn a_key_that_cannot_be_sent_is_told_by_its_fingerprint() {
    for end in ["\nsecond", " second", "\u{a0}"] {
        cannot_be_sent(&format!("{CANARY}{end}x"));
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    fs::write(&path, format!("good\n{CANARY} and more\n")).unwrap();
    let path = path.to_str().unwrap();
    let told = told(variables([("PRIMARY_PROVIDER", "openai"), ("OPENAI_API_KEY_FILE", path)]));
    assert!(told.len() == 1 && told[0].contains(&format!("{path}: line 2")), "{told:?}");
}

fn cannot_be_sent(bad: &str) {
    let by_variable = told(variables([("PRIMARY_PROVIDER", "anthropic"), ("ANTHROPIC_API_KEY", bad)]));
    let environment = Environment::from_pairs([("OPENAI_API_KEY", bad)]);
    let text = with_providers("routes: [ { model: '*', targets: [ { provider: openai } ] } ]\n");
    let by_file = told(ambassador_config::from_text(&text, &environment).map(|loaded| loaded.settings));
    for (told, place) in [(by_variable, "ANTHROPIC_API_KEY"), (by_file, "providers.openai.keys")] {
        assert_eq!(told.len(), 1, "{told:?}");
        let expected = format!("{place}: the key with fingerprint ");
        assert!(told[0].starts_with(&expected) && told[0].contains("has a space, a control or"), "{told:?}");
    }
}
