//! SIGTERM: not ready, drain, exit 0.

use std::time::{Duration, Instant};

use e2e::harness::{PATIENCE, Setup};
use e2e::http;
use e2e::provider::{Ending, Fault, Step};
use tokio::net::TcpStream;

use crate::support::{MODEL, assert_clean, assert_failed, two_providers};

#[tokio::test]
async fn an_idle_ambassador_stops_at_once() {
    let (primary, fallback) = two_providers().await;
    let mut ambassador = Setup::anthropic_then_openai(&primary, &fallback).start().await;
    assert_eq!(ambassador.agent().ask(MODEL, "hi").await.unwrap().status, 200);
    let since = Instant::now();
    ambassador.process.terminate();
    let status = ambassador.process.wait(PATIENCE).await.expect("it ends");
    assert_eq!(status.code(), Some(0), "{}", ambassador.log());
    assert!(since.elapsed() < Duration::from_secs(8), "{:?}", since.elapsed());
}

#[tokio::test]
async fn an_open_stream_is_finished_while_it_is_not_ready() {
    let (primary, fallback) = two_providers().await;
    primary.always(Step::slow(100));
    let mut ambassador = Setup::anthropic_then_openai(&primary, &fallback).env("DRAIN_TIMEOUT", "30s").start().await;
    let mut stream = ambassador.agent().ask_streamed(MODEL, "one two three four five six seven eight").await.unwrap();
    stream.first_content().await.unwrap();
    ambassador.process.terminate();

    let deadline = Instant::now() + PATIENCE;
    while http::get(ambassador.admin, "/health/ready").await.is_ok_and(|answer| answer.status == 200) {
        assert!(Instant::now() < deadline, "still ready after SIGTERM");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(ambassador.process.ended().is_none(), "it ended with a stream open");
    assert_eq!(ambassador.admin("/health/ready").await.status, 503);
    assert_eq!(ambassador.admin("/health/live").await.status, 200);

    assert_clean(&stream.read().await);
    let status = ambassador.process.wait(PATIENCE).await.expect("it ends");
    assert_eq!(status.code(), Some(0), "{}", ambassador.log());
}

#[tokio::test]
async fn a_stream_that_does_not_end_is_waited_for_only_so_long() {
    let (primary, fallback) = two_providers().await;
    primary.always(Step::stream(2, Ending::Hang));
    let mut ambassador = Setup::anthropic_then_openai(&primary, &fallback).env("DRAIN_TIMEOUT", "1s").start().await;
    let mut stream = ambassador.agent().ask_streamed(MODEL, "one two three").await.unwrap();
    stream.first_content().await.unwrap();
    let since = Instant::now();
    ambassador.process.terminate();
    let status = ambassador.process.wait(PATIENCE).await.expect("it ends");
    assert_eq!(status.code(), Some(0), "{}", ambassador.log());
    assert!(since.elapsed() < Duration::from_secs(10), "{:?}", since.elapsed());
    // It is cut, and the caller is told so in its own dialect.
    assert_failed(&stream.read().await);
}

#[tokio::test]
async fn a_whole_answer_that_does_not_come_in_the_grace_is_refused_and_not_cut() {
    let (primary, fallback) = two_providers().await;
    primary.always(Fault::HangBeforeHead);
    let mut ambassador = Setup::anthropic_then_openai(&primary, &fallback).env("DRAIN_TIMEOUT", "2s").start().await;
    let agent = ambassador.agent();
    let asked = tokio::spawn(async move { agent.ask(MODEL, "hello").await });
    ambassador.metrics_when(|scrape| scrape.sum("ambassador_requests_in_flight", &[]) == 1.0).await;
    ambassador.process.terminate();
    let answer = asked.await.unwrap().unwrap();
    assert_eq!(answer.status, 503, "{answer:?}");
    let status = ambassador.process.wait(PATIENCE).await.expect("it ends");
    assert_eq!(status.code(), Some(0), "{}", ambassador.log());
}

#[tokio::test]
async fn connections_that_say_nothing_do_not_hold_it_up() {
    let (primary, fallback) = two_providers().await;
    let mut ambassador = Setup::anthropic_then_openai(&primary, &fallback).start().await;
    let _silent = TcpStream::connect(ambassador.listen).await.unwrap();
    let _admin = TcpStream::connect(ambassador.admin).await.unwrap();
    assert_eq!(ambassador.agent().ask(MODEL, "hi").await.unwrap().status, 200);
    ambassador.process.terminate();
    let status = ambassador.process.wait(Duration::from_secs(8)).await.expect("it ends");
    assert_eq!(status.code(), Some(0), "{}", ambassador.log());
}
