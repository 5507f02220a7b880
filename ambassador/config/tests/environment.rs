//! The environment alone: the two variables of the pod pattern and what each provider's own say.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod common;

use std::fs;

use ambassador_config::Settings;
use ambassador_core::provider::Operation;
use chassis::config::Environment;
use chassis::config::Problems;
use common::{CANARY, told, variables};

fn load(environment: &Environment) -> Result<Settings, Problems> {
    ambassador_config::load(environment).map(|loaded| loaded.settings)
}

fn names(settings: &Settings) -> Vec<&str> {
    settings.upstreams.iter().map(|upstream| upstream.name.as_str()).collect()
}

/// The keys of the first provider.
fn keys(settings: &Settings) -> Vec<&str> {
    settings.upstreams[0].keys.iter().map(|key| key.expose()).collect()
}

#[test]
fn the_primary_comes_first_and_the_fallbacks_in_their_order() {
    let settings = variables([
        ("PRIMARY_PROVIDER", "anthropic"),
        ("FALLBACK_PROVIDER", " openai, my-vllm ,"),
        ("ANTHROPIC_API_KEY", "a"),
        ("OPENAI_API_KEY", "o"),
        ("MY_VLLM_BASE_URL", "http://vllm:8000/v1/"),
    ])
    .unwrap();
    assert_eq!(names(&settings), ["anthropic", "openai", "my-vllm"]);
    let kinds: Vec<&str> = settings.upstreams.iter().map(|upstream| upstream.provider.kind()).collect();
    assert_eq!(kinds, ["anthropic", "openai", "openai-compatible"]);
    let urls: Vec<&str> = settings.upstreams.iter().map(|upstream| upstream.base_url.as_str()).collect();
    assert_eq!(urls, ["https://api.anthropic.com", "https://api.openai.com/v1", "http://vllm:8000/v1"]);
    assert!(settings.upstreams[2].keys.is_empty());
}

#[test]
fn a_name_is_written_upper_case_with_underscores() {
    let settings = variables([
        ("PRIMARY_PROVIDER", "My-own-Engine"),
        ("MY_OWN_ENGINE_BASE_URL", "http://e:1/v1"),
        ("MY_OWN_ENGINE_API_KEY", "k"),
        ("MY_OWN_ENGINE_MODEL", "qwen"),
    ])
    .unwrap();
    assert_eq!(names(&settings), ["my-own-engine"]);
    assert_eq!(keys(&settings), ["k"]);
    let plan = settings.router.plan(Operation::Chat, "gpt-4o", 0).unwrap();
    assert_eq!(plan.candidates[0].model, "qwen");
}

#[test]
fn keys_come_as_a_list_as_a_file_and_as_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    fs::write(path("keys"), "# rotated in June\nf1\n\n  f2  \nf1\n").unwrap();
    fs::create_dir(path("secret")).unwrap();
    fs::create_dir(path("secret/..2026_06_01")).unwrap();
    for (name, key) in [("b", "d2\n"), ("a", "d1"), (".hidden", "no"), ("..2026_06_01/a", "no")] {
        fs::write(path(&format!("secret/{name}")), key).unwrap();
    }
    let with = |pairs: [(&str, &str); 2]| {
        let primary = [("PRIMARY_PROVIDER", "openai")];
        load(&Environment::from_pairs(primary.into_iter().chain(pairs))).unwrap()
    };
    let (file, secret) = (path("keys"), path("secret"));
    assert_eq!(keys(&with([("OPENAI_API_KEY", "k1, k2,,k3,"), ("X", "")])), ["k1", "k2", "k3"]);
    assert_eq!(keys(&with([("OPENAI_API_KEY_FILE", &file), ("X", "")])), ["f1", "f2"]);
    assert_eq!(keys(&with([("OPENAI_API_KEY_FILE", &secret), ("X", "")])), ["d1", "d2"]);
    assert_eq!(keys(&with([("OPENAI_API_KEY", "k1"), ("OPENAI_API_KEY_FILE", &file)])), ["k1", "f1", "f2"]);
}

#[test]
fn a_missing_key_file_is_named() {
    for path in ["/no/such/file", "/no/such/folder/"] {
        let told = told(variables([("PRIMARY_PROVIDER", "openai"), ("OPENAI_API_KEY_FILE", path)]));
        assert_eq!(told.len(), 1, "{told:?}");
        let expected = format!("OPENAI_API_KEY_FILE: {path}: no such file or directory");
        assert!(told[0].starts_with(&expected), "{told:?}");
    }
    let empty = tempfile::tempdir().unwrap();
    let path = empty.path().to_str().unwrap();
    let told = told(variables([("PRIMARY_PROVIDER", "openai"), ("OPENAI_API_KEY_FILE", path)]));
    assert!(told.len() == 1 && told[0].contains(path) && told[0].contains("holds no key"), "{told:?}");
}

