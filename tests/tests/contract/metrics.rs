//! The series with exactly these names, and what they count.

use std::collections::BTreeSet;

use e2e::agent::question;
use e2e::harness::Setup;
use e2e::metrics::Scrape;
use e2e::provider::{Provider, Step};
use serde_json::json;

use crate::support::{MODEL, two_providers};

/// The names of the labels of every sample of a series; `le` is the histogram's own.
fn labels(scrape: &Scrape, series: &str) -> BTreeSet<Vec<String>> {
    let names = |sample: &e2e::metrics::Sample| sample.labels.keys().filter(|name| *name != "le").cloned().collect();
    scrape.series(series).map(names).collect()
}

fn answered(scrape: &Scrape, count: f64) -> bool {
    scrape.sum("llm_requests_total", &[]) == count
}

#[tokio::test]
async fn the_series_are_there_by_name_and_label() {
    let (primary, fallback) = two_providers().await;
    primary.once(Step::status(503));
    let ambassador = Setup::openai_then_anthropic(&primary, &fallback).start().await;
    for _ in 0..3 {
        assert_eq!(ambassador.agent().ask(MODEL, "hi").await.unwrap().status, 200);
    }
    let scrape = ambassador.metrics_when(|scrape| answered(scrape, 3.0)).await;
    for (series, wanted) in [
        ("llm_requests_total", vec!["model", "status"]),
        ("llm_tokens_total", vec!["direction", "model"]),
        ("llm_request_duration_seconds_bucket", vec!["model"]),
        ("llm_request_duration_seconds_sum", vec!["model"]),
        ("llm_request_duration_seconds_count", vec!["model"]),
        ("llm_cost_dollars_total", vec!["model"]),
        ("llm_request_queue_depth", vec![]),
        ("active_conversations", vec![]),
    ] {
        let wanted = BTreeSet::from([wanted.into_iter().map(str::to_owned).collect::<Vec<_>>()]);
        assert_eq!(labels(&scrape, series), wanted, "{series}");
    }
    assert_eq!(scrape.sum("llm_request_duration_seconds_count", &[]), 3.0);
    assert!(scrape.sum("llm_tokens_total", &[("direction", "input")]) > 0.0);
    assert!(scrape.sum("llm_tokens_total", &[("direction", "output")]) > 0.0);
    assert!(scrape.sum("llm_cost_dollars_total", &[]) > 0.0);
    assert_eq!(scrape.sum("llm_request_queue_depth", &[]), 0.0);
    let failovers =
        scrape.samples().filter(|sample| sample.name.contains("failover") && sample.labels.contains_key("reason"));
    assert_eq!(failovers.map(|sample| sample.value).sum::<f64>(), 1.0, "one failover, by its reason");
}

#[tokio::test]
async fn the_series_are_there_before_the_first_request() {
    let (primary, fallback) = two_providers().await;
    let ambassador = Setup::anthropic_then_openai(&primary, &fallback).start().await;
    let answer = ambassador.admin("/metrics").await;
    assert!(answer.header("content-type").contains("text"), "{:?}", answer.headers);
    for gauge in ["llm_request_queue_depth", "active_conversations"] {
        assert_eq!(Scrape::of(&answer.text()).series(gauge).count(), 1, "{gauge}");
    }
    let text = answer.text();
    for name in ["llm_requests", "llm_tokens", "llm_request_duration_seconds", "llm_cost_dollars"] {
        assert!(text.contains(&format!("# TYPE {name}")), "no {name} in\n{text}");
    }
}

#[tokio::test]
async fn a_status_is_success_or_error() {
    let provider = Provider::start().await.unwrap();
    let ambassador = Setup::openai_alone(&provider).start().await;
    let statuses = [400, 401, 404, 429, 500];
    for code in statuses {
        provider.once(Step::status(code));
        assert!(ambassador.agent().ask(MODEL, "hi").await.unwrap().status >= 400);
    }
    let answer = ambassador.agent().ask(MODEL, "hi").await.unwrap();
    let total = statuses.len() as f64 + 1.0;
    let scrape = ambassador.metrics_when(|scrape| answered(scrape, total)).await;
    let known: BTreeSet<&str> =
        scrape.series("llm_requests_total").map(|sample| sample.labels["status"].as_str()).collect();
    assert!(known.is_subset(&BTreeSet::from(["success", "error"])), "{known:?}");
    let success = if answer.status == 200 { 1.0 } else { 0.0 };
    assert_eq!(scrape.sum("llm_requests_total", &[("status", "success")]), success);
}

#[tokio::test]
async fn a_streams_tokens_are_counted() {
    let (primary, fallback) = two_providers().await;
    let ambassador = Setup::anthropic_then_openai(&primary, &fallback).start().await;
    let told = ambassador.agent().chat_streamed(question(MODEL, "count these words")).await.unwrap().read().await;
    let scrape = ambassador.metrics_when(|scrape| answered(scrape, 1.0)).await;
    assert_eq!(scrape.sum("llm_tokens_total", &[("direction", "output")]), told.contents as f64);
    assert!(scrape.sum("llm_cost_dollars_total", &[]) > 0.0);
}

