//! Each provider over each fixture: what goes to it for a request in OpenAI's dialect, and what the caller gets of its
//! answers, streams and refusals, held against committed snapshots. A new provider has no snapshots and no fixtures,
//! so it fails here until it has both.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail by panicking")]

mod common;

use std::fmt::Write as _;

use ambassador_core::{
    dialect::openai::{Ask, Problem, error_body},
    exchange,
    provider::{ALL, Api, Operation, Provider},
};
use bytes::Bytes;
use common::{CREATED, carry, fixtures, model, relay, streams};
use serde_json::Value;

macro_rules! golden {
    ($name:expr, $text:expr) => {
        insta::with_settings!({
            prepend_module_to_snapshot => false, snapshot_path => "snapshots/exchange", omit_expression => true
        }, {
            insta::assert_snapshot!($name, $text);
        });
    };
}

/// JSON to be read by people, in the order that it has; anything else, and what passes untouched, as it is.
fn legible(body: &[u8]) -> String {
    match serde_json::from_slice::<Value>(body) {
        Ok(json) => serde_json::to_string_pretty(&json).unwrap(),
        Err(_) => shown(body),
    }
}

/// Text with carriage returns to be seen.
fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).replace('\r', "\\r")
}

#[test]
fn requests_become_what_each_provider_takes() {
    for (name, body) in fixtures("requests") {
        let ask = Ask::parse(Operation::Chat, &body).unwrap_or_else(|error| panic!("{name}: {error}"));
        for provider in ALL {
            let text = match exchange::prepare(provider, &ask, model(provider), true) {
                Ok(prepared) => {
                    let body = match provider.api() {
                        // To the letter: that is what passing through means.
                        Api::Same(_) => shown(&prepared.body),
                        Api::Own(_) => legible(&prepared.body),
                    };
                    format!("dropped: {:?}\n{body}", prepared.dropped)
                }
                Err(error) => format!("{error:?}"),
            };
            golden!(format!("request__{}__{name}", provider.kind()), text);
        }
    }
}

#[test]
fn a_request_that_needs_no_change_passes_to_the_byte() {
    for (name, body) in fixtures("requests") {
        let ask = Ask::parse(Operation::Chat, &body).unwrap();
        let streams = ask.stream;
        let changes = streams || body.windows(11).any(|it| it == b"\"developer\"") || name == "a_name_twice";
        for provider in ALL.into_iter().filter(|provider| matches!(provider.api(), Api::Same(_))) {
            let prepared = exchange::prepare(provider, &ask, &ask.model, true).unwrap();
            assert!(prepared.body == body || changes, "{}: {name}", provider.kind());
            assert!(prepared.dropped.is_empty());
        }
    }
}

#[test]
fn what_passes_through_loses_no_field() {
    for (name, body) in fixtures("requests") {
        let ask = Ask::parse(Operation::Chat, &body).unwrap();
        let before: Value = serde_json::from_slice(&body).unwrap();
        for provider in ALL.into_iter().filter(|provider| matches!(provider.api(), Api::Same(_))) {
            let sent = exchange::prepare(provider, &ask, model(provider), false).unwrap().body;
            let after: Value = serde_json::from_slice(&sent).unwrap();
            for (field, value) in before.as_object().unwrap() {
                let kept = match field.as_str() {
                    "model" => after[field] == model(provider),
                    "messages" => after[field].as_array().unwrap().len() == value.as_array().unwrap().len(),
                    _ => after[field] == *value,
                };
                assert!(kept, "{}: {name}: {field}", provider.kind());
            }
        }
    }
}

#[test]
fn whole_answers_become_the_callers() {
    for provider in ALL {
        for (name, body) in fixtures(&format!("{}/answers", provider.kind())) {
            let text = match exchange::answer(provider, Operation::Chat, body.clone(), CREATED) {
                Ok(answer) => {
                    let said = if answer.body == body { "as it came".to_owned() } else { legible(&answer.body) };
                    format!("model: {:?}\nusage: {:?}\n{said}", answer.model, answer.usage)
                }
                Err(error) => format!("{error:?}"),
            };
            golden!(format!("answer__{}__{name}", provider.kind()), text);
        }
    }
}

#[test]
fn streams_become_the_callers() {
    for provider in ALL {
        for (name, body) in streams(provider) {
            let carried = carry(relay(provider, true), [body.as_ref()]);
            let mut text = String::new();
            writeln!(text, "{:?}\n{:?}\n", carried.result, carried.progress).unwrap();
            text.push_str(&if carried.out == body { "as it came".to_owned() } else { shown(&carried.out) });
            golden!(format!("stream__{}__{name}", provider.kind()), text);
        }
    }
}

