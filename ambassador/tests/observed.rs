//! What can be seen from outside: the series by the names that dashboards know, with bounded labels, and no secret in
//! any of it.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail by panicking")]

mod common;

use std::collections::BTreeSet;

use common::{Ambassador, DONE, ROLE, STREAM, Upstream, WHOLE, alone, ambassador::KEY, content, until, with_fallback};

/// The values that a label has.
fn labels(scrape: &str, series: &str, label: &str) -> BTreeSet<String> {
    let lines = scrape.lines().filter(|line| line.starts_with(&format!("{series}{{")));
    lines
        .filter_map(|line| {
            let (_, rest) = line.split_once(&format!("{label}=\""))?;
            Some(rest.split_once('"')?.0.to_owned())
        })
        .collect()
}

#[tokio::test]
async fn the_series_have_their_names_before_the_first_request() {
    let upstream = Upstream::healthy("fine").await;
    let scrape = Ambassador::start(&alone(upstream.address, "").replace("'*'", "gpt-4o")).scrape();
    for line in [
        "# TYPE llm_requests counter",
        "llm_requests_total{model=\"gpt-4o\",status=\"success\"} 0",
        "llm_requests_total{model=\"gpt-4o\",status=\"error\"} 0",
        "llm_tokens_total{model=\"gpt-4o\",direction=\"input\"} 0",
        "llm_tokens_total{model=\"gpt-4o\",direction=\"output\"} 0",
        "# TYPE llm_request_duration_seconds histogram",
        "llm_request_duration_seconds_count{model=\"gpt-4o\"} 0",
        "llm_cost_dollars_total{model=\"gpt-4o\"} 0.0",
        "# TYPE llm_request_queue_depth gauge",
        "llm_request_queue_depth 0",
        "# TYPE active_conversations gauge",
        "active_conversations 0",
    ] {
        assert!(scrape.lines().any(|found| found == line), "{line} is not in\n{scrape}");
    }
}

