//! After the first content byte a failure is told, in the caller's dialect, and never looks like an end.

use e2e::agent::question;
use e2e::harness::Setup;
use e2e::provider::{Ending, Provider, Step};

use crate::support::{MODEL, assert_clean, assert_failed, two_providers};

/// The stream of a provider of either dialect goes wrong so after two pieces of content.
async fn is_told(ending: Ending) {
    let (primary, fallback) = two_providers().await;
    primary.always(Step::stream(2, ending));
    for setup in [Setup::anthropic_then_openai(&primary, &fallback), Setup::openai_then_anthropic(&primary, &fallback)]
    {
        let ambassador = setup.start().await;
        let told = ambassador.agent().ask_streamed(MODEL, "some words that are cut short").await.unwrap().read().await;
        assert_failed(&told);
        assert!("You said: some".starts_with(told.text.trim_end()), "content from somewhere else: {told:?}");
        ambassador.metrics_when(|scrape| scrape.sum("llm_requests_total", &[("status", "error")]) == 1.0).await;
    }
    assert_eq!(fallback.seen().len(), 0, "nothing is asked anew once content was sent");
}

macro_rules! cases {
    ($($name:ident = $ending:expr;)*) => { $(
        #[tokio::test]
        async fn $name() {
            is_told($ending).await;
        }
    )* };
}

cases! {
    a_close_is_told = Ending::Fin;
    a_reset_is_told = Ending::Reset;
    half_an_event_is_told = Ending::MidEvent;
    an_end_without_a_finish_is_told = Ending::Clean;
    a_failure_within_the_stream_is_told = Ending::Error;
    a_malformed_event_is_told = Ending::Malformed;
}

#[tokio::test]
async fn any_split_of_the_bytes_gives_the_same_stream() {
    let (primary, fallback) = two_providers().await;
    primary.always(Step { byte_by_byte: true, ..Step::default() });
    for setup in [Setup::anthropic_then_openai(&primary, &fallback), Setup::openai_then_anthropic(&primary, &fallback)]
    {
        let ambassador = setup.start().await;
        let told = ambassador.agent().ask_streamed(MODEL, "naïve 日本語 🌍 words").await.unwrap().read().await;
        assert_clean(&told);
        assert_eq!(told.text, "You said: naïve 日本語 🌍 words I counted 4 words, the longest is naïve.");
    }
}

#[tokio::test]
async fn content_is_passed_on_as_it_comes() {
    let (primary, fallback) = two_providers().await;
    primary.always(Step::slow(60));
    for setup in [Setup::anthropic_then_openai(&primary, &fallback), Setup::openai_then_anthropic(&primary, &fallback)]
    {
        let ambassador = setup.start().await;
        let mut stream = ambassador.agent().ask_streamed(MODEL, "one two three four five").await.unwrap();
        let first = stream.first_content().await.unwrap();
        assert_eq!(first.as_deref(), Some("You "));
        let still_talking = !primary.seen().last().unwrap().finished;
        assert!(still_talking, "the first content came when the last had been sent: the stream is buffered");
        assert!(stream.read().await.is_done);
    }
}

#[tokio::test]
async fn usage_comes_at_the_end_and_only_to_who_asked() {
    let provider = Provider::start().await.unwrap();
    let ambassador = Setup::openai_alone(&provider).start().await;
    let told = ambassador.agent().chat_streamed(question(MODEL, "hi")).await.unwrap().read().await;
    assert_clean(&told);
    assert!(told.usage.is_none(), "nobody asked for it: {told:?}");
    let told = ambassador.agent().ask_streamed(MODEL, "hi").await.unwrap().read().await;
    assert_eq!(told.usage.unwrap()["completion_tokens"], told.contents);
    // Asked for or not, the account needs it.
    let output = [("model", MODEL), ("direction", "output")];
    let wanted = 2.0 * told.contents as f64;
    ambassador.metrics_when(|scrape| scrape.sum("llm_tokens_total", &output) == wanted).await;
}

#[tokio::test]
async fn many_streams_at_once_are_not_mixed_up() {
    let (primary, fallback) = two_providers().await;
    primary.always(Step::slow(2));
    let ambassador = Setup::anthropic_then_openai(&primary, &fallback).start().await;
    let mut streams = tokio::task::JoinSet::new();
    for number in 0..40 {
        let agent = ambassador.agent();
        streams.spawn(async move {
            let words = format!("agent {number} says {}", "ab".repeat(number));
            let told = agent.ask_streamed(MODEL, &words).await.unwrap().read().await;
            assert_clean(&told);
            assert!(told.text.starts_with(&format!("You said: {words} I counted")), "{told:?}");
        });
    }
    while let Some(ended) = streams.join_next().await {
        ended.unwrap();
    }
}
