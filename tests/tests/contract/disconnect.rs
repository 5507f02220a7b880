//! An agent that goes away is not worked for any longer: what goes on upstream is cancelled, since it is billed.

use std::time::Duration;

use e2e::harness::Setup;
use e2e::provider::{Fault, Provider, Step};

use crate::support::{MODEL, two_providers};

#[tokio::test]
async fn a_stream_that_nobody_reads_is_cancelled_upstream() {
    let (primary, fallback) = two_providers().await;
    primary.always(Step::slow(100));
    for setup in [Setup::anthropic_then_openai(&primary, &fallback), Setup::openai_then_anthropic(&primary, &fallback)]
    {
        let ambassador = setup.start().await;
        let mut stream = ambassador.agent().ask_streamed(MODEL, &"word ".repeat(100)).await.unwrap();
        stream.first_content().await.unwrap();
        drop(stream);
        let gone = |seen: &[e2e::provider::Seen]| seen.last().is_some_and(|seen| seen.gone_after_ms.is_some());
        let seen = primary.seen_when(gone).await;
        assert!(gone(&seen), "the provider still talks to nobody: {:?}", seen.last());
        assert!(!seen.last().unwrap().finished);
    }
    assert_eq!(fallback.seen().len(), 0);
}

#[tokio::test]
async fn a_stream_is_cancelled_before_its_first_content_too() {
    let (primary, fallback) = two_providers().await;
    primary.always(Fault::HangBeforeHead);
    let ambassador = Setup::anthropic_then_openai(&primary, &fallback).start().await;
    let agent = ambassador.agent();
    let asking = tokio::time::timeout(Duration::from_millis(500), agent.ask_streamed(MODEL, "hi")).await;
    assert!(asking.is_err(), "nothing was said yet");
    let seen = primary.seen_when(|seen| seen.iter().any(|seen| seen.gone_after_ms.is_some())).await;
    assert!(seen.iter().all(|seen| seen.gone_after_ms.is_some()), "{seen:?}");
    assert_eq!(fallback.seen().len(), 0, "nobody is there to be answered by a fallback");
}

#[tokio::test]
async fn a_whole_answer_that_nobody_waits_for_is_cancelled_upstream() {
    let (primary, fallback) = two_providers().await;
    primary.always(Fault::HangBeforeHead);
    let ambassador = Setup::openai_then_anthropic(&primary, &fallback).start().await;
    let agent = ambassador.agent();
    let asking = tokio::time::timeout(Duration::from_millis(500), agent.ask(MODEL, "hi")).await;
    assert!(asking.is_err(), "nothing was said yet");
    let seen = primary.seen_when(|seen| seen.iter().any(|seen| seen.gone_after_ms.is_some())).await;
    assert!(seen.iter().all(|seen| seen.gone_after_ms.is_some()), "{seen:?}");
    assert_eq!(fallback.seen().len(), 0);
}

#[tokio::test]
async fn connections_to_a_provider_are_kept() {
    let (primary, fallback) = two_providers().await;
    let ambassador = Setup::anthropic_then_openai(&primary, &fallback).start().await;
    for _ in 0..5 {
        assert_eq!(ambassador.agent().ask(MODEL, "hi").await.unwrap().status, 200);
        assert!(ambassador.agent().ask_streamed(MODEL, "hi").await.unwrap().read().await.is_done);
    }
    let connections = primary.seen().iter().map(|seen| seen.connection).max();
    assert!(connections <= Some(2), "{connections:?} connections for ten requests, one after the other");
}

#[tokio::test]
async fn a_provider_that_restarted_is_reached_again() {
    let (primary, fallback) = two_providers().await;
    let ambassador = Setup::openai_then_anthropic(&primary, &fallback).start().await;
    assert_eq!(ambassador.agent().ask(MODEL, "hi").await.unwrap().status, 200);
    let address = primary.address();
    drop(primary);
    // Its sockets close as soon as its tasks are let go, which takes a turn of the loop.
    let restarted = loop {
        match Provider::listen(address).await {
            Ok(provider) => break provider,
            Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    };
    for _ in 0..3 {
        let answer = ambassador.agent().ask(MODEL, "hi").await.unwrap();
        assert_eq!((answer.status, answer.header("x-ambassador-provider")), (200, "openai"), "{}", answer.text());
    }
    assert_eq!((restarted.seen().len(), fallback.seen().len()), (3, 0));
}
