//! True traffic of Anthropic's API, recorded by other projects: each answer is decoded here and picked apart again by
//! simpler means, and both must agree. Where the recordings are absent the tests say so and pass, unless `REQUIRE_ALL=1`.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail by panicking")]

mod common;

use std::{collections::BTreeMap, fs};

use ambassador_core::{
    chat::{Event, Finish, Response, Usage},
    provider::{Anthropic, StreamError, Translator},
};
use common::recordings;
use serde_json::Value;

/// Name, and the JSON of a whole answer or the events of a stream.
enum Recorded {
    Whole(String, Value),
    Stream(String, Vec<String>),
}

fn recorded() -> Vec<Recorded> {
    let Some(folder) = recordings() else { return Vec::new() };
    let mut all = Vec::new();
    for line in fs::read_to_string(folder.join("pydantic-ai/anthropic_messages.jsonl")).unwrap().lines() {
        let exchange: Value = serde_json::from_str(line).unwrap();
        if exchange["status"] != 200 {
            continue;
        }
        let name = exchange["id"].as_str().unwrap().to_owned();
        all.push(match exchange["response_text"].as_str() {
            Some(text) => {
                let data = text.lines().filter_map(|line| line.strip_prefix("data:"));
                Recorded::Stream(name, data.map(str::to_owned).collect())
            }
            None => Recorded::Whole(name, exchange["response"].clone()),
        });
    }
    for entry in fs::read_dir(folder.join("vercel-ai/anthropic")).unwrap() {
        let path = entry.unwrap().path();
        let (name, text) = (path.display().to_string(), fs::read_to_string(&path).unwrap());
        all.push(if name.ends_with(".json") {
            Recorded::Whole(name, serde_json::from_str(&text).unwrap())
        } else {
            Recorded::Stream(name, text.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect())
        });
    }
    assert!(all.len() > 50, "only {} recordings", all.len());
    all
}

/// What an answer says, as both ways of reading it have it.
#[derive(Debug, PartialEq)]
struct Said {
    id: String,
    model: String,
    text: String,
    reasoning: String,
    calls: Vec<(String, String, Value)>,
    finish: Finish,
    usage: Usage,
}

impl From<Response> for Said {
    fn from(response: Response) -> Self {
        let calls =
            response.calls.into_iter().map(|call| (call.id, call.name, serde_json::from_str(&call.arguments).unwrap()));
        Self {
            id: response.id,
            model: response.model,
            text: response.text,
            reasoning: response.reasoning,
            calls: calls.collect(),
            finish: response.finish,
            usage: response.usage,
        }
    }
}

/// Reads a message by hand.
fn said(message: &Value) -> Said {
    let blocks = message["content"].as_array().unwrap();
    let joined = |kind: &str, field: &str| -> String {
        blocks.iter().filter(|block| block["type"] == kind).map(|block| block[field].as_str().unwrap()).collect()
    };
    let calls = blocks.iter().filter(|block| block["type"] == "tool_use").map(|block| {
        (block["id"].as_str().unwrap().to_owned(), block["name"].as_str().unwrap().to_owned(), block["input"].clone())
    });
    let count = |pointer: &str| message.pointer(&format!("/usage/{pointer}")).and_then(Value::as_u64).unwrap_or(0);
    let (cached, cache_written) = (count("cache_read_input_tokens"), count("cache_creation_input_tokens"));
    Said {
        id: message["id"].as_str().unwrap().to_owned(),
        model: message["model"].as_str().unwrap().to_owned(),
        text: joined("text", "text"),
        reasoning: joined("thinking", "thinking"),
        calls: calls.collect(),
        finish: match message["stop_reason"].as_str().unwrap() {
            "end_turn" | "pause_turn" | "stop_sequence" => Finish::Stop,
            "tool_use" => Finish::ToolCalls,
            "max_tokens" => Finish::Length,
            other => panic!("{other}"),
        },
        usage: Usage {
            input: count("input_tokens") + cached + cache_written,
            cached,
            cache_written,
            output: count("output_tokens"),
            reasoning: count("output_tokens_details/thinking_tokens"),
        },
    }
}

