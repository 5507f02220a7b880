//! What goes on to the next provider, and what does not.

use e2e::harness::{Ambassador, Setup, free_port};
use e2e::provider::{Ending, Fault, Provider, Step};

use crate::support::{MODEL, assert_clean, error_of, text_of, two_providers};

/// Starts an ambassador in front of the two; the first speaks either dialect.
async fn both_ways(primary: &Provider, fallback: &Provider) -> [Ambassador; 2] {
    [
        Setup::anthropic_then_openai(primary, fallback).start().await,
        Setup::openai_then_anthropic(primary, fallback).start().await,
    ]
}

/// A whole answer comes from the fallback when the primary is treated so, whatever dialect each of them speaks.
async fn whole_goes_on(step: impl Into<Step>) {
    let (primary, fallback) = two_providers().await;
    primary.always(step);
    for ambassador in both_ways(&primary, &fallback).await {
        let answer = ambassador.agent().ask(MODEL, "go on").await.unwrap();
        assert!(text_of(&answer).contains("go on"));
        let attempts: u32 = answer.header("x-ambassador-attempts").parse().unwrap();
        assert!(attempts > 1, "{attempts} attempts, but the first failed");
        assert_eq!(answer.json()["model"], answer.header("x-ambassador-model"), "the model that answered");
        let asked = fallback.seen();
        assert_eq!(asked.last().unwrap().json()["model"], answer.header("x-ambassador-model"));
    }
    assert!(primary.seen().len() >= 2);
    assert_eq!(fallback.seen().len(), 2);
}

/// The same streamed.
async fn stream_goes_on(step: impl Into<Step>) {
    let (primary, fallback) = two_providers().await;
    primary.always(step);
    for ambassador in both_ways(&primary, &fallback).await {
        let stream = ambassador.agent().ask_streamed(MODEL, "go on").await.unwrap();
        assert_eq!(stream.status, 200);
        let model = stream.header("x-ambassador-model").to_owned();
        let told = stream.read().await;
        assert_clean(&told);
        assert!(told.text.starts_with("You said: go on"), "{told:?}");
        assert_eq!(told.models, [model]);
    }
    assert!(primary.seen().len() >= 2);
    assert_eq!(fallback.seen().len(), 2);
}

/// The caller's own mistakes stay with the caller.
async fn stays(code: u16) {
    let (primary, fallback) = two_providers().await;
    primary.always(Fault::Status { code, retry_after: None, message: Some("that was your mistake".into()) });
    for ambassador in both_ways(&primary, &fallback).await {
        let answer = ambassador.agent().ask(MODEL, "hi").await.unwrap();
        assert_eq!(answer.status, code);
        assert_eq!(error_of(&answer)["message"], "that was your mistake");
        let stream = ambassador.agent().ask_streamed(MODEL, "hi").await.unwrap();
        assert_eq!(stream.status, code);
    }
    assert_eq!((primary.seen().len(), fallback.seen().len()), (4, 0));
}

macro_rules! cases {
    ($treat:path: $($name:ident = $how:expr;)*) => { $(
        #[tokio::test]
        async fn $name() {
            $treat($how).await;
        }
    )* };
}

cases! { whole_goes_on:
    a_401_goes_on = Step::status(401);
    a_402_goes_on = Step::status(402);
    a_403_goes_on = Step::status(403);
    a_408_goes_on = Step::status(408);
    a_429_goes_on = Step::status(429);
    a_500_goes_on = Step::status(500);
    a_502_goes_on = Step::status(502);
    a_503_goes_on = Step::status(503);
    a_504_goes_on = Step::status(504);
    a_529_goes_on = Step::status(529);
    a_proxys_html_goes_on = Fault::Html { code: 502 };
    a_reset_goes_on = Fault::ResetBeforeHead;
    a_close_without_a_word_goes_on = Fault::CloseBeforeHead;
    a_body_that_is_cut_goes_on = Fault::ShortBody;
    a_200_that_is_no_json_goes_on = Fault::NotJson;
}

cases! { stream_goes_on:
    a_stream_refused_with_401_goes_on = Step::status(401);
    a_stream_refused_with_429_goes_on = Step::status(429);
    a_stream_refused_with_529_goes_on = Step::status(529);
    a_stream_reset_before_its_head_goes_on = Fault::ResetBeforeHead;
    a_stream_closed_before_content_goes_on = Step::stream(0, Ending::Fin);
    a_stream_reset_before_content_goes_on = Step::stream(0, Ending::Reset);
    a_stream_cut_within_its_first_content_goes_on = Step::stream(0, Ending::MidEvent);
    a_stream_that_ends_before_content_goes_on = Step::stream(0, Ending::Clean);
    a_stream_that_fails_before_content_goes_on = Step::stream(0, Ending::Error);
    a_stream_malformed_before_content_goes_on = Step::stream(0, Ending::Malformed);
}

cases! { stays:
    a_400_stays = 400;
    a_404_stays = 404;
    a_413_stays = 413;
    a_422_stays = 422;
}

#[tokio::test]
async fn a_refused_connection_goes_on() {
    let (_, fallback) = two_providers().await;
    let setup = Setup::openai_alone(&fallback).env("PRIMARY_PROVIDER", "anthropic").env("FALLBACK_PROVIDER", "openai");
    let setup = setup.env("ANTHROPIC_API_KEY", "k").env("ANTHROPIC_BASE_URL", format!("http://{}", free_port()));
    let ambassador = setup.start().await;
    let answer = ambassador.agent().ask(MODEL, "go on").await.unwrap();
    assert_eq!(answer.header("x-ambassador-provider"), "openai");
    assert!(text_of(&answer).contains("go on"));
    assert_clean(&ambassador.agent().ask_streamed(MODEL, "go on").await.unwrap().read().await);
}

#[tokio::test]
async fn fallbacks_are_tried_in_their_order() {
    let (first, second) = two_providers().await;
    let third = Provider::start().await.unwrap();
    first.always(Step::status(500));
    second.always(Fault::ResetBeforeHead);
    let setup = Setup::anthropic_then_openai(&first, &second).env("FALLBACK_PROVIDER", "openai,third");
    let ambassador = setup.env("THIRD_BASE_URL", third.openai_url()).start().await;
    let answer = ambassador.agent().ask(MODEL, "hi").await.unwrap();
    assert_eq!((answer.status, answer.header("x-ambassador-provider")), (200, "third"));
    assert!(first.seen().len() == 1 && !second.seen().is_empty() && third.seen().len() == 1);
}

#[tokio::test]
async fn a_primary_that_recovers_is_used_again_in_the_end() {
    let (primary, fallback) = two_providers().await;
    primary.once(Step::status(500));
    let ambassador = Setup::anthropic_then_openai(&primary, &fallback).start().await;
    assert_eq!(ambassador.agent().ask(MODEL, "hi").await.unwrap().header("x-ambassador-provider"), "openai");
    // One failure is no outage: the primary is not written off for it.
    let mut providers = Vec::new();
    for _ in 0..5 {
        providers.push(ambassador.agent().ask(MODEL, "hi").await.unwrap().header("x-ambassador-provider").to_owned());
    }
    assert!(providers.iter().any(|provider| provider == "anthropic"), "{providers:?}");
}