#[test]
fn nothing_set_says_what_to_set() {
    let told = told(variables([]));
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].starts_with("PRIMARY_PROVIDER: is not set (set PRIMARY_PROVIDER=anthropic"), "{told:?}");
    // What is set to nothing is not set.
    assert_eq!(common::told(variables([("PRIMARY_PROVIDER", "")])), told);
}

#[test]
fn all_problems_are_told_at_once() {
    let told = told(variables([
        ("PRIMARY_PROVIDER", "anthropic"),
        ("FALLBACK_PROVIDER", "openai,anthropic,vllm,a b,tgi"),
        ("OPENAI_API_KEY", "sk-canary-7c1e5b0f4d6a2938b7e1c0d5a4f6\nsecond"),
        ("ANTHROPIC_BASE_URL", "https://api.anthropic.com/v1"),
        ("TGI_BASE_URL", "tgi:80"),
        ("AMBASSADOR_LISTEN", "7070"),
        ("AMBASSADOR_ADMIN_LISTEN", "localhost"),
        ("DRAIN_TIMEOUT", "100"),
    ]));
    let places: Vec<&str> = told.iter().map(|problem| problem.split(": ").next().unwrap()).collect();
    assert_eq!(
        places,
        [
            "FALLBACK_PROVIDER",
            "FALLBACK_PROVIDER",
            "ANTHROPIC_BASE_URL",
            "ANTHROPIC_API_KEY",
            "OPENAI_API_KEY",
            "VLLM_BASE_URL",
            "TGI_BASE_URL",
            "AMBASSADOR_LISTEN",
            "AMBASSADOR_ADMIN_LISTEN",
            "DRAIN_TIMEOUT",
        ],
        "{told:#?}"
    );
    assert!(told[0].contains("`anthropic` a second time") && told[1].contains("`a b` is no provider's name"));
    assert!(told[5].contains("(set VLLM_BASE_URL to where it serves OpenAI's API"), "{told:?}");
}

#[test]
fn without_a_primary_the_rest_is_looked_at_all_the_same() {
    let told = |pairs: &[(&str, &str)]| -> Vec<String> {
        let told = told(load(&Environment::from_pairs(pairs.iter().copied())));
        told.iter().map(|problem| problem.split(": ").next().unwrap().to_owned()).collect()
    };
    let rest = [("FALLBACK_PROVIDER", "foo"), ("OPENAI_BASE_URL", "localhost"), ("AMBASSADOR_LISTEN", "zz")];
    assert_eq!(told(&rest), ["PRIMARY_PROVIDER", "FOO_BASE_URL", "OPENAI_BASE_URL", "AMBASSADOR_LISTEN"]);
    for nobody in [" ", ","] {
        assert_eq!(told(&[("PRIMARY_PROVIDER", nobody)]), ["PRIMARY_PROVIDER"]);
    }
    assert_eq!(
        told(&[("OPENAI_API_KEY", CANARY), ("ANTHROPIC_API_KEY", "a b")]),
        ["PRIMARY_PROVIDER", "ANTHROPIC_API_KEY"]
    );
    let good = [("PRIMARY_PROVIDER", "e"), ("E_BASE_URL", "http://e/v1"), ("OPENAI_BASE_URL", "localhost")];
    assert_eq!(told(&good), [] as [&str; 0], "a vendor that is not asked is nobody's business");
}

#[test]
fn a_list_for_a_primary_is_told_where_the_others_belong() {
    let told = told(variables([
        ("PRIMARY_PROVIDER", "anthropic, openai"),
        ("FALLBACK_PROVIDER", "openai,foo"),
        ("ANTHROPIC_API_KEY", CANARY),
    ]));
    assert_eq!(
        told[0],
        "PRIMARY_PROVIDER: names 2 providers, and only one can be asked first (leave the first one there; the others \
         belong into FALLBACK_PROVIDER)"
    );
    let places: Vec<&str> = told.iter().map(|problem| problem.split(": ").next().unwrap()).collect();
    assert_eq!(places, ["PRIMARY_PROVIDER", "FALLBACK_PROVIDER", "OPENAI_API_KEY", "FOO_BASE_URL"]);
}

#[test]
fn two_providers_do_not_read_the_same_variables() {
    let told = told(variables([
        ("PRIMARY_PROVIDER", "my-vllm"),
        ("FALLBACK_PROVIDER", "my_vllm,other"),
        ("MY_VLLM_BASE_URL", "http://vllm:8000/v1"),
        ("OTHER_BASE_URL", "http://other:8000/v1"),
    ]));
    assert_eq!(
        told,
        [
            "FALLBACK_PROVIDER: names `my-vllm` and `my_vllm`, and both would read the variables MY_VLLM_... (give one of \
             them another name)"
        ]
    );
}

