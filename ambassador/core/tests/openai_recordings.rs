//! True traffic of OpenAI and of vendors with its API, recorded by other projects: streams and answers pass unchanged,
//! refusals become errors that every SDK can read, and the requests can be put to Anthropic or are refused by name.
//! Where the recordings are absent the tests say so and pass, unless `REQUIRE_ALL=1`.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail by panicking")]

mod common;

use std::fs;

use ambassador_core::{
    chat::Usage,
    dialect::openai::{Ask, Problem, error_body},
    exchange::{self, CannotPrepare},
    provider::{Anthropic, OPENAI, OPENAI_COMPATIBLE, Operation, Provider},
};
use bytes::Bytes;
use common::{CREATED, carry, recordings, relay};
use serde_json::Value;

struct Exchange {
    name: String,
    provider: &'static dyn Provider,
    request: Bytes,
    status: u16,
    answer: Answer,
}

enum Answer {
    Whole(Value),
    Stream(String),
}

/// Every exchange of chat completions.
fn exchanges() -> Vec<Exchange> {
    let Some(folder) = recordings() else { return Vec::new() };
    let mut all = Vec::new();
    for (file, provider) in [("openai_chat", &OPENAI as &dyn Provider), ("compat_chat", &OPENAI_COMPATIBLE)] {
        let lines = fs::read_to_string(folder.join(format!("pydantic-ai/{file}.jsonl"))).unwrap();
        for line in lines.lines() {
            let exchange: Value = serde_json::from_str(line).unwrap();
            if exchange["request"].is_null() {
                continue;
            }
            all.push(Exchange {
                name: format!("{file}: {}", exchange["id"].as_str().unwrap()),
                provider,
                request: exchange["request"].to_string().into(),
                status: exchange["status"].as_u64().unwrap().try_into().unwrap(),
                answer: match exchange["response_text"].as_str() {
                    Some(text) => Answer::Stream(text.to_owned()),
                    None => Answer::Whole(exchange["response"].clone()),
                },
            });
        }
    }
    assert!(all.len() > 80, "only {} exchanges", all.len());
    all
}

/// Streams of vendors that were recorded without their requests: one chunk a line, or as they came.
fn more_streams() -> Vec<(String, String)> {
    let Some(folder) = recordings() else { return Vec::new() };
    let read = |file: &str| fs::read_to_string(folder.join(file)).unwrap();
    let mistral = "vercel-ai/mistral/mistral-text.chunks.txt";
    let chunks: String =
        read(mistral).lines().filter(|line| !line.is_empty()).map(|line| format!("data: {line}\n\n")).collect();
    let fallback = "vercel-ai/openai-compatible/anthropic-fallback-tool-call.sse";
    vec![(mistral.to_owned(), chunks), (fallback.to_owned(), read(fallback))]
}

/// The `data` of each event that has some.
fn data(stream: &str) -> Vec<&str> {
    stream.lines().filter_map(|line| line.strip_prefix("data:")).map(str::trim).collect()
}

fn is_usage_alone(data: &str) -> bool {
    let chunk: Value = serde_json::from_str(data).unwrap_or_default();
    chunk["choices"].as_array().is_some_and(Vec::is_empty) && chunk["usage"].is_object()
}

#[test]
fn recorded_streams_pass_unchanged_and_end_well() {
    let recorded = exchanges().into_iter().filter_map(|exchange| match exchange.answer {
        Answer::Stream(text) if exchange.status == 200 => Some((exchange.name, text)),
        Answer::Stream(_) | Answer::Whole(_) => None,
    });
    let mut seen = 0;
    for (name, text) in recorded.chain(more_streams()) {
        seen += 1;
        for include_usage in [true, false] {
            for size in [text.len(), 1000, 7] {
                let carried = carry(relay(&OPENAI_COMPATIBLE, include_usage), text.as_bytes().chunks(size));
                assert_eq!(carried.result, Ok(()), "{name}");
                let out = String::from_utf8(carried.out).unwrap();
                let mut expected = data(&text);
                expected.retain(|data| include_usage || !is_usage_alone(data));
                if expected.last() != Some(&"[DONE]") {
                    expected.push("[DONE]");
                }
                assert_eq!(data(&out), expected, "{name}");
                // Nothing but a stream's first comments and what was not asked for is left out.
                let whole = include_usage && text.ends_with("data: [DONE]\n\n") && text.starts_with("data:");
                assert!(!whole || out == text, "{name}");
                assert!(carried.progress.content && carried.progress.finished, "{name}");
                assert_eq!(carried.progress.usage, last_usage(&text), "{name}");
            }
        }
    }
    assert!(seen == 0 || seen > 10, "only {seen} streams");
}

/// The last usage of a stream, read by hand.
fn last_usage(text: &str) -> Option<Usage> {
    let chunks = data(text).into_iter().filter_map(|data| serde_json::from_str::<Value>(data).ok());
    chunks.filter_map(|chunk| usage(&chunk)).reduce(|_, later| later)
}

