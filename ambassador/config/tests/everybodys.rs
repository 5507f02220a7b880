//! The variables that are everybody's: names that were probably meant for us, and whom to trust.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod common;

use std::fs;

use ambassador_config::load;
use chassis::config::{Environment, Problems};

const GOOD: [(&str, &str); 2] = [("PRIMARY_PROVIDER", "openai"), ("OPENAI_API_KEY", "k")];

fn environment(pairs: &[(&str, &str)]) -> Environment {
    Environment::from_pairs(pairs.iter().copied())
}

/// What is suspected of a good environment with `more` in it.
fn warned(more: &[(&str, &str)]) -> Vec<String> {
    let loaded = load(&environment(&[&GOOD, more].concat())).unwrap();
    loaded.warnings.iter().map(ToString::to_string).collect()
}

fn refused(pairs: &[(&str, &str)]) -> Problems {
    load(&environment(pairs)).unwrap_err()
}

#[test]
fn a_mistyped_name_is_told_with_what_was_meant() {
    for (given, meant) in [
        ("FALLBACK_PROVIDERS", "FALLBACK_PROVIDER"),
        ("FALBACK_PROVIDER", "FALLBACK_PROVIDER"),
        ("AMBASSADOR_LISTN", "AMBASSADOR_LISTEN"),
        ("AMBASADOR_CONFIG", "AMBASSADOR_CONFIG"),
        ("OPENAI_BASEURL", "OPENAI_BASE_URL"),
        ("DRAIN_TIMOUT", "DRAIN_TIMEOUT"),
        ("LOG_FORMATS", "LOG_FORMAT"),
        ("SSL_CERT_FILES", "SSL_CERT_FILE"),
        ("OTEL_EXPORTER_OTLP_ENDPIONT", "OTEL_EXPORTER_OTLP_ENDPOINT"),
    ] {
        assert_eq!(
            warned(&[(given, "x")]),
            [format!("{given}: is set, but nothing here reads it (did you mean {meant}?)")]
        );
    }
}

#[test]
fn a_mistyped_name_is_told_beside_what_is_missing_because_of_it() {
    let told = refused(&[("PRIMARY_PROVDER", "openai"), ("OPENAI_APIKEY", "k")]).to_string();
    for line in [
        "PRIMARY_PROVIDER: is not set",
        "warning: PRIMARY_PROVDER: is set, but nothing here reads it (did you mean PRIMARY_PROVIDER?)",
        "warning: OPENAI_APIKEY: is set, but nothing here reads it (did you mean OPENAI_API_KEY?)",
    ] {
        assert!(told.contains(line), "{told}");
    }
}

#[test]
fn names_of_others_are_left_alone() {
    for name in [
        "ANTHROPIC_API_KEY",
        "MISTRAL_API_KEY",
        "OPENAI_ORG_ID",
        "AMBASSADOR_SERVICE_HOST",
        "AMBASSADOR_PORT",
        "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT",
        "OTEL_EXPORTER_OTLP_PROTOCOL",
        "OTEL_TRACES_SAMPLER",
        "RUST_BACKTRACE",
        "SSL_CERT_DIR",
        "PATH",
    ] {
        assert_eq!(warned(&[(name, "x")]), [] as [&str; 0]);
    }
    assert_eq!(warned(&[("FALLBACK_PROVIDER", "anthropic"), ("ANTHROPIC_API_KEY", "k")]), [] as [&str; 0]);
}

#[test]
fn beside_a_file_the_names_are_those_that_it_has() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ambassador.yaml");
    let keys = "keys: [ { env: TEAM_KEY_FOR_MODELS } ]";
    let text = format!(
        "providers: {{ openai: {{ kind: openai, {keys} }} }}\nroutes: [ {{ model: '*', targets: [ {{ provider: openai }} ] }} ]\n"
    );
    fs::write(&path, text).unwrap();
    let config = ("AMBASSADOR_CONFIG", path.to_str().unwrap());
    let told = refused(&[config, ("TEAM_KEY_FOR_MODEL", "k"), ("OPENAI_APIKEY", "k")]);
    let warnings: Vec<String> = told.warnings().iter().map(ToString::to_string).collect();
    assert_eq!(warnings, ["TEAM_KEY_FOR_MODEL: is set, but nothing here reads it (did you mean TEAM_KEY_FOR_MODELS?)"]);
}

#[test]
fn authorities_that_cannot_be_read_are_a_problem_where_tls_is_spoken() {
    let authorities = ("SSL_CERT_FILE", "/no/such/authorities.pem");
    let told = refused(&[&GOOD[..], &[authorities]].concat());
    assert!(told.to_string().starts_with("SSL_CERT_FILE: cannot read /no/such/authorities.pem: "), "{told}");
    assert_eq!(told.len(), 1);

    let plain = warned(&[("OPENAI_BASE_URL", "http://vllm:8000/v1"), authorities]);
    assert!(plain.len() == 1 && plain[0].starts_with("SSL_CERT_FILE: cannot read"), "{plain:?}");
}
