//! Nothing configured but the two variables of the pod pattern and a key each.

use std::net::{Ipv4Addr, TcpListener};

use e2e::agent::Agent;
use e2e::harness::{PATIENCE, Setup};
use e2e::http;
use e2e::process::{Process, binary};
use serde_json::json;

use crate::support::{MODEL, assert_clean, text_of, two_providers};

#[tokio::test]
async fn the_primary_answers_whole() {
    let (primary, fallback) = two_providers().await;
    let ambassador = Setup::anthropic_then_openai(&primary, &fallback).start().await;
    let answer = ambassador.agent().ask("claude-sonnet-4-5", "hello there").await.unwrap();
    assert!(text_of(&answer).contains("hello there"));
    assert_eq!(answer.header("x-ambassador-provider"), "anthropic");
    assert_eq!(answer.header("x-ambassador-model"), "claude-sonnet-4-5");
    assert_eq!(answer.header("x-ambassador-attempts"), "1");
    assert!(!answer.header("x-request-id").is_empty());
    let body = answer.json();
    assert_eq!((&body["object"], &body["model"]), (&json!("chat.completion"), &json!("claude-sonnet-4-5")));
    assert_eq!(body["choices"][0]["finish_reason"], "stop");
    let usage = &body["usage"];
    assert_eq!(
        usage["total_tokens"].as_u64(),
        Some(usage["prompt_tokens"].as_u64().unwrap() + usage["completion_tokens"].as_u64().unwrap())
    );
    assert_eq!((primary.seen().len(), fallback.seen().len()), (1, 0));
}

#[tokio::test]
async fn the_primary_answers_streamed() {
    let (primary, fallback) = two_providers().await;
    for setup in [Setup::anthropic_then_openai(&primary, &fallback), Setup::openai_then_anthropic(&primary, &fallback)]
    {
        let ambassador = setup.start().await;
        let stream = ambassador.agent().ask_streamed(MODEL, "hello there").await.unwrap();
        assert_eq!(stream.status, 200);
        assert!(stream.header("content-type").starts_with("text/event-stream"));
        assert_eq!(stream.header("x-ambassador-attempts"), "1");
        let (provider, model) =
            (stream.header("x-ambassador-provider").to_owned(), stream.header("x-ambassador-model").to_owned());
        assert!(!provider.is_empty() && !stream.header("x-request-id").is_empty());
        let told = stream.read().await;
        assert_clean(&told);
        assert!(told.text.contains("hello there") && told.contents > 5, "{told:?}");
        assert_eq!(told.models, [model], "one model in all chunks, the one that answered");
        assert!(told.usage.unwrap()["completion_tokens"].as_u64() > Some(0));
    }
    assert_eq!((primary.seen().len(), fallback.seen().len()), (2, 0));
}

#[tokio::test]
async fn a_model_of_another_family_is_asked_for_by_the_kinds_default_or_the_named_one() {
    let (primary, fallback) = two_providers().await;
    let ambassador = Setup::anthropic_then_openai(&primary, &fallback).start().await;
    let answer = ambassador.agent().ask(MODEL, "hi").await.unwrap();
    assert_eq!(answer.header("x-ambassador-provider"), "anthropic");
    assert!(answer.header("x-ambassador-model").starts_with("claude-"));
    assert_eq!(primary.seen()[0].json()["model"], answer.header("x-ambassador-model"));

    let ambassador =
        Setup::anthropic_then_openai(&primary, &fallback).env("ANTHROPIC_MODEL", "claude-haiku-4-5").start().await;
    let answer = ambassador.agent().ask(MODEL, "hi").await.unwrap();
    assert_eq!(answer.header("x-ambassador-model"), "claude-haiku-4-5");
}

#[tokio::test]
async fn a_model_may_name_its_provider() {
    let (primary, fallback) = two_providers().await;
    let ambassador = Setup::anthropic_then_openai(&primary, &fallback).start().await;
    let answer = ambassador.agent().ask("openai/gpt-4o-mini", "hi").await.unwrap();
    assert_eq!(text_of(&answer), "You said: hi I counted 1 words, the longest is hi.");
    assert_eq!(answer.header("x-ambassador-provider"), "openai");
    assert_eq!(fallback.seen()[0].json()["model"], "gpt-4o-mini");
    assert_eq!(primary.seen().len(), 0);
}

