//! What a collector hears: a span for each request and one for each attempt at a provider, in the agent's own trace.

use std::time::Duration;

use e2e::agent::question;
use e2e::harness::{Ambassador, PATIENCE, Setup};
use e2e::provider::{Ending, Provider, Step};

use crate::collector::{Collector, Span};
use crate::support::{MODEL, assert_clean, text_of, two_providers};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const STATUS: &str = "http.response.status_code";
const AGENTS_SPAN: &str = "b7ad6b7169203331";

fn parent() -> String {
    format!("00-{TRACE}-{AGENTS_SPAN}-01")
}

async fn traced(primary: &Provider, fallback: &Provider) -> (Ambassador, Collector) {
    let collector = Collector::start().await;
    let setup = Setup::openai_then_anthropic(primary, fallback).env("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url());
    (setup.start().await, collector)
}

/// The one request that there was, and the attempts that it took.
async fn heard(mut ambassador: Ambassador, collector: &Collector) -> (Span, Vec<Span>) {
    // The last spans are sent at the end.
    assert!(ambassador.process.stop(PATIENCE).await.is_some());
    let requests = collector.requests();
    assert_eq!(requests.len(), 1, "{}", collector.text());
    let request = requests.into_iter().next().unwrap();
    let attempts = collector.attempts(&request);
    (request, attempts)
}

#[track_caller]
fn assert_says(span: &Span, attributes: &[(&str, &str)]) {
    for (name, value) in attributes {
        assert_eq!(span.text(name), *value, "{name} of {span:?}");
    }
}

#[tokio::test]
async fn a_stream_is_in_the_agents_trace_until_its_end() {
    let (primary, fallback) = two_providers().await;
    primary.always(Step::slow(300));
    let (ambassador, collector) = traced(&primary, &fallback).await;
    let agent = ambassador.agent().with_header("traceparent", &parent());
    let told = agent.ask_streamed(MODEL, "hi").await.unwrap().read().await;
    assert_clean(&told);
    let (request, attempts) = heard(ambassador, &collector).await;

    assert_eq!((request.name(), request.trace().as_str()), ("chat gpt-4o", TRACE));
    assert_eq!(request.parent(), AGENTS_SPAN);
    assert!(!request.is_error(), "{request:?}");
    let [attempt] = attempts.as_slice() else { panic!("{attempts:?}") };
    assert_eq!(attempt.name(), "chat gpt-4o");
    let seen = primary.seen();
    let contents = &seen[0].contents;
    let stretch = *contents.last().unwrap() - contents[0];
    assert!(stretch > Duration::from_secs(1), "{stretch:?}");
    for span in [&request, attempt] {
        assert!(span.lasted() >= stretch, "{:?} of {stretch:?}: {span:?}", span.lasted());
        assert_says(
            span,
            &[
                ("gen_ai.operation.name", "chat"),
                ("gen_ai.provider.name", "openai"),
                ("gen_ai.request.model", "gpt-4o"),
                ("gen_ai.response.model", &told.models[0]),
                ("error.type", ""),
            ],
        );
        let usage = told.usage.as_ref().unwrap();
        assert_eq!(span.number("gen_ai.usage.input_tokens"), usage["prompt_tokens"].as_i64());
        assert_eq!(span.number("gen_ai.usage.output_tokens"), usage["completion_tokens"].as_i64());
        assert_eq!(span.number(STATUS), Some(200));
    }
    assert_says(&request, &[("http.request.method", "POST"), ("url.path", "/v1/chat/completions")]);
    assert_says(attempt, &[("server.address", &primary.address().ip().to_string())]);
    assert_eq!(attempt.number("server.port"), Some(primary.address().port().into()));
    assert_eq!(seen[0].header("traceparent"), Some(format!("00-{TRACE}-{}-01", attempt.id()).as_str()));
    assert_eq!(seen[0].header("tracestate"), None, "there is no state to pass on");
}

#[tokio::test]
async fn the_state_of_a_trace_is_passed_on() {
    let (primary, fallback) = two_providers().await;
    let (ambassador, _collector) = traced(&primary, &fallback).await;
    let agent = ambassador.agent().with_header("traceparent", &parent()).with_header("tracestate", "vendor=1");
    text_of(&agent.ask(MODEL, "hi").await.unwrap());
    assert_eq!(primary.seen()[0].header("tracestate"), Some("vendor=1"));
}

#[tokio::test]
async fn each_attempt_is_a_span_of_its_own() {
    let (primary, fallback) = two_providers().await;
    primary.always(Step::status(503));
    let (ambassador, collector) = traced(&primary, &fallback).await;
    text_of(&ambassador.agent().ask(MODEL, "hi").await.unwrap());
    let (request, attempts) = heard(ambassador, &collector).await;

    assert!(!request.is_error() && request.parent().is_empty(), "{request:?}");
    assert_says(&request, &[("gen_ai.provider.name", "anthropic")]);
    let (answered, failed) = attempts.split_last().unwrap();
    assert!(!answered.is_error() && answered.name().starts_with("chat claude-"), "{answered:?}");
    assert_says(answered, &[("gen_ai.provider.name", "anthropic")]);
    assert_eq!((request.number(STATUS), answered.number(STATUS)), (Some(200), Some(200)));
    assert_eq!(failed.len(), primary.seen().len());
    for (attempt, seen) in failed.iter().zip(primary.seen()) {
        assert!(attempt.is_error() && attempt.name() == "chat gpt-4o", "{attempt:?}");
        assert_says(attempt, &[("gen_ai.provider.name", "openai"), ("error.type", "server_error")]);
        assert_eq!(attempt.number(STATUS), Some(503));
        assert_eq!(seen.header("traceparent"), Some(format!("00-{}-{}-01", request.trace(), attempt.id()).as_str()));
    }
}

#[tokio::test]
async fn a_request_without_an_answer_is_an_error() {
    let (primary, fallback) = two_providers().await;
    primary.always(Step::status(503));
    fallback.always(Step::status(500));
    let (ambassador, collector) = traced(&primary, &fallback).await;
    assert_eq!(ambassador.agent().ask(MODEL, "hi").await.unwrap().status, 503);
    let (request, attempts) = heard(ambassador, &collector).await;
    assert!(
        request.is_error() && attempts.len() >= 2 && attempts.iter().all(Span::is_error),
        "{request:?} {attempts:?}"
    );
    assert_says(&request, &[("error.type", "server_error")]);
    assert_eq!(request.number(STATUS), Some(503));
}

#[tokio::test]
async fn a_stream_that_breaks_off_is_an_error_whatever_its_status_was() {
    let (primary, fallback) = two_providers().await;
    primary.always(Step::stream(2, Ending::Reset));
    let (ambassador, collector) = traced(&primary, &fallback).await;
    assert!(ambassador.agent().ask_streamed(MODEL, "hi").await.unwrap().read().await.error.is_some());
    let (request, attempts) = heard(ambassador, &collector).await;
    assert_eq!(attempts.len(), 1);
    for span in [&request, &attempts[0]] {
        assert!(span.is_error(), "{span:?}");
        assert_says(span, &[("error.type", "cut")]);
        assert_eq!(span.number(STATUS), Some(200));
    }
}

#[tokio::test]
async fn nothing_is_told_of_the_conversation_and_little_of_what_a_caller_makes_up() {
    const PROMPT: &str = "CANARY-prompt";
    const AGENTS_KEY: &str = "CANARY-agents-key";
    let (primary, fallback) = two_providers().await;
    primary.once(Step::status(401));
    primary.once(Step::stream(2, Ending::Malformed));
    let (mut ambassador, collector) = traced(&primary, &fallback).await;
    let agent = ambassador.agent().with_header("authorization", &format!("Bearer {AGENTS_KEY}"));
    let model = format!("gpt-{}", "x".repeat(10_000));
    text_of(&agent.ask(&model, PROMPT).await.unwrap());
    let _ = agent.ask_streamed(MODEL, PROMPT).await.unwrap().read().await;
    let _ = agent.chat_streamed(question(MODEL, PROMPT)).await.unwrap().read().await;
    let _ = agent.get(&format!("/v1/models/{}", "y".repeat(10_000))).await.unwrap();
    ambassador.process.stop(PATIENCE).await;
    let text = collector.text();
    for canary in [PROMPT, AGENTS_KEY, "sk-ant-primary", "sk-fallback", "I counted", "You said"] {
        assert!(!text.contains(canary), "{canary} is in a span:\n{text}");
    }
    let requests = collector.requests();
    assert_eq!(requests.len(), 4);
    let attempts: Vec<Span> = requests.iter().flat_map(|request| collector.attempts(request)).collect();
    assert_eq!(attempts.len(), primary.seen().len() + fallback.seen().len());
    assert!(requests[0].name().starts_with("chat gpt-xxx"), "{}", requests[0].name());
    assert!(!text.contains(&"x".repeat(200)) && !text.contains(&"y".repeat(200)), "a name as long as its caller likes");
}