fn usage(answer: &Value) -> Option<Usage> {
    let usage = answer.get("usage").filter(|usage| usage.is_object())?;
    let count = |pointer: &str| usage.pointer(pointer).and_then(Value::as_u64).unwrap_or(0);
    Some(Usage {
        input: count("/prompt_tokens"),
        cached: count("/prompt_tokens_details/cached_tokens"),
        cache_written: 0,
        output: count("/completion_tokens"),
        reasoning: count("/completion_tokens_details/reasoning_tokens"),
    })
}

#[test]
fn recorded_streams_that_are_cut_never_end_well() {
    for Exchange { name, answer, .. } in exchanges() {
        let Answer::Stream(text) = answer else { continue };
        let reason = text.match_indices("\"finish_reason\":").find(|(at, found)| {
            text.get(at + found.len()..).is_some_and(|rest| !rest.trim_start().starts_with("null"))
        });
        let (over, _) = reason.unwrap();
        for at in (0..over).step_by(199) {
            let carried = carry(relay(&OPENAI, true), [text.as_bytes().get(..at).unwrap()]);
            assert!(carried.result.is_err(), "{name}: {at}");
        }
    }
}

#[test]
fn recorded_answers_pass_unchanged() {
    let mut seen = 0;
    for Exchange { name, provider, status, answer, .. } in exchanges() {
        let Answer::Whole(json) = answer else { continue };
        // Some report their failures with a 200 and an error in it; one answers with something else altogether.
        if status != 200 || json.get("choices").is_none() {
            let said = exchange::answer(provider, Operation::Chat, json.to_string().into(), CREATED);
            assert!(said.is_err(), "{name}");
            continue;
        }
        seen += 1;
        for body in [json.to_string(), format!("{json:#}")] {
            let body = Bytes::from(body);
            let passed = exchange::answer(provider, Operation::Chat, body.clone(), CREATED)
                .unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(passed.body, body, "{name}");
            assert_eq!(passed.model.as_deref(), json["model"].as_str(), "{name}");
            assert_eq!(passed.usage, usage(&json), "{name}");
        }
    }
    assert!(seen == 0 || seen > 70, "only {seen} answers");
}

#[test]
fn recorded_refusals_become_errors_that_every_sdk_reads() {
    let mut seen = 0;
    for Exchange { name, provider, status, answer, .. } in exchanges() {
        let Answer::Whole(json) = answer else { continue };
        let Some(said) = json.get("error").filter(|error| !error.is_null()) else { continue };
        seen += 1;
        let refusal = provider.refusal(status, json.to_string().as_bytes());
        let error: Value = serde_json::from_slice(&error_body(&Problem::from_refusal(status, refusal))).unwrap();
        let error = error["error"].as_object().unwrap();
        assert_eq!(error.keys().collect::<Vec<_>>(), ["message", "type", "param", "code"], "{name}");
        assert_eq!(error["message"], said["message"], "{name}");
        assert!(error["type"].is_string(), "{name}");
        for field in ["param", "code"] {
            assert!(error[field].is_string() || error[field].is_null(), "{name}: {field}");
        }
    }
    assert!(seen == 0 || seen >= 3, "only {seen} refusals");
}

#[test]
fn recorded_requests_can_be_put_to_anthropic_or_are_refused_by_name() {
    let mut refused = Vec::new();
    let mut seen = 0;
    for Exchange { name, provider, request, .. } in exchanges() {
        seen += 1;
        let ask = Ask::parse(Operation::Chat, &request).unwrap_or_else(|error| panic!("{name}: {error}"));
        match exchange::prepare(&Anthropic, &ask, "claude-sonnet-4-5", true) {
            Ok(prepared) => {
                let body: Value = serde_json::from_slice(&prepared.body).unwrap();
                assert!(body["messages"].as_array().is_some_and(|turns| !turns.is_empty()), "{name}");
                assert!(body["max_tokens"].is_u64(), "{name}");
            }
            Err(CannotPrepare::Inexpressible(error)) => {
                assert!(!error.param.is_empty() && !error.message.is_empty(), "{name}");
                refused.push(error.param);
            }
            // What OpenAI took is valid. Others take more than it does: tools without a type, for one.
            Err(CannotPrepare::Invalid(error)) => {
                assert!(provider.kind() != "openai" && error.param.is_some(), "{name}: {error}");
            }
        }
    }
    assert!(refused.len() * 5 <= seen, "{} of {seen} requests cannot be put: {refused:?}", refused.len());
}

#[test]
fn recorded_requests_pass_through_with_every_field() {
    for Exchange { name, provider, request, .. } in exchanges() {
        let ask = Ask::parse(Operation::Chat, &request).unwrap();
        let same = exchange::prepare(provider, &ask, &ask.model, false).unwrap();
        let before: Value = serde_json::from_slice(&request).unwrap();
        let after: Value = serde_json::from_slice(&same.body).unwrap();
        for (field, value) in before.as_object().unwrap() {
            // The one thing that engines are spared is a role of OpenAI's own; its models, the old name of a limit.
            let changed = field == "messages" && value.to_string().contains("\"developer\"") || field == "max_tokens";
            assert!(changed || after[field] == *value, "{name}: {field}");
        }
    }
}
