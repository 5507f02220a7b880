//! Anthropic's dialect: messages.

use serde_json::{Value, json};

use super::prompt::{Dialect, Event, Prompt, Tool, messages, model, text_of, tokens};
use super::reply::{Call, Finish, Reply};

pub(super) struct Anthropic;

impl Dialect for Anthropic {
    fn read(&self, request: &Value) -> Result<Prompt, String> {
        let messages = messages(request)?;
        let limit = request["max_tokens"].as_u64().ok_or("max_tokens: field required")?;
        let last = messages.last().map(|message| &message["content"]).unwrap_or(&Value::Null);
        let results = last.as_array().into_iter().flatten().filter(|block| block["type"] == "tool_result");
        let results: Vec<String> = results.map(|block| text_of(&block["content"])).collect();
        let user = messages.iter().rev().find(|message| message["role"] == "user");
        Ok(Prompt {
            model: model(request)?,
            text: user.map(|message| text_of(&message["content"])).unwrap_or_default(),
            result: (!results.is_empty()).then(|| results.join(" ")),
            tools: request["tools"].as_array().into_iter().flatten().filter_map(tool).collect(),
            limit: limit.try_into().ok(),
            stream: request["stream"] == true,
            usage: true,
            input_tokens: tokens(request),
        })
    }

    fn whole(&self, reply: &Reply) -> Value {
        let mut content = Vec::new();
        if !reply.pieces.is_empty() {
            content.push(json!({"type": "text", "text": reply.text()}));
        }
        content.extend(reply.calls.iter().map(|call| tool_use(call, call.arguments.clone())));
        let mut message = message(reply);
        message["content"] = content.into();
        message["stop_reason"] = stop_reason(reply.finish).into();
        message["usage"]["output_tokens"] = reply.output_tokens.into();
        message
    }

    fn stream(&self, reply: &Reply) -> Vec<Event> {
        let mut events = vec![framing(json!({"type": "message_start", "message": message(reply)}))];
        let mut index = 0;
        if !reply.pieces.is_empty() {
            events.push(block_start(index, json!({"type": "text", "text": ""})));
            events.push(framing(json!({"type": "ping"})));
            events.extend(reply.pieces.iter().map(|piece| delta(index, json!({"type": "text_delta", "text": piece}))));
            events.push(framing(json!({"type": "content_block_stop", "index": index})));
            index += 1;
        }
        for call in &reply.calls {
            events.push(block_start(index, tool_use(call, json!({}))));
            let arguments = call.arguments.to_string();
            let (head, tail) = arguments.split_at(arguments.floor_char_boundary(arguments.len() / 2));
            let part = |json: &str| delta(index, json!({"type": "input_json_delta", "partial_json": json}));
            // A tool without arguments has an empty part and no other.
            events.extend(if arguments == "{}" { vec![part("")] } else { vec![part(""), part(head), part(tail)] });
            events.push(framing(json!({"type": "content_block_stop", "index": index})));
            index += 1;
        }
        events.push(framing(json!({
            "type": "message_delta",
            "delta": {"stop_reason": stop_reason(reply.finish), "stop_sequence": null},
            "usage": {"output_tokens": reply.output_tokens},
        })));
        events.push(framing(json!({"type": "message_stop"})));
        events
    }

    fn refusal(&self, status: u16, message: &str) -> Value {
        let kind = match status {
            401 => "authentication_error",
            402 => "billing_error",
            403 => "permission_error",
            404 => "not_found_error",
            413 => "request_too_large",
            429 => "rate_limit_error",
            504 => "timeout_error",
            529 => "overloaded_error",
            400..=499 => "invalid_request_error",
            _ => "api_error",
        };
        json!({"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_simulated"})
    }

    fn failure(&self) -> String {
        framing(json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}})).text
    }
}

fn tool(tool: &Value) -> Option<Tool> {
    Some(Tool { name: tool["name"].as_str()?.to_owned(), schema: tool["input_schema"].clone() })
}

/// The message before there is anything in it.
fn message(reply: &Reply) -> Value {
    json!({
        "id": format!("msg_{}", reply.id),
        "type": "message",
        "role": "assistant",
        "model": reply.model,
        "content": [],
        "stop_reason": null,
        "stop_sequence": null,
        "usage": {
            "input_tokens": reply.input_tokens,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "output_tokens": 1,
            "service_tier": "standard",
        },
    })
}

fn tool_use(call: &Call, input: Value) -> Value {
    json!({"type": "tool_use", "id": format!("toolu_{}", call.id), "name": call.name, "input": input})
}

fn block_start(index: usize, block: Value) -> Event {
    framing(json!({"type": "content_block_start", "index": index, "content_block": block}))
}

fn delta(index: usize, delta: Value) -> Event {
    Event { is_content: true, ..framing(json!({"type": "content_block_delta", "index": index, "delta": delta})) }
}

fn framing(data: Value) -> Event {
    let name = data["type"].as_str().unwrap_or_default();
    Event { text: format!("event: {name}\ndata: {data}\n\n"), is_content: false }
}

const fn stop_reason(finish: Finish) -> &'static str {
    match finish {
        Finish::Stop => "end_turn",
        Finish::Length => "max_tokens",
        Finish::Tools => "tool_use",
    }
}