#[tokio::test]
async fn what_is_answered_is_counted() {
    let upstream = Upstream::healthy("fine").await;
    let ambassador = Ambassador::start(&format!(
        "{}prices: {{ m: {{ input: 1000000, output: 2000000 }} }}\n",
        alone(upstream.address, "").replace("'*'", "m")
    ));
    for request in [WHOLE, STREAM, STREAM] {
        let request = request.replacen('{', r#"{"user":"u-1","#, 1);
        assert_eq!(ambassador.chat(&request).await.text(), "fine");
    }
    let metric = |series: &str| ambassador.metric(series);
    until("the account", || metric("llm_requests_total{model=\"m\",status=\"success\"}") == Some(3.0)).await;
    assert_eq!(metric("llm_requests_total{model=\"m\",status=\"error\"}"), Some(0.0));
    assert_eq!(metric("llm_tokens_total{model=\"m\",direction=\"input\"}"), Some(21.0));
    assert_eq!(metric("llm_tokens_total{model=\"m\",direction=\"output\"}"), Some(6.0));
    assert_eq!(metric("llm_cost_dollars_total{model=\"m\"}"), Some(33.0));
    assert_eq!(metric("llm_request_duration_seconds_count{model=\"m\"}"), Some(3.0));
    assert_eq!(metric("active_conversations"), Some(1.0));
    assert_eq!(metric("ambassador_attempts_total{provider=\"primary\",outcome=\"answered\"}"), Some(3.0));
    assert_eq!(metric("ambassador_requests_in_flight"), Some(0.0));
}

#[tokio::test]
async fn a_model_without_a_price_is_unknown_and_not_free() {
    let upstream = Upstream::healthy("fine").await;
    let ambassador = Ambassador::start(&alone(upstream.address, "").replace("'*'", "m"));
    assert_eq!(ambassador.chat(WHOLE).await.text(), "fine");
    until("the account", || ambassador.metric("llm_unpriced_requests_total{model=\"m\"}") == Some(1.0)).await;
    assert_eq!(ambassador.metric("llm_cost_dollars_total{model=\"m\"}"), None);
}

#[tokio::test]
async fn a_failover_is_counted_by_its_reason() {
    let fallback = Upstream::healthy("fallback").await;
    let ambassador = Ambassador::start(&with_fallback(common::refused().await, fallback.address, ""));
    assert_eq!(ambassador.chat(WHOLE).await.text(), "fallback");
    let scrape = ambassador.scrape();
    for line in [
        "ambassador_failovers_total{provider=\"primary\",reason=\"connect\"} 1",
        "ambassador_attempts_total{provider=\"primary\",outcome=\"connect\"} 1",
        "ambassador_attempts_total{provider=\"fallback\",outcome=\"answered\"} 1",
    ] {
        assert!(scrape.lines().any(|found| found == line), "{line} is not in\n{scrape}");
    }
}

#[tokio::test]
async fn labels_stay_bounded_whatever_callers_send() {
    let upstream = Upstream::healthy("fine").await;
    let ambassador = Ambassador::start(&alone(upstream.address, ""));
    for i in 0..300 {
        let model = format!("made-up-{i}\\n\\\"{}", "x".repeat(i));
        assert_eq!(ambassador.chat(&WHOLE.replace("\"m\"", &format!("\"{model}\""))).await.status, 200);
    }
    for body in ["", "{}", r#"{"model":"nobody-answers-for-this","messages":[]}"#] {
        assert_eq!(ambassador.chat(body).await.status, 400);
    }
    let scrape = ambassador.scrape();
    for series in ["llm_requests_total", "llm_tokens_total", "llm_request_duration_seconds_count"] {
        let models = labels(&scrape, series, "model");
        assert!((2..=80).contains(&models.len()), "{series}: {} models", models.len());
        assert!(models.contains("other") && !models.contains("nobody-answers-for-this"), "{series}: {models:?}");
    }
    let statuses = labels(&scrape, "llm_requests_total", "status");
    assert_eq!(statuses.into_iter().collect::<Vec<_>>(), ["error", "success"]);
    let total: f64 = scrape
        .lines()
        .filter(|line| line.starts_with("llm_requests_total{"))
        .map(|line| line.rsplit_once(' ').unwrap().1.parse::<f64>().unwrap())
        .sum();
    assert_eq!(total, 303.0, "each request is counted once");
}

#[tokio::test]
async fn no_secret_is_seen_wherever_it_comes_by() {
    const PROMPT: &str = "canary-prompt-71d3";
    const ANSWER: &str = "canary-answer-88ab";
    let refusing = format!(
        r#"{{"error":{{"message":"Incorrect API key provided: {KEY}.","type":"invalid_request_error","code":"{KEY}"}}}}"#
    );
    let leaking = Upstream::start(move |mut peer, number| {
        let refusing = refusing.clone();
        async move {
            peer.request().await;
            // A connection for each, so that its number says which it is.
            match number {
                0 => peer.respond("401 Unauthorized", "application/json", &refusing).await,
                1 => peer.respond("200 OK", "application/json", &refusing).await,
                2 => peer.respond("200 OK", "text/html", ANSWER).await,
                3 => peer.respond("500 Oh", "application/json", &format!("{{\"choices\":\"{ANSWER}\"}}")).await,
                4 => {
                    peer.begin().await;
                    peer.chunk(ROLE).await;
                    peer.chunk(&format!("data: {{\"choices\":\"{ANSWER}\"}}\n\n")).await;
                }
                _ => {
                    peer.begin().await;
                    peer.chunk(&content("x")).await;
                    peer.chunk(&format!("data: {refusing}\n\n")).await;
                    peer.chunk(DONE).await;
                }
            }
        }
    })
    .await;
    let ambassador = Ambassador::start(&alone(leaking.address, ""));
    for i in 0..6 {
        let request = if i < 4 { WHOLE } else { STREAM };
        let answer = ambassador.chat(&request.replace("Hi", PROMPT)).await;
        let error = answer.error().to_string();
        for secret in [KEY, PROMPT, ANSWER] {
            assert!(!answer.body.contains(secret) && !answer.head.contains(secret), "{i}: {secret}: {error}");
        }
    }
    for bad in [format!(r#"{{"model":"m","messages":"{PROMPT}"}}"#), format!(r#"{{"model":"m","messages":[{PROMPT}"#)] {
        assert!(!ambassador.chat(&bad).await.body.contains(PROMPT));
    }
    let scrape = ambassador.scrape();
    assert!(scrape.contains("llm_requests_total") && ![KEY, PROMPT, ANSWER].iter().any(|it| scrape.contains(it)));
    assert!(!format!("{:?}", ambassador.gateway).contains(KEY));
    let seen = leaking.seen();
    assert!(seen.iter().all(|it| it.head.contains(&format!("authorization: bearer {KEY}"))), "the key went upstream");
    assert!(seen.iter().all(|it| !it.head.contains("agents-own") && !it.body.contains("agents-own")));
}
