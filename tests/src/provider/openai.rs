//! OpenAI's dialect: chat completions, embeddings, the list of models.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::prompt::{Dialect, Event, Prompt, Tool, messages, model, text_of, tokens};
use super::reply::{Call, Finish, Reply, embedding};

pub(super) struct OpenAi;

impl Dialect for OpenAi {
    fn read(&self, request: &Value) -> Result<Prompt, String> {
        let messages = messages(request)?;
        let last = messages.last().unwrap_or(&Value::Null);
        let is = |message: &&Value, role: &str| message.get("role").and_then(Value::as_str) == Some(role);
        let user = messages.iter().rev().find(|message| is(message, "user"));
        let limit = request.get("max_completion_tokens").or_else(|| request.get("max_tokens"));
        Ok(Prompt {
            model: model(request)?,
            text: user.map(|message| text_of(&message["content"])).unwrap_or_default(),
            result: is(&last, "tool").then(|| text_of(&last["content"])),
            tools: request["tools"].as_array().into_iter().flatten().filter_map(tool).collect(),
            limit: limit.and_then(Value::as_u64).and_then(|limit| limit.try_into().ok()),
            stream: request["stream"] == true,
            usage: request["stream_options"]["include_usage"] == true,
            input_tokens: tokens(request),
        })
    }

    fn whole(&self, reply: &Reply) -> Value {
        let text = reply.text();
        let calls: Vec<Value> = reply.calls.iter().map(whole_call).collect();
        let mut message = json!({"role": "assistant", "content": text, "refusal": null, "annotations": []});
        if !calls.is_empty() {
            message["content"] = Value::Null;
            message["tool_calls"] = calls.into();
        }
        json!({
            "id": format!("chatcmpl-{}", reply.id),
            "object": "chat.completion",
            "created": now(),
            "model": reply.model,
            "choices": [{"index": 0, "message": message, "logprobs": null, "finish_reason": finish_reason(reply.finish)}],
            "usage": usage(reply),
            "service_tier": "default",
            "system_fingerprint": null,
        })
    }

    fn stream(&self, reply: &Reply) -> Vec<Event> {
        let framing = |delta: Value, finish: Value| event(reply, json!([choice(delta, finish)]), false);
        let content = |delta: Value| event(reply, json!([choice(delta, Value::Null)]), true);
        // An answer that only calls tools opens with null instead of text.
        let opening = if reply.calls.is_empty() { json!("") } else { Value::Null };
        let mut events = vec![framing(json!({"role": "assistant", "content": opening, "refusal": null}), Value::Null)];
        events.extend(reply.pieces.iter().map(|piece| content(json!({"content": piece}))));
        for (index, call) in reply.calls.iter().enumerate() {
            events.extend(call_deltas(index, call).map(content));
        }
        events.push(framing(json!({}), finish_reason(reply.finish).into()));
        if reply.usage {
            events.push(event(reply, json!([]), false));
        }
        events.push(Event { text: "data: [DONE]\n\n".into(), is_content: false });
        events
    }

    fn refusal(&self, status: u16, message: &str) -> Value {
        let (kind, code) = match status {
            401 => ("invalid_request_error", json!("invalid_api_key")),
            404 => ("invalid_request_error", json!("model_not_found")),
            429 => ("requests", json!("rate_limit_exceeded")),
            400..=499 => ("invalid_request_error", Value::Null),
            _ => ("server_error", Value::Null),
        };
        json!({"error": {"message": message, "type": kind, "param": null, "code": code}})
    }

    fn failure(&self) -> String {
        let error = json!({"error": {"message": "The server had an error processing your request.", "type": "server_error", "param": null, "code": null}});
        format!("data: {error}\n\n")
    }
}

/// What `POST /v1/embeddings` gives for a text or a list of them.
pub(super) fn embeddings(request: &Value) -> Result<Value, String> {
    let model = model(request)?;
    let inputs = match &request["input"] {
        Value::String(text) => vec![text.clone()],
        Value::Array(texts) if !texts.is_empty() => {
            texts.iter().map(|text| text.as_str().map_or_else(|| text.to_string(), str::to_owned)).collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            return Err("input: a text or a list of texts is required".into());
        }
    };
    let dimensions = request["dimensions"].as_u64().and_then(|wanted| wanted.try_into().ok()).unwrap_or(8);
    let data = inputs.iter().enumerate().map(|(index, text)| {
        let vector = embedding(text, dimensions);
        // The Python SDK asks for base64 unless it is told otherwise.
        let vector = match request["encoding_format"].as_str() {
            Some("base64") => {
                json!(STANDARD.encode(vector.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<_>>()))
            }
            _ => json!(vector),
        };
        json!({"object": "embedding", "index": index, "embedding": vector})
    });
    let usage = json!({"prompt_tokens": tokens(request), "total_tokens": tokens(request)});
    Ok(json!({"object": "list", "model": model, "data": data.collect::<Vec<_>>(), "usage": usage}))
}

/// What `GET /v1/models` gives.
pub(super) fn models() -> Value {
    let model = |id: &str| json!({"id": id, "object": "model", "created": 1_700_000_000, "owned_by": "simulated"});
    let data = ["gpt-4o", "gpt-4o-mini", "text-embedding-3-small"].map(model);
    json!({"object": "list", "data": data})
}

fn tool(tool: &Value) -> Option<Tool> {
    let function = &tool["function"];
    Some(Tool { name: function["name"].as_str()?.to_owned(), schema: function["parameters"].clone() })
}

fn event(reply: &Reply, choices: Value, is_content: bool) -> Event {
    let mut chunk = json!({
        "id": format!("chatcmpl-{}", reply.id),
        "object": "chat.completion.chunk",
        "created": now(),
        "model": reply.model,
        "service_tier": "default",
        "system_fingerprint": null,
    });
    // With usage asked for, every chunk has the field, and the one without choices has the figures.
    if reply.usage {
        chunk["usage"] = if choices == json!([]) { usage(reply) } else { Value::Null };
    }
    chunk["choices"] = choices;
    Event { text: format!("data: {chunk}\n\n"), is_content }
}

fn choice(delta: Value, finish: Value) -> Value {
    json!({"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish})
}

fn whole_call(call: &Call) -> Value {
    json!({"id": call_id(call), "type": "function", "function": {"name": call.name, "arguments": call.arguments.to_string()}})
}

/// Name and id come first and once; the arguments follow in parts that are no JSON by themselves.
fn call_deltas(index: usize, call: &Call) -> impl Iterator<Item = Value> {
    let part = move |function: Value| json!({"tool_calls": [{"index": index, "function": function}]});
    let mut first = part(json!({"name": call.name, "arguments": ""}));
    first["tool_calls"][0]["id"] = call_id(call).into();
    first["tool_calls"][0]["type"] = "function".into();
    let arguments = call.arguments.to_string();
    let (head, tail) = arguments.split_at(arguments.floor_char_boundary(arguments.len() / 2));
    [first, part(json!({"arguments": head})), part(json!({"arguments": tail}))].into_iter()
}

fn call_id(call: &Call) -> String {
    format!("call_{}", call.id)
}

fn usage(reply: &Reply) -> Value {
    json!({
        "prompt_tokens": reply.input_tokens,
        "completion_tokens": reply.output_tokens,
        "total_tokens": reply.input_tokens + reply.output_tokens,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    })
}

const fn finish_reason(finish: Finish) -> &'static str {
    match finish {
        Finish::Stop => "stop",
        Finish::Length => "length",
        Finish::Tools => "tool_calls",
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
