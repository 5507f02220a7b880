//! A provider that fails before there is any content: another one answers, and where there is none the caller is told
//! what went wrong, with the status that goes with it.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail by panicking")]

mod common;

use common::{Ambassador, Answer, Fault, STREAM, Upstream, WHOLE, alone, refused, soon, with_fallback};

/// Time-outs for one that falls silent; the others do not come near them.
const SHORT: &str = "headers: 700ms, first_content: 800ms, total: 900ms";

fn timeouts(fault: Fault) -> &'static str {
    if matches!(fault, Fault::Silent | Fault::SilentStream) { SHORT } else { "" }
}

async fn failing(fault: Fault) -> Upstream {
    Upstream::start(move |peer, _| fault.play(peer)).await
}

fn assert_answered(answer: &Answer, provider: &str, attempts: &str, what: &str) {
    assert_eq!(answer.status, 200, "{what}: {answer:?}");
    assert_eq!(answer.text(), provider, "{what}");
    assert!(answer.whole, "{what}");
    assert_eq!(answer.header("x-ambassador-provider"), Some(provider), "{what}");
    assert_eq!(answer.header("x-ambassador-model"), Some("m-1"), "{what}");
    assert_eq!(answer.header("x-ambassador-attempts"), Some(attempts), "{what}");
    assert!(answer.header("x-request-id").is_some_and(|id| id.starts_with("req_")), "{what}");
}

#[tokio::test]
async fn a_healthy_one_answers_at_the_first_attempt() {
    let (primary, fallback) = (Upstream::healthy("primary").await, Upstream::healthy("fallback").await);
    let ambassador = Ambassador::start(&with_fallback(primary.address, fallback.address, ""));
    let whole = ambassador.chat(WHOLE).await;
    assert_answered(&whole, "primary", "1", "whole");
    assert_eq!(whole.header("content-type"), Some("application/json"));
    let stream = ambassador.chat(STREAM).await;
    assert_answered(&stream, "primary", "1", "stream");
    assert!(stream.is_complete_stream());
    assert_eq!(stream.header("content-type"), Some("text/event-stream; charset=utf-8"));
    assert_eq!(fallback.connections(), 0);
}

#[tokio::test]
async fn a_whole_answer_that_fails_is_had_elsewhere() {
    for fault in Fault::WHOLE {
        let (primary, fallback) = (failing(fault).await, Upstream::healthy("fallback").await);
        let ambassador = Ambassador::start(&with_fallback(primary.address, fallback.address, timeouts(fault)));
        let answer = ambassador.chat(WHOLE).await;
        assert_answered(&answer, "fallback", "2", &format!("{fault:?}"));
        assert!(!answer.body.contains("half"), "{fault:?}");
        assert_eq!((primary.seen().len(), fallback.seen().len()), (1, 1), "{fault:?}");
    }
}

#[tokio::test]
async fn a_stream_that_fails_before_its_content_is_had_elsewhere() {
    for fault in Fault::STREAM {
        let (primary, fallback) = (failing(fault).await, Upstream::healthy("fallback").await);
        let ambassador = Ambassador::start(&with_fallback(primary.address, fallback.address, timeouts(fault)));
        let answer = ambassador.chat(STREAM).await;
        assert_answered(&answer, "fallback", "2", &format!("{fault:?}"));
        assert!(answer.is_complete_stream(), "{fault:?}: {answer:?}");
        assert_eq!(answer.body.matches("\"assistant\"").count(), 1, "{fault:?}: one beginning only");
        assert_eq!((primary.seen().len(), fallback.seen().len()), (1, 1), "{fault:?}");
    }
}

#[tokio::test]
async fn without_another_one_the_caller_is_told() {
    let faults = Fault::WHOLE.map(|fault| (fault, WHOLE)).into_iter().chain(Fault::STREAM.map(|fault| (fault, STREAM)));
    for (fault, request) in faults {
        let primary = failing(fault).await;
        let ambassador = Ambassador::start(&alone(primary.address, timeouts(fault)));
        let answer = ambassador.chat(request).await;
        let (status, code) = fault.told();
        let error = answer.error();
        assert_eq!((answer.status, error["code"].as_str()), (status, code), "{fault:?}: {answer:?}");
        assert_eq!(answer.header("content-type"), Some("application/json"), "{fault:?}");
        assert_eq!(answer.header("x-ambassador-attempts"), Some("1"), "{fault:?}");
        assert!(answer.whole && !answer.body.contains("Welcome"), "{fault:?}");
    }
}

