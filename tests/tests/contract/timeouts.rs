//! A provider that says nothing costs its time-out and no more.

use std::time::{Duration, Instant};

use e2e::harness::{Ambassador, Setup};
use e2e::provider::{Ending, Fault, Provider, Step};

use crate::support::{MODEL, assert_clean, assert_failed, error_of, text_of, two_providers};

/// Long enough for any machine, short of what nobody configured.
const SOON: Duration = Duration::from_secs(8);

/// A route to `slow` under `target` time-outs and then to `quick`; the whole under `route` time-outs.
async fn started(slow: &Provider, quick: &Provider, target: &str, route: &str) -> Ambassador {
    let yaml = format!(
        "providers:
  slow: {{ kind: openai, base_url: '{}', keys: [ {{ env: SLOW_KEY }} ] }}
  quick: {{ kind: anthropic, base_url: '{}', keys: [ {{ env: QUICK_KEY }} ] }}
routes:
  - model: {MODEL}
    timeouts: {{ {route} }}
    targets:
      - {{ provider: slow, model: gpt-4o, timeouts: {{ {target} }} }}
      - {{ provider: quick, model: claude-sonnet-4-5 }}
",
        slow.openai_url(),
        quick.anthropic_url(),
    );
    Setup::new().env("SLOW_KEY", "k").env("QUICK_KEY", "k").config(&yaml).start().await
}

#[tokio::test]
async fn no_headers_in_time_goes_on() {
    let (slow, quick) = two_providers().await;
    slow.always(Fault::HangBeforeHead);
    let ambassador = started(&slow, &quick, "headers: 300ms", "total: 60s").await;
    let since = Instant::now();
    let answer = ambassador.agent().ask(MODEL, "go on").await.unwrap();
    assert!(text_of(&answer).contains("go on"));
    assert_eq!(answer.header("x-ambassador-provider"), "quick");
    let told = ambassador.agent().ask_streamed(MODEL, "go on").await.unwrap().read().await;
    assert_clean(&told);
    assert!(since.elapsed() < SOON);
    let seen = slow.seen_when(|seen| seen.iter().all(|seen| seen.gone_after_ms.is_some())).await;
    assert!(
        seen.iter().all(|seen| seen.gone_after_ms.is_some()),
        "an attempt that was given up is still open upstream"
    );
}

#[tokio::test]
async fn no_first_content_in_time_goes_on() {
    let (slow, quick) = two_providers().await;
    slow.always(Step::stream(0, Ending::Hang));
    let ambassador = started(&slow, &quick, "first_content: 300ms", "total: 60s").await;
    let since = Instant::now();
    let told = ambassador.agent().ask_streamed(MODEL, "go on").await.unwrap().read().await;
    assert_clean(&told);
    assert!(told.text.contains("go on") && since.elapsed() < SOON);
}

#[tokio::test]
async fn silence_after_content_is_told() {
    let (slow, quick) = two_providers().await;
    slow.always(Step::stream(2, Ending::Hang));
    let ambassador = started(&slow, &quick, "idle: 300ms", "total: 60s").await;
    let since = Instant::now();
    let told = ambassador.agent().ask_streamed(MODEL, "go on").await.unwrap().read().await;
    assert_failed(&told);
    assert!(since.elapsed() < SOON);
    assert_eq!(quick.seen().len(), 0);
}

#[tokio::test]
async fn an_attempts_total_goes_on_and_does_not_mind_that_something_trickles() {
    let (slow, quick) = two_providers().await;
    slow.always(Step { head_delay_ms: 60_000, ..Step::default() });
    let ambassador = started(&slow, &quick, "total: 300ms", "total: 60s").await;
    let answer = ambassador.agent().ask(MODEL, "go on").await.unwrap();
    assert_eq!((answer.status, answer.header("x-ambassador-provider")), (200, "quick"));
}

#[tokio::test]
async fn the_requests_deadline_is_over_all_attempts() {
    let (slow, quick) = two_providers().await;
    slow.always(Fault::HangBeforeHead);
    quick.always(Fault::HangBeforeHead);
    let ambassador = started(&slow, &quick, "headers: 400ms", "total: 700ms").await;
    let since = Instant::now();
    let answer = ambassador.agent().ask(MODEL, "hi").await.unwrap();
    assert_eq!(answer.status, 504, "{}", answer.text());
    error_of(&answer);
    assert!(since.elapsed() >= Duration::from_millis(390) && since.elapsed() < SOON, "{:?}", since.elapsed());
}

#[tokio::test]
async fn the_requests_deadline_ends_a_stream_that_goes_on_and_on() {
    let (slow, quick) = two_providers().await;
    slow.always(Step::slow(100));
    let ambassador = started(&slow, &quick, "headers: 5s", "total: 700ms").await;
    let words = "word ".repeat(200);
    let since = Instant::now();
    let told = ambassador.agent().ask_streamed(MODEL, &words).await.unwrap().read().await;
    assert_failed(&told);
    assert!(since.elapsed() < SOON);
}
