//! A stream that fails after its first content: no other provider can go on with it, so the caller is told, as an event
//! of its own dialect, and never gets what looks like an end.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail by panicking")]

mod common;

use std::sync::Arc;

use common::{
    Ambassador, Client, DONE, FINISH, Peer, ROLE, STREAM, USAGE, Upstream, alone, content, soon, until, with_fallback,
};
use tokio::sync::Notify;

/// How it goes on after the first content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    Closed,
    Reset,
    HalfAnEvent,
    HalfAnEventAndCleanEnd,
    CleanEnd,
    ErrorEvent,
    NoJson,
    BadChunk,
    Silent,
}

const ALL: [Then; 9] = [
    Then::Closed,
    Then::Reset,
    Then::HalfAnEvent,
    Then::HalfAnEventAndCleanEnd,
    Then::CleanEnd,
    Then::ErrorEvent,
    Then::NoJson,
    Then::BadChunk,
    Then::Silent,
];

async fn play(then: Then, mut peer: Peer, go: Arc<Notify>) {
    if peer.request().await.is_none() {
        return;
    }
    peer.begin().await;
    peer.chunk(ROLE).await;
    peer.chunk(&content("Bon")).await;
    // What an RST overtakes is lost, so the test says when the content has been read.
    go.notified().await;
    let half = content("jour");
    let (half, _) = half.split_at(half.len() - 20);
    match then {
        Then::Closed => return,
        Then::Reset => return peer.reset(),
        Then::HalfAnEvent => return peer.chunk(half).await,
        Then::HalfAnEventAndCleanEnd => {
            peer.chunk(half).await;
            peer.end().await;
        }
        Then::CleanEnd => peer.end().await,
        Then::ErrorEvent => {
            let error = r#"{"error":{"message":"Overloaded.","type":"overloaded_error","code":503}}"#;
            peer.chunk(&format!("data: {error}\n\n")).await;
            peer.chunk(DONE).await;
        }
        Then::NoJson => peer.chunk("data: upstream connect error\n\n").await,
        Then::BadChunk => peer.send("zz\r\n").await,
        Then::Silent => {}
    }
    peer.gone().await;
}

#[tokio::test]
async fn a_failure_after_content_is_an_error_event_and_never_an_end() {
    for then in ALL {
        let go = Arc::new(Notify::new());
        let playing = Arc::clone(&go);
        let primary = Upstream::start(move |peer, _| play(then, peer, Arc::clone(&playing))).await;
        let fallback = Upstream::healthy("fallback").await;
        let timeouts = if then == Then::Silent { "idle: 700ms" } else { "" };
        let ambassador = Ambassador::start(&with_fallback(primary.address, fallback.address, timeouts));
        let mut client = Client::connect(ambassador.address).await;
        client.chat(STREAM).await;
        let head = client.head().await;
        assert_eq!((head.status, head.header("x-ambassador-provider")), (200, Some("primary")), "{then:?}");
        let mut body = client.chunk().await.unwrap();
        while !String::from_utf8_lossy(&body).contains("Bon") {
            body.extend(client.chunk().await.unwrap());
        }
        go.notify_one();
        while let Some(chunk) = client.chunk().await.filter(|chunk| !chunk.is_empty()) {
            body.extend(chunk);
        }
        let answer = common::Answer { body: String::from_utf8(body).unwrap(), ..head };
        let error = answer.error();
        let expected = match then {
            Then::ErrorEvent => ("overloaded_error", Some("503")),
            Then::Silent => ("timeout_error", Some("upstream_timeout")),
            Then::Closed
            | Then::Reset
            | Then::HalfAnEvent
            | Then::HalfAnEventAndCleanEnd
            | Then::CleanEnd
            | Then::NoJson
            | Then::BadChunk => ("upstream_error", Some("upstream_malformed")),
        };
        assert_eq!((error["type"].as_str().unwrap(), error["code"].as_str()), expected, "{then:?}: {error}");
        assert!(!answer.body.contains("[DONE]") && !answer.body.contains("stop"), "{then:?}: {answer:?}");
        assert_eq!(answer.events().len(), 3, "{then:?}: the beginning, the content and the error: {answer:?}");
        assert_eq!(fallback.connections(), 0, "{then:?}");
        until("the account", || {
            ambassador.metric("llm_requests_total{model=\"m\",status=\"error\"}") == Some(1.0)
                && ambassador.metric("ambassador_requests_in_flight") == Some(0.0)
        })
        .await;
    }
}

