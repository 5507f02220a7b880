//! When all of them fail, the caller learns what the primary said.

use e2e::harness::{Setup, free_port};
use e2e::provider::{Fault, Step};

use crate::support::{MODEL, error_of, two_providers};

fn refusal(code: u16, message: &str) -> Fault {
    Fault::Status { code, retry_after: Some("7".into()), message: Some(message.into()) }
}

#[tokio::test]
async fn the_caller_gets_the_primarys_status_and_words() {
    for code in [401, 402, 403, 408, 429, 500, 503, 529] {
        let (primary, fallback) = two_providers().await;
        primary.always(refusal(code, "the primary's words"));
        fallback.always(refusal(502, "the fallback's words"));
        for setup in
            [Setup::anthropic_then_openai(&primary, &fallback), Setup::openai_then_anthropic(&primary, &fallback)]
        {
            let ambassador = setup.start().await;
            let answer = ambassador.agent().ask(MODEL, "hi").await.unwrap();
            assert_eq!(answer.status, code, "{}", answer.text());
            assert_eq!(error_of(&answer)["message"], "the primary's words");
        }
        assert!(!fallback.seen().is_empty());
    }
}

#[tokio::test]
async fn a_stream_that_never_began_is_refused_with_a_status() {
    let (primary, fallback) = two_providers().await;
    primary.always(refusal(503, "the primary's words"));
    fallback.always(refusal(500, "the fallback's words"));
    let ambassador = Setup::anthropic_then_openai(&primary, &fallback).start().await;
    let stream = ambassador.agent().ask_streamed(MODEL, "hi").await.unwrap();
    assert_eq!(stream.status, 503);
    assert!(stream.header("content-type").starts_with("application/json"));
}

#[tokio::test]
async fn the_caller_learns_when_to_come_back() {
    let (primary, fallback) = two_providers().await;
    primary.always(refusal(429, "slow down"));
    fallback.always(Step::status(429));
    let ambassador = Setup::openai_then_anthropic(&primary, &fallback).start().await;
    let answer = ambassador.agent().ask(MODEL, "hi").await.unwrap();
    assert_eq!((answer.status, answer.header("retry-after")), (429, "7"));
}

#[tokio::test]
async fn a_proxys_html_becomes_json() {
    let (primary, _) = two_providers().await;
    primary.always(Fault::Html { code: 502 });
    let ambassador = Setup::openai_alone(&primary).start().await;
    let answer = ambassador.agent().ask(MODEL, "hi").await.unwrap();
    assert_eq!(answer.status, 502);
    let error = error_of(&answer);
    assert!(!error["message"].as_str().unwrap().contains("<html>"), "{error}");
}

#[tokio::test]
async fn providers_that_cannot_be_reached_are_a_bad_gateway() {
    let nobody = || format!("http://{}", free_port());
    let setup = Setup::new().env("PRIMARY_PROVIDER", "anthropic").env("FALLBACK_PROVIDER", "openai");
    let setup = setup.env("ANTHROPIC_API_KEY", "k").env("ANTHROPIC_BASE_URL", nobody());
    let ambassador = setup.env("OPENAI_API_KEY", "k").env("OPENAI_BASE_URL", nobody() + "/v1").start().await;
    let answer = ambassador.agent().ask(MODEL, "hi").await.unwrap();
    assert!((502..=504).contains(&answer.status), "{}", answer.text());
    error_of(&answer);
}

#[tokio::test]
async fn attempts_are_bounded() {
    let (primary, fallback) = two_providers().await;
    primary.always(Step::status(500));
    fallback.always(Step::status(500));
    let pool = (0..50).map(|number| format!("sk-{number}")).collect::<Vec<_>>().join(",");
    let setup = Setup::openai_then_anthropic(&primary, &fallback)
        .env("OPENAI_API_KEY", pool.clone())
        .env("ANTHROPIC_API_KEY", pool);
    let ambassador = setup.start().await;
    assert_eq!(ambassador.agent().ask(MODEL, "hi").await.unwrap().status, 500);
    let asked = primary.seen().len() + fallback.seen().len();
    assert!(asked <= 20, "one request became {asked}");
}
