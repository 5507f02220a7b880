//! A caller that goes away takes its request with it: the provider's connection is closed at once, in every phase, so
//! that nobody generates tokens that nobody reads.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod common;

use std::sync::Arc;

use common::{Ambassador, Client, Peer, ROLE, STREAM, Upstream, WHOLE, content, soon, until, with_fallback};
use tokio::sync::Notify;

/// How far the provider is when the caller leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    BeforeHeaders,
    WithinAWholeAnswer,
    BeforeContent,
    WithinAStream,
    WithinABusyStream,
    WithinARefusal,
}

async fn play(phase: Phase, mut peer: Peer, arrived: Arc<Notify>, gone: Arc<Notify>) {
    peer.request().await;
    match phase {
        Phase::BeforeHeaders => {}
        Phase::WithinAWholeAnswer => {
            peer.send("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 900\r\n\r\n{").await;
        }
        Phase::WithinARefusal => {
            peer.send("HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\ncontent-length: 900\r\n\r\n{")
                .await;
        }
        Phase::BeforeContent | Phase::WithinAStream | Phase::WithinABusyStream => {
            peer.begin().await;
            peer.chunk(ROLE).await;
        }
    }
    if matches!(phase, Phase::WithinAStream | Phase::WithinABusyStream) {
        peer.chunk(&content("word")).await;
    }
    arrived.notify_one();
    if phase == Phase::WithinABusyStream {
        // A provider that goes on talking learns of it by its next words.
        let talking = async {
            loop {
                peer.chunk(&content("word")).await;
                if tokio::time::timeout(std::time::Duration::from_millis(2), peer.gone()).await.is_ok() {
                    return;
                }
            }
        };
        talking.await;
    } else {
        peer.gone().await;
    }
    gone.notify_one();
}

#[tokio::test]
async fn the_provider_is_left_in_every_phase() {
    for (phase, request) in [
        (Phase::BeforeHeaders, WHOLE),
        (Phase::BeforeHeaders, STREAM),
        (Phase::WithinAWholeAnswer, WHOLE),
        (Phase::WithinARefusal, WHOLE),
        (Phase::WithinARefusal, STREAM),
        (Phase::BeforeContent, STREAM),
        (Phase::WithinAStream, STREAM),
        (Phase::WithinABusyStream, STREAM),
    ] {
        let (arrived, gone) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (arriving, leaving) = (Arc::clone(&arrived), Arc::clone(&gone));
        let primary =
            Upstream::start(move |peer, _| play(phase, peer, Arc::clone(&arriving), Arc::clone(&leaving))).await;
        let fallback = Upstream::healthy("fallback").await;
        let ambassador = Ambassador::start(&with_fallback(primary.address, fallback.address, ""));
        let mut client = Client::connect(ambassador.address).await;
        client.chat(request).await;
        soon("the request", arrived.notified()).await;
        if matches!(phase, Phase::WithinAStream | Phase::WithinABusyStream) {
            let mut seen = String::new();
            while !seen.contains("word") {
                client.more().await;
                seen = client.unread();
            }
        }
        drop(client);
        soon(&format!("the end of the connection: {phase:?}"), gone.notified()).await;
        until("the account", || ambassador.metric("ambassador_abandoned_requests_total") == Some(1.0)).await;
        assert_eq!(ambassador.metric("ambassador_requests_in_flight"), Some(0.0), "{phase:?}");
        assert_eq!(ambassador.metric("llm_request_queue_depth"), Some(0.0), "{phase:?}");
        assert_eq!(ambassador.metric("llm_requests_total{model=\"m\",status=\"success\"}").unwrap_or(0.0), 0.0);
        assert_eq!((primary.connections(), fallback.connections()), (1, 0), "{phase:?}: it is no reason to go on");
    }
}

#[tokio::test]
async fn a_slot_is_free_again_when_its_caller_has_left() {
    let arrived = Arc::new(Notify::new());
    let arriving = Arc::clone(&arrived);
    let primary = Upstream::start(move |mut peer, number| {
        let arrived = Arc::clone(&arriving);
        async move {
            if number == 0 {
                peer.request().await;
                arrived.notify_one();
                return peer.gone().await;
            }
            while peer.answer("primary").await.is_some() {}
        }
    })
    .await;
    let file = format!("{}limits: {{ max_in_flight: 1 }}\n", common::alone(primary.address, ""));
    let ambassador = Ambassador::start(&file);
    let mut first = Client::connect(ambassador.address).await;
    first.chat(STREAM).await;
    soon("the request", arrived.notified()).await;
    let mut second = Client::connect(ambassador.address).await;
    second.chat(WHOLE).await;
    until("the queue", || ambassador.metric("llm_request_queue_depth") == Some(1.0)).await;
    drop(first);
    assert_eq!(second.answer().await.text(), "primary");
    assert_eq!(ambassador.metric("llm_request_queue_depth"), Some(0.0));
}
