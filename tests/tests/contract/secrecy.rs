//! No key, prompt or completion in logs, metrics or errors, and the agent's own credentials stay here.

use e2e::agent::Agent;
use e2e::harness::Setup;
use e2e::provider::{Ending, Fault, Step};

use crate::support::{MODEL, two_providers};

const KEYS: [&str; 2] = ["sk-CANARY-first-key", "sk-CANARY-second-key"];
const AGENTS_KEY: &str = "CANARY-agents-key";
const PROMPT: &str = "CANARY-prompt";
/// What the simulated providers say of a prompt, and nobody else.
const COMPLETION: &str = "I counted";

fn canaries() -> impl Iterator<Item = &'static str> {
    KEYS.into_iter().chain([AGENTS_KEY, PROMPT, COMPLETION])
}

fn with_canaries(agent: Agent) -> Agent {
    agent.with_header("authorization", &format!("Bearer {AGENTS_KEY}")).with_header("x-api-key", AGENTS_KEY)
}

#[tokio::test]
async fn nothing_secret_is_logged_or_measured_whatever_goes_wrong() {
    let (primary, fallback) = two_providers().await;
    let setup = Setup::anthropic_then_openai(&primary, &fallback).env("RUST_LOG", "debug");
    let setup = setup.env("ANTHROPIC_API_KEY", KEYS[0]).env("OPENAI_API_KEY", KEYS[1]);
    let mut ambassador = setup.start().await;
    let agent = with_canaries(ambassador.agent());

    let faults: [Step; 9] = [
        Step::default(),
        Step::status(401),
        Step::status(400),
        Step::status(503),
        Fault::Html { code: 502 }.into(),
        Fault::NotJson.into(),
        Fault::ResetBeforeHead.into(),
        Step::stream(2, Ending::MidEvent),
        Step::stream(2, Ending::Malformed),
    ];
    for fault in faults {
        primary.once(fault.clone());
        let _ = agent.ask(MODEL, PROMPT).await.unwrap();
        primary.once(fault);
        let _ = agent.ask_streamed(MODEL, PROMPT).await.unwrap().read().await;
    }
    let bad = format!("{{\"model\": \"{MODEL}\", \"messages\": [{{\"role\": \"user\", \"content\": \"{PROMPT}\"}}");
    let refused = agent.post("/v1/chat/completions", bad).await.unwrap();
    assert_eq!(refused.status, 400);
    let metrics = ambassador.admin("/metrics").await.text();
    ambassador.process.stop(e2e::harness::PATIENCE).await;
    let log = ambassador.log();
    assert!(!log.is_empty());
    for canary in canaries() {
        assert!(!log.contains(canary), "{canary} is in the log:\n{log}");
        assert!(!metrics.contains(canary), "{canary} is in the metrics:\n{metrics}");
        assert!(!refused.text().contains(canary), "{canary} is in an error: {}", refused.text());
    }
}

#[tokio::test]
async fn a_key_that_a_provider_repeats_does_not_reach_the_agent() {
    let (primary, fallback) = two_providers().await;
    for (provider, key) in [(&primary, KEYS[0]), (&fallback, KEYS[1])] {
        provider.always(Fault::Status {
            code: 401,
            retry_after: None,
            message: Some(format!("Incorrect API key provided: {key}.")),
        });
    }
    let setup = Setup::anthropic_then_openai(&primary, &fallback)
        .env("ANTHROPIC_API_KEY", KEYS[0])
        .env("OPENAI_API_KEY", KEYS[1]);
    let ambassador = setup.start().await;
    let answer = ambassador.agent().ask(MODEL, "hi").await.unwrap();
    assert_eq!(answer.status, 401);
    for key in KEYS {
        assert!(!answer.text().contains(key), "{}", answer.text());
        assert!(!ambassador.log().contains(key), "{}", ambassador.log());
    }
}

#[tokio::test]
async fn the_agents_own_credentials_never_go_upstream() {
    let (primary, fallback) = two_providers().await;
    for setup in [Setup::anthropic_then_openai(&primary, &fallback), Setup::openai_then_anthropic(&primary, &fallback)]
    {
        let ambassador = setup.start().await;
        let agent = with_canaries(ambassador.agent())
            .with_header("cookie", AGENTS_KEY)
            .with_header("proxy-authorization", AGENTS_KEY);
        assert_eq!(agent.ask(MODEL, "hi").await.unwrap().status, 200);
        let _ = agent.ask_streamed(MODEL, "hi").await.unwrap().read().await;
        let embedding = r#"{"model": "text-embedding-3-small", "input": "a"}"#;
        assert_eq!(agent.post("/v1/embeddings", embedding).await.unwrap().status, 200);
    }
    let seen = [primary.seen(), fallback.seen()].concat();
    assert_eq!(seen.len(), 6);
    for request in seen {
        let leak = request.headers.iter().find(|(_, value)| value.contains(AGENTS_KEY));
        assert!(leak.is_none() && !request.body.contains(AGENTS_KEY), "{leak:?} went upstream");
        assert!(["sk-ant-primary", "sk-fallback"].contains(&request.key.as_str()), "{request:?}");
    }
}

#[tokio::test]
async fn a_check_shows_no_key() {
    let (primary, fallback) = two_providers().await;
    let setup = Setup::anthropic_then_openai(&primary, &fallback)
        .env("ANTHROPIC_API_KEY", KEYS[0])
        .env("OPENAI_API_KEY", KEYS[1]);
    let ended = setup.run(&["check"]).await;
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    let told = ended.stdout + &ended.stderr;
    assert!(told.contains("claude-") && told.contains("gpt-"), "the kinds' defaults are shown:\n{told}");
    for key in KEYS {
        assert!(!told.contains(key), "{told}");
    }
}
