//! Where a provider is: what is refused, and what is only suspected.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod common;

use ambassador_config::from_text;
use chassis::config::Environment;
use common::{told, with_keys};

fn provider(provider: &str) -> String {
    format!("providers:\n  p: {provider}\nroutes: [ {{ model: m, targets: [ {{ provider: p }} ] }} ]\n")
}

/// The problems with an address of the kind `openai-compatible`.
fn engine(url: &str) -> Vec<String> {
    told(common::file(&provider(&format!("{{ kind: openai-compatible, base_url: \"{url}\" }}"))))
}

/// The problems with an address of the kind `anthropic`.
fn vendor(url: &str) -> Vec<String> {
    let keys = "keys: [ { env: OPENAI_API_KEY } ]";
    told(common::file(&provider(&format!("{{ kind: anthropic, base_url: \"{url}\", {keys} }}"))))
}

#[test]
fn an_address_is_checked() {
    assert_eq!(
        vendor("https://api.anthropic.com/v1/"),
        ["providers.p.base_url: ends in /v1, which the kind anthropic adds by itself (cut /v1 off)"]
    );
    assert!(vendor("https://proxy.example/anthropic/").is_empty());
    for url in ["", "vllm:8000/v1", "ftp://vllm/v1", "http:///v1", "/v1", "not a url"] {
        let told = engine(url);
        assert!(told.len() == 1 && told[0].contains("is not an http(s) URL (write, for instance"), "{url}: {told:?}");
    }
    assert_eq!(
        engine("http://user:sk-canary-7c1e5b0f4d6a2938b7e1c0d5a4f6@vllm/v1"),
        ["providers.p.base_url: has credentials in it (keys go where keys are configured)"]
    );
    assert_eq!(
        engine("http://vllm:0/v1?key=1#x"),
        [
            "providers.p.base_url: has no port from 1 to 65535 after the host (correct the number, or leave `:` and port out)",
            "providers.p.base_url: has a query (cut off what begins with `?`)",
            "providers.p.base_url: has a fragment (cut off what begins with `#`)",
        ]
    );
    assert_eq!(engine("http://vllm:80000/v1").len(), 1);
    let missing = told(common::file(&provider("{ kind: openai-compatible }")));
    assert_eq!(
        missing,
        [
            "providers.p.base_url: is missing: this kind has no address of its own (write, for instance, base_url: http://vllm.inference:8000/v1)"
        ]
    );
}

#[test]
fn the_ambassador_does_not_ask_itself() {
    let itself = "is where this ambassador listens itself: it would ask itself for ever (write where the provider is, or \
                  let AMBASSADOR_LISTEN have another port)";
    assert_eq!(engine("http://localhost:7070/v1"), [format!("providers.p.base_url: {itself}")]);
    assert_eq!(engine("http://localhost:7072/v1"), [] as [&str; 0]);
    let told = told(common::variables([
        ("PRIMARY_PROVIDER", "openai"),
        ("OPENAI_API_KEY", "k"),
        ("OPENAI_BASE_URL", "http://127.0.0.1:9000/v1"),
        ("AMBASSADOR_LISTEN", "0.0.0.0:9000"),
    ]));
    assert_eq!(told, [format!("OPENAI_BASE_URL: {itself}")]);
}

#[test]
fn a_path_without_a_version_is_suspected_and_taken() {
    let warned = |kind: &str, url: &str| -> Vec<String> {
        let text = provider(&format!("{{ kind: {kind}, base_url: \"{url}\", keys: [ {{ env: OPENAI_API_KEY }} ] }}"));
        let loaded = from_text(&text, &with_keys()).unwrap();
        assert_eq!(loaded.settings.upstreams[0].base_url, url.trim_end_matches('/'));
        loaded.warnings.iter().map(ToString::to_string).collect()
    };
    for kind in ["openai", "openai-compatible"] {
        for url in ["http://vllm:8000", "http://vllm:8000/", "https://gateway/vllm"] {
            let expected = format!(
                "providers.p.base_url: has no version in its path, and most engines serve OpenAI's API below /v1 (try \
                 {}/v1)",
                url.trim_end_matches('/')
            );
            assert_eq!(warned(kind, url), [expected]);
        }
        for url in ["http://vllm/v1", "http://vllm/api/paas/v4/", "https://g/v1beta/openai", "https://g/openai/v1"] {
            assert_eq!(warned(kind, url), [] as [&str; 0], "{url}");
        }
        assert_eq!(
            warned(kind, "http://vllm/v1/chat/completions"),
            ["providers.p.base_url: ends in /chat/completions, which is added once more (cut /chat/completions off)"]
        );
    }
    assert_eq!(warned("anthropic", "https://proxy.example"), [] as [&str; 0]);
}

#[test]
fn a_warning_is_told_beside_the_problems() {
    let text = provider("{ kind: openai-compatible, base_url: \"http://vllm\", keys: [ { env: NO_SUCH_KEY } ] }");
    let problems = from_text(&text, &Environment::default()).unwrap_err();
    assert_eq!((problems.len(), problems.warnings().len()), (1, 1));
    let lines: Vec<String> = problems.to_string().lines().map(str::to_owned).collect();
    assert!(lines[1].starts_with("warning: providers.p.base_url: has no version"), "{lines:?}");
}