#[tokio::test]
async fn a_refused_connection_goes_on_or_is_told() {
    let nobody = refused().await;
    let fallback = Upstream::healthy("fallback").await;
    for request in [WHOLE, STREAM] {
        let ambassador = Ambassador::start(&with_fallback(nobody, fallback.address, ""));
        assert_answered(&ambassador.chat(request).await, "fallback", "2", request);
        let answer = Ambassador::start(&alone(nobody, "")).chat(request).await;
        assert_eq!((answer.status, answer.error()["code"].as_str()), (502, Some("upstream_unreachable")));
    }
}

#[tokio::test]
async fn when_all_fail_the_primarys_own_failure_is_told() {
    for (primary, fallback) in [
        (Fault::Unavailable, Fault::Closed),
        (Fault::Closed, Fault::Unavailable),
        (Fault::ErrorWithA200, Fault::Silent),
        (Fault::Html, Fault::Unavailable),
    ] {
        let (first, second) = (failing(primary).await, failing(fallback).await);
        let file = format!("{}timeouts: {{ {SHORT} }}\n", with_fallback(first.address, second.address, ""));
        let answer = Ambassador::start(&file.replace("total: 900ms", "total: 15s")).chat(STREAM).await;
        let (status, code) = primary.told();
        assert_eq!((answer.status, answer.error()["code"].as_str()), (status, code), "{primary:?} {fallback:?}");
        assert_eq!((first.seen().len(), second.seen().len()), (1, 1));
    }
}

#[tokio::test]
async fn the_callers_mistake_is_told_and_asked_of_nobody_else() {
    let body = r#"{"error":{"message":"Too long.","type":"invalid_request_error","param":"messages","code":"context_length_exceeded"}}"#;
    let primary = Upstream::start(move |mut peer, _| async move {
        while peer.request().await.is_some() {
            peer.respond("400 Bad Request", "application/json", body).await;
        }
    })
    .await;
    let fallback = Upstream::healthy("fallback").await;
    let ambassador = Ambassador::start(&with_fallback(primary.address, fallback.address, ""));
    for request in [WHOLE, STREAM] {
        let answer = ambassador.chat(request).await;
        assert_eq!((answer.status, answer.error()["code"].as_str()), (400, Some("context_length_exceeded")));
        assert_eq!(answer.error()["param"], "messages");
    }
    assert_eq!(fallback.connections(), 0);
}

#[tokio::test]
async fn the_requests_deadline_holds_over_all_attempts() {
    let (first, second) = (failing(Fault::Silent).await, failing(Fault::SilentStream).await);
    let file = with_fallback(first.address, second.address, "total: 300ms")
        .replace("model: '*'\n", "model: '*'\n    timeouts: { total: 900ms }\n");
    let ambassador = Ambassador::start(&file);
    let answer = soon("the deadline", ambassador.chat(STREAM)).await;
    assert_eq!((answer.status, answer.error()["code"].as_str()), (504, Some("deadline_exceeded")), "{answer:?}");
    assert_eq!(second.seen().len(), 1, "there was time for the second one to be asked");
}

#[tokio::test]
async fn an_ambassador_that_is_its_own_provider_says_so_and_does_not_go_round_for_ever() {
    let ambassador = Ambassador::in_a_circle();
    for request in [WHOLE, STREAM] {
        let answer = ambassador.chat(request).await;
        assert_eq!((answer.status, answer.error()["code"].as_str()), (508, Some("loop_detected")), "{answer:?}");
    }
    // Once round for each hop that is allowed, and nothing tried twice.
    assert_eq!(
        ambassador.metric(r#"ambassador_attempts_total{provider="primary",outcome="server_error"}"#),
        Some(16.0)
    );
}

#[tokio::test]
async fn an_answer_that_comes_compressed_is_called_so() {
    for (status, told) in [("200 OK", 502), ("429 Too Many Requests", 429)] {
        let upstream = Upstream::start(move |mut peer, _| async move {
            while peer.request().await.is_some() {
                let head = format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-encoding: gzip\r\n");
                peer.send(&format!("{head}content-length: 4\r\n\r\n\u{1f}\u{8}\u{8}\0")).await;
            }
        });
        let upstream = upstream.await;
        let ambassador = Ambassador::start(&alone(upstream.address, ""));
        for request in [WHOLE, STREAM] {
            let answer = ambassador.chat(request).await;
            assert_eq!(answer.status, told, "{answer:?}");
            let message = answer.error()["message"].to_string();
            assert!(message.contains("compressed answer (gzip) though none was asked for"), "{message}");
        }
    }
}
