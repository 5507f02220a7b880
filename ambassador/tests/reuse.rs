//! Connections are kept and used again; one that the provider has closed meanwhile costs nobody anything.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail by panicking")]

mod common;

use std::sync::Arc;

use common::{Ambassador, Client, STREAM, Upstream, WHOLE, alone, completion, until, with_fallback};
use tokio::sync::Notify;

#[tokio::test]
async fn one_connection_serves_request_after_request() {
    let primary = Upstream::healthy("primary").await;
    let ambassador = Ambassador::start(&alone(primary.address, ""));
    let mut client = Client::connect(ambassador.address).await;
    for request in [WHOLE, STREAM, STREAM, WHOLE, STREAM] {
        client.chat(request).await;
        let answer = client.answer().await;
        assert!(answer.whole && answer.text() == "primary", "{answer:?}");
    }
    assert_eq!((primary.seen().len(), primary.connections()), (5, 1));
}

/// How a kept connection turns out to be closed.
#[derive(Clone, Copy, Debug)]
enum Closes {
    /// While nobody uses it.
    WhileIdle,
    /// When the next request has arrived on it, without a byte of an answer.
    WithTheNextRequest,
    /// The same by an RST.
    WithTheNextRequestByReset,
}

#[tokio::test]
async fn a_stale_connection_is_replaced_and_is_no_attempt() {
    for closes in [Closes::WhileIdle, Closes::WithTheNextRequest, Closes::WithTheNextRequestByReset] {
        for request in [WHOLE, STREAM] {
            let closed = Arc::new(Notify::new());
            let closing = Arc::clone(&closed);
            let primary = Upstream::start(move |mut peer, number| {
                let closed = Arc::clone(&closing);
                async move {
                    if number > 0 {
                        while peer.answer("primary").await.is_some() {}
                        return;
                    }
                    peer.answer("primary").await;
                    match closes {
                        Closes::WhileIdle => drop(peer),
                        Closes::WithTheNextRequest => drop(peer.request().await),
                        Closes::WithTheNextRequestByReset => {
                            peer.request().await;
                            peer.reset();
                        }
                    }
                    closed.notify_one();
                }
            })
            .await;
            let fallback = Upstream::healthy("fallback").await;
            let ambassador = Ambassador::start(&with_fallback(primary.address, fallback.address, ""));
            assert_eq!(ambassador.chat(request).await.text(), "primary");
            if let Closes::WhileIdle = closes {
                closed.notified().await;
            }
            let answer = ambassador.chat(request).await;
            assert_eq!((answer.status, answer.text().as_str()), (200, "primary"), "{closes:?} {answer:?}");
            assert_eq!(answer.header("x-ambassador-attempts"), Some("1"), "{closes:?}");
            assert_eq!((primary.connections(), fallback.connections()), (2, 0), "{closes:?}");
        }
    }
}

#[tokio::test]
async fn a_fresh_connection_that_is_closed_is_not_tried_for_ever() {
    let primary = Upstream::start(|mut peer, number| async move {
        if number == 0 {
            peer.answer("primary").await;
        }
        peer.request().await;
    })
    .await;
    let fallback = Upstream::healthy("fallback").await;
    let ambassador = Ambassador::start(&with_fallback(primary.address, fallback.address, ""));
    assert_eq!(ambassador.chat(WHOLE).await.text(), "primary");
    let answer = ambassador.chat(WHOLE).await;
    assert_eq!((answer.text().as_str(), answer.header("x-ambassador-attempts")), ("fallback", Some("2")));
    assert_eq!(primary.connections(), 2, "the kept one and one afresh");
    assert_eq!(ambassador.metric("ambassador_stale_connection_replays_total{provider=\"primary\"}"), Some(1.0));
}

#[tokio::test]
async fn a_connection_that_began_to_answer_is_not_stale() {
    let primary = Upstream::start(|mut peer, _| async move {
        peer.answer("primary").await;
        peer.request().await;
        peer.send("HTTP/1.1 200 OK\r\ncontent-le").await;
    })
    .await;
    let fallback = Upstream::healthy("fallback").await;
    let ambassador = Ambassador::start(&with_fallback(primary.address, fallback.address, ""));
    assert_eq!(ambassador.chat(WHOLE).await.text(), "primary");
    let answer = ambassador.chat(WHOLE).await;
    assert_eq!((answer.text().as_str(), answer.header("x-ambassador-attempts")), ("fallback", Some("2")));
    assert_eq!(primary.seen().len(), 2, "a request that may have been served is not sent again to the same one");
}

#[tokio::test]
async fn a_connection_that_is_to_be_closed_is_not_kept() {
    let primary = Upstream::start(|mut peer, _| async move {
        peer.request().await;
        let body = completion("primary");
        let length = body.len();
        let head = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close";
        peer.send(&format!("{head}\r\ncontent-length: {length}\r\n\r\n{body}")).await;
    })
    .await;
    let ambassador = Ambassador::start(&alone(primary.address, ""));
    for _ in 0..3 {
        let answer = ambassador.chat(WHOLE).await;
        assert_eq!((answer.text().as_str(), answer.header("x-ambassador-attempts")), ("primary", Some("1")));
    }
    assert_eq!(primary.connections(), 3);
}

#[tokio::test]
async fn an_answer_that_ends_with_its_connection_is_whole() {
    let primary = Upstream::start(|mut peer, _| async move {
        peer.request().await;
        peer.send(&format!("HTTP/1.0 200 OK\r\ncontent-type: application/json\r\n\r\n{}", completion("old"))).await;
    })
    .await;
    let answer = Ambassador::start(&alone(primary.address, "")).chat(WHOLE).await;
    assert_eq!((answer.status, answer.text().as_str()), (200, "old"));
}

#[tokio::test]
async fn many_at_once_get_connections_of_their_own_and_keep_them() {
    let primary = Upstream::healthy("primary").await;
    let ambassador = Ambassador::start(&alone(primary.address, ""));
    for _ in 0..3 {
        let mut clients = Vec::new();
        for _ in 0..20 {
            let mut client = Client::connect(ambassador.address).await;
            client.chat(STREAM).await;
            clients.push(client);
        }
        for mut client in clients {
            assert!(client.answer().await.is_complete_stream());
        }
    }
    assert_eq!(primary.seen().len(), 60);
    assert!(primary.connections() <= 20, "{} connections", primary.connections());
    until("the end of all requests", || ambassador.metric("ambassador_requests_in_flight") == Some(0.0)).await;
}