/// Plays `events` and then ends the body or leaves it open.
async fn ending(events: &'static [&'static str], end: bool) -> Upstream {
    Upstream::start(move |mut peer, _| async move {
        while peer.request().await.is_some() {
            peer.begin().await;
            peer.chunk(ROLE).await;
            peer.chunk(&content("Bonjour")).await;
            for event in events {
                peer.chunk(event).await;
            }
            if !end {
                return peer.gone().await;
            }
            peer.end().await;
        }
    })
    .await
}

#[tokio::test]
async fn a_stream_without_its_last_word_is_complete_once_it_has_said_why_it_ended() {
    for events in [&[FINISH][..], &[FINISH, USAGE]] {
        let primary = ending(events, true).await;
        let answer = Ambassador::start(&alone(primary.address, "")).chat(STREAM).await;
        assert!(answer.is_complete_stream() && answer.text() == "Bonjour", "{answer:?}");
    }
}

#[tokio::test]
async fn a_body_that_is_left_open_after_its_last_word_is_not_waited_for() {
    let primary = ending(&[FINISH, USAGE, DONE], false).await;
    let ambassador = Ambassador::start(&alone(primary.address, ""));
    let answer = soon("the end of a stream", ambassador.chat(STREAM)).await;
    assert!(answer.is_complete_stream(), "{answer:?}");
    until("the account", || ambassador.metric("llm_requests_total{model=\"m\",status=\"success\"}") == Some(1.0)).await;
}

#[tokio::test]
async fn a_stream_that_has_said_why_it_ended_and_no_more_is_complete_even_if_left_open() {
    for events in [&[FINISH][..], &[FINISH, USAGE]] {
        let primary = ending(events, false).await;
        // Far below the idle time-out, which is a minute.
        let answer = soon("the end of a stream", Ambassador::start(&alone(primary.address, "")).chat(STREAM)).await;
        assert!(answer.is_complete_stream() && answer.text() == "Bonjour", "{answer:?}");
    }
}

#[tokio::test]
async fn content_is_passed_on_as_it_comes() {
    let go = Arc::new(Notify::new());
    let playing = Arc::clone(&go);
    let primary = Upstream::start(move |mut peer, _| {
        let go = Arc::clone(&playing);
        async move {
            peer.request().await;
            peer.begin().await;
            peer.chunk(ROLE).await;
            for text in ["one", "two", "three"] {
                peer.chunk(&content(text)).await;
                // The next one comes only after this one has been read.
                go.notified().await;
            }
            for event in [FINISH, DONE] {
                peer.chunk(event).await;
            }
            peer.end().await;
        }
    })
    .await;
    let ambassador = Ambassador::start(&alone(primary.address, ""));
    let mut client = Client::connect(ambassador.address).await;
    client.chat(STREAM).await;
    client.head().await;
    for text in ["one", "two", "three"] {
        let mut seen = String::new();
        while !seen.contains(text) {
            seen.push_str(&String::from_utf8(client.chunk().await.unwrap()).unwrap());
        }
        go.notify_one();
    }
}

#[tokio::test]
async fn a_translated_stream_is_cut_as_honestly() {
    let events = [
        r#"{"type":"message_start","message":{"id":"msg_1","model":"claude-x","usage":{"input_tokens":3}}}"#,
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Bon"}}"#,
        r#"{"type":"content_block_stop","index":0}"#,
        r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":2}}"#,
        r#"{"type":"message_stop"}"#,
    ];
    for sent in 1..=events.len() {
        let primary = Upstream::start(move |mut peer, _| async move {
            peer.request().await;
            peer.begin().await;
            for event in &events[..sent] {
                peer.chunk(&format!("event: x\ndata: {event}\n\n")).await;
            }
            peer.end().await;
        })
        .await;
        let fallback = Upstream::healthy("fallback").await;
        let file = with_fallback(primary.address, fallback.address, "")
            .replacen("openai-compatible", "anthropic", 1)
            .replacen("/v1'", "'", 1);
        let answer = Ambassador::start(&file).chat(STREAM).await;
        match sent {
            1 | 2 => assert!(answer.is_complete_stream() && answer.text() == "fallback", "{sent}: {answer:?}"),
            3 | 4 => {
                assert_eq!(answer.error()["code"], "upstream_malformed", "{sent}");
                assert!(!answer.body.contains("[DONE]") && answer.text() == "Bon", "{sent}: {answer:?}");
            }
            _ => assert!(answer.is_complete_stream() && answer.text() == "Bon", "{sent}: {answer:?}"),
        }
    }
}
