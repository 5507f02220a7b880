//! Bad input gets a clear error in the shape that an SDK turns into its typed exception, and reaches no provider.

use e2e::agent::question;
use e2e::harness::{Ambassador, Setup};
use e2e::provider::Provider;
use hyper::Method;
use serde_json::json;

use crate::support::{MODEL, error_of, two_providers};

const CHAT: &str = "/v1/chat/completions";

async fn started() -> (Provider, Ambassador) {
    let (primary, fallback) = two_providers().await;
    let ambassador = Setup::openai_then_anthropic(&primary, &fallback).start().await;
    (primary, ambassador)
}

#[tokio::test]
async fn what_is_no_request_is_refused_and_reaches_nobody() {
    let (provider, ambassador) = started().await;
    let deep = "[".repeat(100_000);
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("nothing", Vec::new()),
        ("no JSON", b"hello".to_vec()),
        ("half a JSON", br#"{"model": "gpt-4o", "messages": ["#.to_vec()),
        ("more than a JSON", br#"{"model": "gpt-4o", "messages": [{"role": "user", "content": "a"}]} x"#.to_vec()),
        (
            "no UTF-8",
            b"{\"model\": \"gpt-4o\", \"messages\": [{\"role\": \"user\", \"content\": \"\xff\xfe\"}]}".to_vec(),
        ),
        ("a list", b"[]".to_vec()),
        ("a number", b"7".to_vec()),
        ("null", b"null".to_vec()),
        ("no end of depth", deep.into_bytes()),
        ("a depth within", format!(r#"{{"model": "gpt-4o", "messages": {}"#, "[".repeat(100_000)).into_bytes()),
        ("no model", json!({"messages": [{"role": "user", "content": "a"}]}).to_string().into()),
        (
            "a model that is no text",
            json!({"model": 5, "messages": [{"role": "user", "content": "a"}]}).to_string().into(),
        ),
        ("an empty model", json!({"model": "", "messages": [{"role": "user", "content": "a"}]}).to_string().into()),
        ("no messages", json!({"model": MODEL}).to_string().into()),
        ("messages that are none", json!({"model": MODEL, "messages": []}).to_string().into()),
        ("messages that are no list", json!({"model": MODEL, "messages": "hello"}).to_string().into()),
        ("a message that is no object", json!({"model": MODEL, "messages": ["hello"]}).to_string().into()),
        (
            "a stream that is neither",
            json!({"model": MODEL, "stream": "yes", "messages": [{"role": "user", "content": "a"}]}).to_string().into(),
        ),
    ];
    for (what, body) in cases {
        let answer = ambassador.agent().post(CHAT, body).await.unwrap_or_else(|error| panic!("{what}: {error:#}"));
        assert_eq!(answer.status, 400, "{what}: {}", answer.text());
        let error = error_of(&answer);
        assert_eq!(error["type"], "invalid_request_error", "{what}: {error}");
        assert!(!answer.header("x-request-id").is_empty(), "{what}: no x-request-id");
    }
    assert_eq!(provider.seen().len(), 0);
    assert_eq!(ambassador.agent().ask(MODEL, "still there?").await.unwrap().status, 200);
}

#[tokio::test]
async fn wrong_types_are_refused_where_the_body_must_be_understood() {
    let (provider, _) = two_providers().await;
    let setup = Setup::new().env("PRIMARY_PROVIDER", "anthropic").env("ANTHROPIC_API_KEY", "k");
    let ambassador = setup.env("ANTHROPIC_BASE_URL", provider.anthropic_url()).start().await;
    for (field, value) in [
        ("max_tokens", json!("many")),
        ("temperature", json!("hot")),
        ("tools", json!({"a": 1})),
        ("stop", json!(7)),
        ("messages", json!([{"role": "user", "content": 7}])),
        ("messages", json!([{"content": "who says that?"}])),
    ] {
        let mut request = question(MODEL, "hi");
        request[field] = value;
        let answer = ambassador.agent().chat(&request).await.unwrap();
        assert_eq!(answer.status, 400, "{request}: {}", answer.text());
        let error = error_of(&answer);
        assert!(error.to_string().contains(field), "the error does not name {field}: {error}");
    }
    assert_eq!(provider.seen().len(), 0);
}

#[tokio::test]
async fn an_unknown_model_is_a_404_when_there_are_routes() {
    let provider = Provider::start().await.unwrap();
    let yaml = format!(
        "providers:
  one: {{ kind: openai, base_url: '{}', keys: [ {{ env: KEY }} ] }}
routes:
  - model: gpt-4o
    targets: [ {{ provider: one, model: gpt-4o }} ]
  - model: team-*
    targets: [ {{ provider: one, model: gpt-4o-mini }} ]
",
        provider.openai_url()
    );
    let ambassador = Setup::new().env("KEY", "k").config(&yaml).start().await;
    let answer = ambassador.agent().ask("no-such-model", "hi").await.unwrap();
    assert_eq!(answer.status, 404);
    let error = error_of(&answer);
    assert_eq!((&error["type"], &error["code"]), (&json!("invalid_request_error"), &json!("model_not_found")));
    assert!(error["message"].as_str().unwrap().contains("no-such-model"), "{error}");
    assert_eq!(provider.seen().len(), 0);

    assert_eq!(ambassador.agent().ask("gpt-4o", "hi").await.unwrap().status, 200);
    assert_eq!(ambassador.agent().ask("team-blue", "hi").await.unwrap().status, 200);
    assert_eq!(provider.seen()[1].json()["model"], "gpt-4o-mini");
    let listed = ambassador.agent().get("/v1/models").await.unwrap().text();
    assert!(listed.contains("\"gpt-4o\""), "{listed}");
}

#[tokio::test]
async fn an_unknown_route_is_a_404() {
    let (_provider, ambassador) = started().await;
    for path in ["/", "/v1", "/v1/nope", "/v1/chat/completions/", "/metrics", "/v1/chat/%2e%2e/completions"] {
        let answer = ambassador.agent().get(path).await.unwrap();
        assert_eq!(answer.status, 404, "{path}");
        error_of(&answer);
    }
}

#[tokio::test]
async fn a_wrong_method_is_a_405_that_says_which_is_right() {
    let (_provider, ambassador) = started().await;
    for (method, path, right) in [
        (Method::GET, CHAT, "POST"),
        (Method::DELETE, CHAT, "POST"),
        (Method::PUT, "/v1/embeddings", "POST"),
        (Method::POST, "/v1/models", "GET"),
    ] {
        let answer = ambassador.agent().call(method.clone(), path, "").await.unwrap();
        assert_eq!(answer.status, 405, "{method} {path}");
        assert!(answer.header("allow").contains(right), "{method} {path}: allow is {:?}", answer.header("allow"));
        error_of(&answer);
    }
}

#[tokio::test]
async fn what_the_providers_would_refuse_is_still_theirs_to_refuse() {
    let (provider, ambassador) = started().await;
    provider.always(e2e::provider::Fault::Status {
        code: 400,
        retry_after: None,
        message: Some("logprobs: not for this model".into()),
    });
    let mut request = question(MODEL, "hi");
    request["logprobs"] = true.into();
    let answer = ambassador.agent().chat(&request).await.unwrap();
    assert_eq!((answer.status, &error_of(&answer)["message"]), (400, &json!("logprobs: not for this model")));
}