#[test]
fn a_file_without_a_place_for_its_problem_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ambassador.yaml");
    let path = path.to_str().unwrap();
    for (text, problem) in [
        ("", format!("{path}: names neither a provider nor a route (the least is ")),
        ("providers: [\n", format!("{path}, line ")),
        ("routes: []\nroutes: []\n", format!("{path}, line 2, column 1: the key `routes` is there twice")),
    ] {
        fs::write(path, text).unwrap();
        let told = told(variables([("AMBASSADOR_CONFIG", path)]));
        assert!(told[0].starts_with(&problem), "{told:?}");
    }
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let told = told(variables([("AMBASSADOR_CONFIG", "/no/such/ambassador.yaml")]));
    assert!(told.len() == 1 && told[0].starts_with("AMBASSADOR_CONFIG: cannot read /no/such/ambassador.yaml"));
}

#[test]
fn a_file_and_variables_of_providers_do_not_go_together() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ambassador.yaml");
    fs::write(&path, common::with_providers("routes: [ { model: '*', targets: [ { provider: vllm } ] } ]\n")).unwrap();
    let path = path.to_str().unwrap();
    let given = [("AMBASSADOR_CONFIG", path), ("OPENAI_API_KEY", CANARY)];
    let with = |more: &[(&str, &str)]| load(&Environment::from_pairs(given.iter().chain(more).copied()));
    assert!(with(&[]).is_ok(), "a key is where the file says that it is");
    for name in [
        "PRIMARY_PROVIDER",
        "FALLBACK_PROVIDER",
        "OPENAI_BASE_URL",
        "OPENAI_MODEL",
        "VLLM_BASE_URL",
        "OPENAI_API_KEY_FILE",
    ] {
        let told = told(with(&[(name, "x")]));
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].starts_with(&format!("{name}: is set beside AMBASSADOR_CONFIG")), "{told:?}");
        assert!(told[0].ends_with(&format!("(unset {name}, or unset AMBASSADOR_CONFIG)")), "{told:?}");
    }
    assert_eq!(told(with(&[("PRIMARY_PROVIDER", "openai"), ("FALLBACK_PROVIDER", "vllm")])).len(), 2);
}

#[test]
fn a_key_that_the_file_does_not_name_would_be_ignored() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ambassador.yaml");
    let with = |keys: &str, pairs: &[(&str, &str)]| {
        let route = "routes: [ { model: '*', targets: [ { provider: openai } ] } ]";
        let other = "other: { kind: openai-compatible, base_url: http://other/v1, keys: [ { env: VLLM_API_KEY } ] }";
        let text = format!(
            "providers:\n  openai: {{ kind: openai, keys: [ {keys} ] }}\n  {other}\n  \
             vllm: {{ kind: openai-compatible, base_url: http://vllm/v1 }}\n{route}\n"
        );
        fs::write(&path, text).unwrap();
        let given = [("AMBASSADOR_CONFIG", path.to_str().unwrap()), ("MINE", CANARY), ("VLLM_API_KEY", CANARY)];
        told(load(&Environment::from_pairs(given.iter().chain(pairs).copied())))
    };
    assert_eq!(with("{ env: MINE }", &[]), [] as [&str; 0], "another provider's key may be named like this");
    assert_eq!(
        with("{ env: MINE }", &[("OPENAI_API_KEY", CANARY)]),
        ["OPENAI_API_KEY: is set beside AMBASSADOR_CONFIG: the providers are configured by the file or by variables, \
             not both (name it in the file, as keys: [ { env: OPENAI_API_KEY } ], or unset OPENAI_API_KEY)"]
    );
    assert_eq!(with("{ env: MINE }, { env: OPENAI_API_KEY }", &[("OPENAI_API_KEY", CANARY)]), [] as [&str; 0]);
    assert_eq!(with("{ env: MINE }", &[("ANTHROPIC_API_KEY", CANARY)]), [] as [&str; 0], "no provider of the file");
    let mistyped = with("{ evn: OPENAI_API_KEY }", &[("OPENAI_API_KEY", CANARY)]);
    assert!(mistyped.iter().all(|problem| problem.starts_with("providers.openai.keys[0]")), "{mistyped:?}");
}

#[test]
fn where_to_listen_has_defaults_and_can_be_said() {
    let engine = [("PRIMARY_PROVIDER", "e"), ("E_BASE_URL", "http://e/v1")];
    let listen =
        |more: &[(&str, &str)]| load(&Environment::from_pairs(engine.iter().chain(more).copied())).unwrap().listen;
    let default = listen(&[]);
    assert_eq!((default.data.as_str(), default.admin.as_str()), ("127.0.0.1:7070", "0.0.0.0:7071"));
    let said = listen(&[
        ("AMBASSADOR_LISTEN", "0.0.0.0:80"),
        ("AMBASSADOR_ADMIN_LISTEN", "127.0.0.1:81"),
        ("DRAIN_TIMEOUT", "5s"),
    ]);
    assert_eq!((said.data.as_str(), said.admin.as_str(), said.drain.as_secs()), ("0.0.0.0:80", "127.0.0.1:81", 5));
}