#[tokio::test]
async fn a_model_without_a_price_is_unknown_and_not_free() {
    let provider = Provider::start().await.unwrap();
    let setup = Setup::new().env("PRIMARY_PROVIDER", "vllm").env("VLLM_BASE_URL", provider.openai_url());
    let ambassador = setup.env("VLLM_MODEL", "house-model").start().await;
    assert_eq!(ambassador.agent().ask("house-model", "hi").await.unwrap().status, 200);
    let scrape = ambassador.metrics_when(|scrape| answered(scrape, 1.0)).await;
    assert_eq!(scrape.series("llm_cost_dollars_total").count(), 0, "a cost of nothing would be a price");
    let unknown = scrape.samples().filter(|sample| sample.name.contains("unpriced"));
    assert_eq!(unknown.map(|sample| sample.value).sum::<f64>(), 1.0);
}

#[tokio::test]
async fn labels_are_bounded_whatever_a_caller_sends() {
    let (primary, fallback) = two_providers().await;
    let ambassador = Setup::openai_then_anthropic(&primary, &fallback).start().await;
    let mut asked = 0.0;
    for number in 0..100 {
        // Of no family, of the primary's family, and of a provider by name.
        for model in [format!("random-{number}"), format!("gpt-random-{number}"), format!("openai/random-{number}")] {
            let _ = ambassador.agent().ask(&model, "hi").await.unwrap();
            asked += 1.0;
        }
    }
    let conversation =
        json!({"model": MODEL, "messages": [{"role": "user", "content": "hi"}], "user": "u".repeat(10_000)});
    let _ = ambassador.agent().chat(&conversation).await.unwrap();
    let scrape = ambassador.metrics_when(|scrape| answered(scrape, asked + 1.0)).await;
    let models: BTreeSet<&str> =
        scrape.series("llm_requests_total").map(|sample| sample.labels["model"].as_str()).collect();
    assert!(models.len() <= 100, "{} models became labels", models.len());
    assert!(
        scrape.samples().all(|sample| sample.labels.values().all(|value| value.len() <= 200)),
        "a label as long as its caller likes"
    );
}

#[tokio::test]
async fn conversations_are_counted_once_each() {
    let (primary, fallback) = two_providers().await;
    let ambassador = Setup::anthropic_then_openai(&primary, &fallback).start().await;
    for id in ["a", "b", "a"] {
        let agent = ambassador.agent().with_header("x-conversation-id", id);
        assert_eq!(agent.ask(MODEL, "hi").await.unwrap().status, 200);
    }
    let mut request = question(MODEL, "hi");
    request["metadata"] = json!({"conversation_id": "c"});
    assert_eq!(ambassador.agent().chat(&request).await.unwrap().status, 200);
    let mut request = question(MODEL, "hi");
    request["user"] = "d".into();
    assert_eq!(ambassador.agent().chat(&request).await.unwrap().status, 200);
    // A request that names none is of no conversation.
    assert_eq!(ambassador.agent().ask(MODEL, "hi").await.unwrap().status, 200);
    ambassador.metrics_when(|scrape| scrape.sum("active_conversations", &[]) == 4.0).await;
}

#[tokio::test]
async fn a_caller_that_goes_away_still_counts() {
    let (primary, fallback) = two_providers().await;
    primary.always(Step::slow(50));
    let ambassador = Setup::anthropic_then_openai(&primary, &fallback).start().await;
    let mut stream =
        ambassador.agent().ask_streamed(MODEL, "one two three four five six seven eight nine ten").await.unwrap();
    stream.first_content().await.unwrap();
    drop(stream);
    ambassador.metrics_when(|scrape| answered(scrape, 1.0)).await;
}

#[tokio::test]
async fn requests_are_counted_by_the_model_asked_for_and_tokens_by_the_one_that_answered() {
    let (primary, fallback) = two_providers().await;
    primary.always(Step::status(503));
    let ambassador = Setup::anthropic_then_openai(&primary, &fallback).start().await;
    let answer = ambassador.agent().ask("claude-haiku-4-5", "hello").await.unwrap();
    assert_eq!(answer.header("x-ambassador-provider"), "openai");
    let asked = [("model", "claude-haiku-4-5"), ("status", "success")];
    let scrape = ambassador.metrics_when(|scrape| scrape.sum("llm_requests_total", &asked) == 1.0).await;
    assert_eq!(scrape.sum("llm_tokens_total", &[("model", "claude-haiku-4-5")]), 0.0);
    assert!(scrape.sum("llm_tokens_total", &[("model", "gpt-4o")]) > 0.0);
}