#[tokio::test]
async fn a_name_that_is_no_kind_is_compatible_with_openai_and_needs_no_key() {
    let (local, other) = two_providers().await;
    let setup = Setup::openai_alone(&other).env("PRIMARY_PROVIDER", "my-vllm").env("FALLBACK_PROVIDER", "openai");
    let ambassador = setup.env("MY_VLLM_BASE_URL", local.openai_url()).env("MY_VLLM_MODEL", "llama-3").start().await;
    let answer = ambassador.agent().ask(MODEL, "hi").await.unwrap();
    assert_eq!((answer.status, answer.header("x-ambassador-provider")), (200, "my-vllm"));
    let seen = local.seen();
    assert_eq!((seen[0].path.as_str(), seen[0].key.as_str()), ("/v1/chat/completions", ""));
    assert_eq!(seen[0].json()["model"], "llama-3");
}

#[tokio::test]
async fn embeddings_go_to_a_provider_that_serves_them() {
    let (primary, fallback) = two_providers().await;
    let ambassador = Setup::anthropic_then_openai(&primary, &fallback).start().await;
    let request = json!({"model": "text-embedding-3-small", "input": ["a", "b"], "dimensions": 4});
    let answer = ambassador.agent().post("/v1/embeddings", request.to_string()).await.unwrap();
    assert_eq!((answer.status, answer.header("x-ambassador-provider")), (200, "openai"), "{}", answer.text());
    assert_eq!(answer.json()["data"][1]["embedding"].as_array().map(Vec::len), Some(4));
    assert_eq!(fallback.seen()[0].json(), request);
    assert_eq!(primary.seen().len(), 0);
}

#[tokio::test]
async fn models_are_listed() {
    let (primary, fallback) = two_providers().await;
    let ambassador = Setup::anthropic_then_openai(&primary, &fallback).start().await;
    let answer = ambassador.agent().get("/v1/models").await.unwrap();
    assert_eq!((answer.status, &answer.json()["object"]), (200, &json!("list")));
    let models = answer.json()["data"].as_array().cloned().unwrap();
    assert!(!models.is_empty());
    for model in models {
        assert!(
            model["id"].is_string()
                && model["object"] == "model"
                && model["created"].is_u64()
                && model["owned_by"].is_string(),
            "{model}"
        );
    }
}

#[tokio::test]
async fn every_request_has_an_id_of_its_own() {
    let (primary, fallback) = two_providers().await;
    let ambassador = Setup::anthropic_then_openai(&primary, &fallback).start().await;
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(ambassador.agent().ask(MODEL, "hi").await.unwrap().header("x-request-id").to_owned());
    }
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), 5);
}

#[tokio::test]
async fn without_addresses_it_listens_on_7070_of_loopback_and_7071() {
    let is_free = |port| TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok();
    if !is_free(7070) || !is_free(7071) {
        e2e::skip!("port 7070 or 7071 is taken on this machine");
    }
    let (primary, _) = two_providers().await;
    let mut command = std::process::Command::new(binary("ambassador").unwrap());
    command
        .env_clear()
        .env("PRIMARY_PROVIDER", "openai")
        .env("OPENAI_API_KEY", "k")
        .env("OPENAI_BASE_URL", primary.openai_url());
    let process = Process::start(&mut command).unwrap();
    let admin = (Ipv4Addr::LOCALHOST, 7071).into();
    let deadline = std::time::Instant::now() + PATIENCE;
    while http::get(admin, "/health/ready").await.is_err() {
        assert!(std::time::Instant::now() < deadline, "never ready:\n{}", process.stderr.text());
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let answer = Agent::at((Ipv4Addr::LOCALHOST, 7070).into()).ask(MODEL, "hi").await.unwrap();
    assert_eq!(answer.status, 200);
    // The machine may have no IPv6; where it has, `localhost` may mean that, and the ambassador is there too.
    if let Ok(probe) = TcpListener::bind("[::1]:0") {
        drop(probe);
        let answer = Agent::at("[::1]:7070".parse().unwrap()).ask(MODEL, "hi").await.unwrap();
        assert_eq!(answer.status, 200);
    }
}

#[tokio::test]
async fn what_is_odd_at_the_start_is_logged_and_refuses_nothing() {
    let (primary, _) = two_providers().await;
    let setup = Setup::openai_alone(&primary).env("FALLBACK_PROVIDERS", "anthropic").env("RUST_LOG", "verbose");
    let ambassador = setup.start().await;
    assert_eq!(ambassador.agent().ask(MODEL, "hi").await.unwrap().status, 200);
    let log = ambassador.log();
    for clue in ["did you mean FALLBACK_PROVIDER?", "`verbose` is no level", "serving"] {
        assert!(log.contains(clue), "nothing is said of {clue}:\n{log}");
    }
}
