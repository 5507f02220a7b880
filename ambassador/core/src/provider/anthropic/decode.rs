//! Whole answers: from a message of this API to the canonical model.

use super::arguments::from_input;
use crate::{
    chat::{Finish, Response, ToolCall, Usage},
    provider::{Malformed, NoAnswer},
    wire::{
        anthropic::{self as wire, Typed},
        reason::reason,
    },
};
use serde::Deserialize;
use serde_json::value::RawValue;

pub(super) fn decode(body: &[u8]) -> Result<Response, NoAnswer> {
    let Typed { kind } = read(body)?;
    if kind == "error" {
        // It happens with a 200 in front of it, where a proxy or the vendor gave up late.
        return Err(NoAnswer::Refused(super::read_refusal(body)));
    }
    if kind != "message" {
        return Err(Malformed("the body is not a message".to_owned()).into());
    }
    let message: wire::Message<'_> = read(body)?;
    let mut response = Response {
        id: message.id,
        model: message.model,
        text: String::new(),
        reasoning: String::new(),
        refusal: None,
        calls: Vec::new(),
        finish: Finish::Stop,
        usage: usage(&message.usage),
    };
    for block in message.content {
        let block = block.get().as_bytes();
        let Typed { kind } = read(block)?;
        match kind.as_ref() {
            "text" => response.text.push_str(&read::<wire::Text>(block)?.text),
            "thinking" => response.reasoning.push_str(&read::<wire::Thought>(block)?.thinking),
            "tool_use" => {
                let call: wire::ToolUse<'_> = read(block)?;
                let arguments = call
                    .input
                    .and_then(from_input)
                    .ok_or_else(|| Malformed("a call whose input is no object".to_owned()))?;
                response.calls.push(ToolCall { id: call.id, name: call.name, arguments });
            }
            // What the provider's own tools did is none of the caller's business: it could not answer such a call.
            _ => {}
        }
    }
    let stop_reason = message.stop_reason.ok_or_else(|| Malformed("an answer without a stop_reason".to_owned()))?;
    response.finish = finish(&stop_reason, !response.calls.is_empty());
    if response.finish == Finish::ContentFilter {
        response.refusal = message.stop_details.and_then(explanation);
    }
    Ok(response)
}

/// Reads one type out of JSON text.
pub(super) fn read<'a, T: Deserialize<'a>>(json: &'a [u8]) -> Result<T, Malformed> {
    serde_json::from_slice(json).map_err(|error| Malformed(reason(&error)))
}

/// What a stop reason says. One that is not known ends an answer like any other: calls, if there are any, wait.
pub(super) fn finish(stop_reason: &str, called: bool) -> Finish {
    match stop_reason {
        "end_turn" | "stop_sequence" | "pause_turn" => Finish::Stop,
        "max_tokens" | "model_context_window_exceeded" => Finish::Length,
        "tool_use" => Finish::ToolCalls,
        "refusal" => Finish::ContentFilter,
        _ if called => Finish::ToolCalls,
        _ => Finish::Stop,
    }
}

/// Why the model declined, in words. Details that cannot be read make no answer worse.
pub(super) fn explanation(details: &RawValue) -> Option<String> {
    read::<Option<wire::StopDetails>>(details.get().as_bytes()).ok()??.explanation
}

/// Token counts as OpenAI counts: those of the cache are part of the input.
pub(super) fn usage(usage: &wire::Usage) -> Usage {
    let cached = usage.cache_read_input_tokens.unwrap_or_default();
    let cache_written = usage.cache_creation_input_tokens.unwrap_or_default();
    Usage {
        input: usage.input_tokens.unwrap_or_default().saturating_add(cached).saturating_add(cache_written),
        cached,
        cache_written,
        output: usage.output_tokens.unwrap_or_default(),
        reasoning: usage.output_tokens_details.and_then(|details| details.thinking_tokens).unwrap_or_default(),
    }
}
