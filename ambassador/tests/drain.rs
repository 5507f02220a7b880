//! The end of the process, as its clients see it: what has come is answered, what has not is not waited for.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail by panicking")]

mod common;

use std::time::Duration;

use chassis::{shutdown::Drained, task};
use common::{Ambassador, Client, PATIENCE, Upstream, WHOLE, alone, until};

#[tokio::test]
async fn a_request_of_which_half_has_come_does_not_hold_up_the_end() {
    let upstream = Upstream::healthy("fine").await;
    let ambassador = Ambassador::start(&alone(upstream.address, ""));
    let (mut fresh, mut kept) = (Client::connect(ambassador.address).await, Client::connect(ambassador.address).await);
    kept.chat(WHOLE).await;
    assert_eq!(kept.answer().await.text(), "fine");
    let mut silent = Client::connect(ambassador.address).await;
    for client in [&mut fresh, &mut kept] {
        client.send("POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\nx-half").await;
    }
    until("three connections", || ambassador.connections() == 3).await;
    // What was sent has to be read, too, and nothing tells when it is.
    tokio::time::sleep(Duration::from_millis(200)).await;
    // The grace is that of nobody: all three must be let go before.
    let drained = task::spawn(ambassador.end(PATIENCE * 2));
    for client in [&mut fresh, &mut kept] {
        let answer = client.answer().await;
        assert_eq!((answer.status, answer.error()["code"].as_str()), (503, Some("shutdown")), "{answer:?}");
    }
    assert!(!silent.more().await, "nothing is said to one who asked nothing: {}", silent.unread());
    drop((fresh, kept));
    assert_eq!(common::soon("the end", drained).await.unwrap(), Drained::Clean);
}

#[tokio::test]
async fn a_request_in_flight_is_answered_and_its_connection_closed() {
    let upstream = Upstream::start(|mut peer, _| async move {
        peer.request().await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        peer.respond("200 OK", "application/json", &common::completion("fine")).await;
        peer.gone().await;
    })
    .await;
    let ambassador = Ambassador::start(&alone(upstream.address, ""));
    let mut client = Client::connect(ambassador.address).await;
    client.chat(WHOLE).await;
    until("the request", || ambassador.metric("ambassador_requests_in_flight") == Some(1.0)).await;
    let drained = task::spawn(ambassador.end(PATIENCE * 2));
    let answer = client.answer().await;
    assert_eq!((answer.text().as_str(), answer.header("connection")), ("fine", Some("close")), "{answer:?}");
    assert!(!client.more().await, "the connection is closed");
    assert_eq!(common::soon("the end", drained).await.unwrap(), Drained::Clean);
}
