//! Whole answers.

use serde::Serialize;

use crate::{
    chat::{Finish, Response, ToolCall},
    wire::openai::Usage,
};

#[derive(Serialize)]
struct Completion<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    model: &'a str,
    choices: [Choice<'a>; 1],
    usage: Usage,
}

#[derive(Serialize)]
struct Choice<'a> {
    index: usize,
    message: Message<'a>,
    logprobs: Option<()>,
    finish_reason: &'static str,
}

#[derive(Serialize)]
struct Message<'a> {
    role: &'static str,
    content: Option<&'a str>,
    refusal: Option<&'a str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    reasoning_content: &'a str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tool_calls: Vec<Call<'a>>,
}

#[derive(Serialize)]
struct Call<'a> {
    id: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    function: Function<'a>,
}

#[derive(Serialize)]
struct Function<'a> {
    name: &'a str,
    arguments: &'a str,
}

/// The JSON of a whole answer; `created` is the time in seconds since 1970.
#[must_use]
pub fn answer(response: &Response, created: u64) -> Vec<u8> {
    // OpenAI says `null` where calls take the place of text, and an empty text where there simply is none.
    let silent = response.text.is_empty() && (!response.calls.is_empty() || response.refusal.is_some());
    let completion = Completion {
        id: &response.id,
        object: "chat.completion",
        created,
        model: &response.model,
        choices: [Choice {
            index: 0,
            message: Message {
                role: "assistant",
                content: (!silent).then_some(response.text.as_str()),
                refusal: response.refusal.as_deref(),
                reasoning_content: &response.reasoning,
                tool_calls: response.calls.iter().map(call).collect(),
            },
            logprobs: None,
            finish_reason: finish_reason(response.finish),
        }],
        usage: response.usage.into(),
    };
    // Strings and numbers always serialise.
    serde_json::to_vec(&completion).unwrap_or_default()
}

fn call(call: &ToolCall) -> Call<'_> {
    Call { id: &call.id, kind: "function", function: Function { name: &call.name, arguments: &call.arguments } }
}

pub(super) fn finish_reason(finish: Finish) -> &'static str {
    match finish {
        Finish::Stop => "stop",
        Finish::Length => "length",
        Finish::ToolCalls => "tool_calls",
        Finish::ContentFilter => "content_filter",
    }
}
