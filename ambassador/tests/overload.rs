//! More requests than there are slots: they wait, not for ever, and what is refused has cost no provider anything.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod common;

use std::sync::Arc;

use common::{Ambassador, Client, STREAM, Upstream, WHOLE, alone, soon, until};
use tokio::sync::Notify;

const DEPTH: &str = "llm_request_queue_depth";

/// An upstream that takes requests and says nothing.
async fn hanging(arrived: Arc<Notify>) -> Upstream {
    Upstream::start(move |mut peer, _| {
        let arrived = Arc::clone(&arrived);
        async move {
            peer.request().await;
            arrived.notify_one();
            peer.gone().await;
        }
    })
    .await
}

#[tokio::test]
async fn a_request_that_waits_too_long_for_a_slot_is_refused() {
    for request in [WHOLE, STREAM] {
        let arrived = Arc::new(Notify::new());
        let upstream = hanging(Arc::clone(&arrived)).await;
        let limits = "limits: { max_in_flight: 1, queue_timeout: 1s }\n";
        let ambassador = Ambassador::start(&(alone(upstream.address, "") + limits));
        let mut first = Client::connect(ambassador.address).await;
        first.chat(WHOLE).await;
        soon("the request", arrived.notified()).await;
        until("the connection", || ambassador.metric(DEPTH) == Some(0.0)).await;

        let mut second = Client::connect(ambassador.address).await;
        second.chat(request).await;
        until("the queue", || ambassador.metric(DEPTH) == Some(1.0)).await;
        let answer = second.answer().await;
        let error = answer.error();
        assert_eq!((answer.status, error["code"].as_str()), (503, Some("overloaded")), "{answer:?}");
        assert_eq!(answer.header("retry-after"), Some("1"));
        let message = error["message"].as_str().unwrap();
        assert!(message.contains("limits.max_in_flight") && message.contains("within 1s"), "{message}");
        assert_eq!(ambassador.metric(DEPTH), Some(0.0));
        assert_eq!((upstream.connections(), upstream.seen().len()), (1, 1), "the second one stayed here");
        until("the account", || ambassador.metric("ambassador_requests_in_flight") == Some(1.0)).await;
    }
}

#[tokio::test]
async fn without_time_to_wait_a_request_is_refused_only_where_there_is_no_slot() {
    let arrived = Arc::new(Notify::new());
    let upstream = hanging(Arc::clone(&arrived)).await;
    let limits = "limits: { max_in_flight: 1, queue_timeout: 0s }\n";
    let ambassador = Ambassador::start(&(alone(upstream.address, "") + limits));
    let mut first = Client::connect(ambassador.address).await;
    first.chat(WHOLE).await;
    soon("the request", arrived.notified()).await;
    assert_eq!(ambassador.chat(WHOLE).await.error()["code"], "overloaded");
}

#[tokio::test]
async fn a_client_too_many_is_told_so_and_the_next_one_is_served() {
    let upstream = Upstream::healthy("fine").await;
    let ambassador = Ambassador::with_room_for(2, &alone(upstream.address, ""));
    let (mut first, mut second) =
        (Client::connect(ambassador.address).await, Client::connect(ambassador.address).await);
    first.chat(WHOLE).await;
    assert_eq!(first.answer().await.text(), "fine");
    until("both of them", || ambassador.connections() == 2).await;
    let answer = ambassador.chat(WHOLE).await;
    assert_eq!((answer.status, answer.error()["code"].as_str()), (503, Some("overloaded")), "{answer:?}");
    assert_eq!(ambassador.metric("ambassador_refused_connections_total"), Some(1.0));
    drop(first);
    until("room for one", || ambassador.connections() == 1).await;
    assert_eq!(ambassador.chat(WHOLE).await.text(), "fine");
    second.chat(WHOLE).await;
    assert_eq!(second.answer().await.text(), "fine");
}

#[tokio::test]
async fn an_attempt_that_is_cut_off_is_told_and_counted() {
    let abandoned = r#"ambassador_attempts_total{provider="primary",outcome="abandoned"}"#;
    for request in [WHOLE, STREAM] {
        let arrived = Arc::new(Notify::new());
        let upstream = hanging(Arc::clone(&arrived)).await;
        let ambassador = Ambassador::start(&(alone(upstream.address, "") + "limits: { max_in_flight: 1 }\n"));
        // Its caller leaves: the provider had the request all the same.
        let mut leaving = Client::connect(ambassador.address).await;
        leaving.chat(request).await;
        soon("the request", arrived.notified()).await;
        drop(leaving);
        until("the account", || ambassador.metric(abandoned) == Some(1.0)).await;
        // The process ends: one request is under way, another waits and must not be begun any more.
        let (mut cut, mut waiting) =
            (Client::connect(ambassador.address).await, Client::connect(ambassador.address).await);
        cut.chat(request).await;
        soon("the request", arrived.notified()).await;
        waiting.chat(request).await;
        until("the queue", || ambassador.metric(DEPTH) == Some(1.0)).await;
        ambassador.gateway.drain.hurry();
        for (client, attempts) in [(&mut cut, "1"), (&mut waiting, "0")] {
            let answer = client.answer().await;
            assert_eq!((answer.status, answer.header("x-ambassador-attempts")), (503, Some(attempts)), "{answer:?}");
        }
        assert_eq!(upstream.seen().len(), 2);
        assert_eq!(ambassador.metric(abandoned), Some(2.0));
    }
}