/// The message that a stream amounts to, put together by hand.
fn assembled(events: &[String]) -> Value {
    let mut message = Value::Null;
    let mut blocks: BTreeMap<u64, Value> = BTreeMap::new();
    for event in events {
        let event: Value = serde_json::from_str(event).unwrap();
        let index = event["index"].as_u64().unwrap_or(0);
        match event["type"].as_str().unwrap() {
            "message_start" => message = event["message"].clone(),
            "content_block_start" => {
                let mut block = event["content_block"].clone();
                block["json"] = "".into();
                blocks.insert(index, block);
            }
            "content_block_delta" => {
                let block = blocks.get_mut(&index).unwrap();
                for (field, from) in [("text", "text"), ("thinking", "thinking"), ("json", "partial_json")] {
                    if let Some(piece) = event["delta"][from].as_str() {
                        block[field] = format!("{}{piece}", block[field].as_str().unwrap()).into();
                    }
                }
            }
            "message_delta" => {
                message["stop_reason"] = event["delta"]["stop_reason"].clone();
                for (name, count) in event["usage"].as_object().unwrap() {
                    message["usage"][name] = count.clone();
                }
            }
            _ => {}
        }
    }
    for block in blocks.values_mut().filter(|block| block["json"] != "") {
        block["input"] = serde_json::from_str(block["json"].as_str().unwrap()).unwrap();
    }
    message["content"] = blocks.into_values().collect();
    message
}

/// Decodes a stream and checks its form on the way.
fn streamed(events: &[String]) -> Result<Said, StreamError> {
    let mut decoder = Anthropic.events();
    let mut out = Vec::new();
    for event in events {
        decoder.event(event.as_bytes(), &mut out)?;
    }
    let count = |wanted: fn(&Event) -> bool| out.iter().filter(|event| wanted(event)).count();
    assert_eq!(count(|event| matches!(event, Event::Start { .. })), 1);
    assert_eq!(count(|event| matches!(event, Event::Finish(_))), 1);
    assert_eq!(count(|event| matches!(event, Event::End)), 1);
    assert!(matches!((out.first(), out.last()), (Some(Event::Start { .. }), Some(Event::End))));

    let mut said = Said {
        id: String::new(),
        model: String::new(),
        text: String::new(),
        reasoning: String::new(),
        calls: Vec::new(),
        finish: Finish::Stop,
        usage: Usage::default(),
    };
    let mut arguments: Vec<String> = Vec::new();
    for event in out {
        match event {
            Event::Start { id, model } => (said.id, said.model) = (id, model),
            Event::Text(piece) => said.text.push_str(&piece),
            Event::Reasoning(piece) => said.reasoning.push_str(&piece),
            Event::CallStart { index, id, name } => {
                assert_eq!(index, said.calls.len());
                said.calls.push((id, name, Value::Null));
                arguments.push(String::new());
            }
            Event::CallArguments { index, fragment } => arguments[index].push_str(&fragment),
            Event::Refusal(why) => panic!("a refusal: {why}"),
            Event::Finish(finish) => said.finish = finish,
            Event::Usage(usage) => said.usage = usage,
            Event::End => {}
        }
    }
    for (call, arguments) in said.calls.iter_mut().zip(arguments) {
        call.2 = serde_json::from_str(&arguments).unwrap();
    }
    Ok(said)
}

#[test]
fn every_recorded_answer_is_read_as_it_was_meant() {
    for recorded in recorded() {
        match recorded {
            Recorded::Whole(name, message) => {
                // Recorders sort or indent what they keep; either way it is the same message.
                for body in [message.to_string(), format!("{message:#}")] {
                    let response = Anthropic.decode(body.as_bytes()).unwrap_or_else(|e| panic!("{name}: {e}"));
                    assert_eq!(Said::from(response), said(&message), "{name}");
                }
            }
            Recorded::Stream(name, events) => {
                let decoded = streamed(&events).unwrap_or_else(|e| panic!("{name}: {e}"));
                assert_eq!(decoded, said(&assembled(&events)), "{name}");
            }
        }
    }
}

#[test]
fn a_recorded_stream_that_is_cut_anywhere_never_ends_well() {
    for recorded in recorded() {
        let Recorded::Stream(name, events) = recorded else { continue };
        let mut decoder = Anthropic.events();
        let mut out = Vec::new();
        for event in &events {
            let cut = event.trim_end();
            for at in (0..cut.len()).filter(|at| cut.is_char_boundary(*at)).step_by(7) {
                let mut fresh = Anthropic.events();
                assert!(fresh.event(&cut.as_bytes()[..at], &mut Vec::new()).is_err(), "{name}: {}", &cut[..at]);
            }
            assert!(!out.contains(&Event::End), "{name}");
            decoder.event(event.as_bytes(), &mut out).unwrap();
        }
    }
}
