//! Clients that take their time: headers are waited for only so long, and that is said; one that says nothing between
//! two requests is told nothing. Both wait for the true time-out, beside each other.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail by panicking")]

mod common;

use common::{Ambassador, Client, Upstream, WHOLE, alone};

/// A configuration that gives clients two seconds.
fn impatient(upstream: std::net::SocketAddr) -> String {
    format!("{}limits: {{ header_timeout: 2s }}\n", alone(upstream, ""))
}

#[tokio::test]
async fn headers_that_do_not_come_are_a_408() {
    let upstream = Upstream::healthy("fine").await;
    let ambassador = Ambassador::start(&impatient(upstream.address));
    let mut client = Client::connect(ambassador.address).await;
    client.send("POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\nx-slow: ").await;
    // A word now and then is not enough.
    for _ in 0..3 {
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        client.send("a").await;
    }
    let answer = client.answer().await;
    assert_eq!((answer.status, answer.header("connection")), (408, Some("close")), "{answer:?}");
    assert!(answer.whole && answer.error()["message"].as_str().unwrap().contains("headers did not arrive within"));
    assert!(answer.header("x-request-id").is_some(), "{answer:?}");
    assert!(!client.more().await, "the connection is closed");
    assert_eq!(upstream.connections(), 0);
}

#[tokio::test]
async fn a_connection_that_lies_idle_is_closed_without_a_word() {
    let upstream = Upstream::healthy("fine").await;
    let ambassador = Ambassador::start(&impatient(upstream.address));
    let mut kept = Client::connect(ambassador.address).await;
    kept.chat(WHOLE).await;
    assert_eq!(kept.answer().await.text(), "fine");
    let mut silent = Client::connect(ambassador.address).await;
    for client in [&mut kept, &mut silent] {
        // An answer to nothing would be taken for that to the next request.
        while common::soon("the end of an idle connection", client.more()).await {}
        assert_eq!(client.unread(), "");
    }
}