/// The status is the beginning of the fixture's name.
fn refused(provider: &dyn Provider, name: &str, body: &Bytes) -> Value {
    let status: u16 = name.get(..3).unwrap().parse().unwrap();
    let problem = Problem::from_refusal(status, provider.refusal(status, body));
    serde_json::from_slice(&error_body(&problem)).unwrap()
}

#[test]
fn refusals_become_errors_of_four_fields() {
    for provider in ALL {
        for (name, body) in fixtures(&format!("{}/refusals", provider.kind())) {
            let error = refused(provider, &name, &body);
            let fields: Vec<&String> = error["error"].as_object().unwrap().keys().collect();
            assert_eq!(fields, ["message", "type", "param", "code"], "{name}");
            golden!(format!("refusal__{}__{name}", provider.kind()), legible(error.to_string().as_bytes()));
        }
    }
}

/// What the fixtures of every kind have to cover; a kind may have more.
#[test]
fn every_kind_has_the_same_fixtures() {
    for provider in ALL {
        let has = |folder: &str, names: &[&str]| {
            let found: Vec<String> =
                fixtures(&format!("{}/{folder}", provider.kind())).into_iter().map(|(name, _)| name).collect();
            for name in names {
                assert!(found.iter().any(|it| it == name), "{} has no fixture {folder}/{name}", provider.kind());
            }
        };
        has("answers", &["text", "one_call", "parallel_calls", "length", "truncated"]);
        has("streams", &["text", "one_call", "parallel_calls", "length", "crlf", "error_in_the_middle"]);
    }
}

#[test]
fn an_answer_by_stream_says_what_the_whole_one_says() {
    for provider in ALL {
        for name in ["text", "one_call", "parallel_calls", "length"] {
            let body = fixture(provider, "answers", name);
            let whole = exchange::answer(provider, Operation::Chat, body, CREATED).unwrap();
            let whole: Value = serde_json::from_slice(&whole.body).unwrap();
            let streamed = carry(relay(provider, true), [fixture(provider, "streams", name).as_ref()]);
            assert_eq!(streamed.result, Ok(()));
            let finish = whole.pointer("/choices/0/finish_reason").unwrap();
            let out = String::from_utf8(streamed.out).unwrap();
            let chunks: Vec<Value> =
                out.lines().filter_map(|line| serde_json::from_str(line.strip_prefix("data: ")?).ok()).collect();
            let finishes: Vec<&Value> = chunks
                .iter()
                .filter_map(|chunk| chunk.pointer("/choices/0/finish_reason").filter(|it| !it.is_null()))
                .collect();
            assert_eq!(finishes, [finish], "{}: {name}", provider.kind());
            let calls = whole.pointer("/choices/0/message/tool_calls").and_then(Value::as_array).map_or(0, Vec::len);
            let ids = chunks.iter().filter(|chunk| chunk.pointer("/choices/0/delta/tool_calls/0/id").is_some());
            assert_eq!(ids.count(), calls, "{}: {name}", provider.kind());
        }
    }
}

fn fixture(provider: &dyn Provider, folder: &str, name: &str) -> Bytes {
    let all = fixtures(&format!("{}/{folder}", provider.kind()));
    all.into_iter().find(|(found, _)| found == name).unwrap().1
}

#[test]
fn embeddings_pass_through_where_they_are_served() {
    let asked = Bytes::from_static(br#"{ "input":["a", [1,2]], "model":"e", "encoding_format":"base64", "x": 1 }"#);
    let ask = Ask::parse(Operation::Embeddings, &asked).unwrap();
    let told = r#"{"object":"list","data":[{"object":"embedding","index":0,"embedding":"AACAPw=="}],"model":"e-1","usage":{"prompt_tokens":3,"total_tokens":3}}"#;
    for provider in ALL.into_iter().filter(|provider| provider.path(Operation::Embeddings).is_some()) {
        assert_eq!(exchange::prepare(provider, &ask, "e", true).unwrap().body, asked, "{}", provider.kind());
        let answer = exchange::answer(provider, Operation::Embeddings, told.into(), CREATED).unwrap();
        assert_eq!((answer.body.as_ref(), answer.model.as_deref()), (told.as_bytes(), Some("e-1")));
        assert_eq!(answer.usage.map(|usage| (usage.input, usage.output)), Some((3, 0)));
        let error = Bytes::from_static(br#"{"object":"error","message":"no such model","code":404}"#);
        assert!(exchange::answer(provider, Operation::Embeddings, error, CREATED).is_err(), "{}", provider.kind());
    }
}
