//! OpenAI's Chat Completions API. Shapes that are read borrow from the body; unknown fields are left alone.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, value::RawValue};

use crate::{chat, provider::Refusal};

/// A message of a request.
#[derive(Deserialize)]
#[allow(missing_docs, reason = "the API's own names")]
pub struct Message {
    pub role: Role,
    #[serde(default)]
    pub content: Option<Content>,
    #[serde(default)]
    pub refusal: Option<String>,
    #[serde(default)]
    pub tool_calls: Option<Vec<ToolCall>>,
    #[serde(default)]
    pub tool_call_id: Option<String>,
}

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the API's own names")]
pub enum Role {
    System,
    Developer,
    User,
    Assistant,
    Tool,
}

/// A message's content.
#[derive(Deserialize)]
#[serde(untagged, expecting = "a string or a list of content parts")]
#[allow(missing_docs, reason = "the API's own names")]
pub enum Content {
    Text(String),
    Parts(Vec<Part>),
}

/// A part of a message's content.
#[derive(Deserialize)]
#[allow(missing_docs, reason = "the API's own names")]
pub struct Part {
    #[serde(rename = "type")]
    pub kind: String,
    #[serde(default)]
    pub text: Option<String>,
    #[serde(default)]
    pub refusal: Option<String>,
    #[serde(default)]
    pub image_url: Option<ImageUrl>,
}

/// Where an image is, or the image itself as a data URL.
#[derive(Deserialize)]
#[allow(missing_docs, reason = "the API's own names")]
pub struct ImageUrl {
    pub url: String,
}

/// A call in an assistant's message.
#[derive(Deserialize)]
#[allow(missing_docs, reason = "the API's own names")]
pub struct ToolCall {
    pub id: String,
    pub function: FunctionCall,
}

/// The function that a call names.
#[derive(Deserialize)]
#[allow(missing_docs, reason = "the API's own names")]
pub struct FunctionCall {
    pub name: String,
    #[serde(default)]
    pub arguments: String,
}

/// A tool of a request.
#[derive(Deserialize)]
#[allow(missing_docs, reason = "the API's own names")]
pub struct Tool {
    #[serde(rename = "type")]
    pub kind: String,
    #[serde(default)]
    pub function: Option<Function>,
}

/// A function that the model may call.
#[derive(Deserialize)]
#[allow(missing_docs, reason = "the API's own names")]
pub struct Function {
    pub name: String,
    #[serde(default)]
    pub description: Option<String>,
    #[serde(default)]
    pub parameters: Option<Map<String, Value>>,
    #[serde(default)]
    pub strict: Option<bool>,
}

/// How to choose among the tools.
#[derive(Deserialize)]
#[serde(untagged, expecting = "`auto`, `none`, `required` or a named function")]
#[allow(missing_docs, reason = "the API's own names")]
pub enum ToolChoice {
    Mode(String),
    Named { function: NamedFunction },
}

/// The function that must be called.
#[derive(Deserialize)]
#[allow(missing_docs, reason = "the API's own names")]
pub struct NamedFunction {
    pub name: String,
}

/// The wanted shape of the answer.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
#[allow(missing_docs, reason = "the API's own names")]
pub enum ResponseFormat {
    Text,
    JsonObject,
    JsonSchema { json_schema: JsonSchema },
}

/// A JSON Schema with a name.
#[derive(Deserialize)]
#[allow(missing_docs, reason = "the API's own names")]
pub struct JsonSchema {
    pub name: String,
    #[serde(default)]
    pub schema: Map<String, Value>,
    #[serde(default)]
    pub strict: Option<bool>,
}

/// Options of a stream.
#[derive(Default, Deserialize)]
#[allow(missing_docs, reason = "the API's own names")]
pub struct StreamOptions {
    #[serde(default)]
    pub include_usage: Option<bool>,
}

/// Tokens of an exchange.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[allow(missing_docs, reason = "the API's own names")]
pub struct Usage {
    #[serde(default)]
    pub prompt_tokens: u64,
    #[serde(default)]
    pub completion_tokens: u64,
    #[serde(default)]
    pub total_tokens: u64,
    #[serde(default)]
    pub prompt_tokens_details: Option<PromptDetails>,
    #[serde(default)]
    pub completion_tokens_details: Option<CompletionDetails>,
}

/// Of the prompt's tokens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[allow(missing_docs, reason = "the API's own names")]
pub struct PromptDetails {
    #[serde(default)]
    pub cached_tokens: Option<u64>,
}

/// Of the completion's tokens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[allow(missing_docs, reason = "the API's own names")]
pub struct CompletionDetails {
    #[serde(default)]
    pub reasoning_tokens: Option<u64>,
}

impl From<Usage> for chat::Usage {
    fn from(usage: Usage) -> Self {
        Self {
            input: usage.prompt_tokens,
            cached: usage.prompt_tokens_details.and_then(|details| details.cached_tokens).unwrap_or(0),
            cache_written: 0,
            output: usage.completion_tokens,
            reasoning: usage.completion_tokens_details.and_then(|details| details.reasoning_tokens).unwrap_or(0),
        }
    }
}

impl From<chat::Usage> for Usage {
    fn from(usage: chat::Usage) -> Self {
        Self {
            prompt_tokens: usage.input,
            completion_tokens: usage.output,
            total_tokens: usage.input.saturating_add(usage.output),
            prompt_tokens_details: Some(PromptDetails { cached_tokens: Some(usage.cached) }),
            completion_tokens_details: Some(CompletionDetails { reasoning_tokens: Some(usage.reasoning) }),
        }
    }
}

/// What is looked at in an answer that passes through, whole or one chunk of it.
#[derive(Deserialize)]
#[allow(missing_docs, reason = "the API's own names")]
pub struct Passing<'a> {
    #[serde(borrow, default)]
    pub object: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub model: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub choices: Option<Vec<PassingChoice<'a>>>,
    #[serde(borrow, default)]
    pub usage: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub error: Option<&'a RawValue>,
}

impl Passing<'_> {
    /// What the exchange cost, if it says so. Accounts that cannot be read make no answer worse: they are unknown.
    #[must_use]
    pub fn usage(&self) -> Option<chat::Usage> {
        serde_json::from_str::<Option<Usage>>(self.usage?.get()).ok().flatten().map(Into::into)
    }

    /// The failure that it reports instead of an answer. `json` is what it was read from: engines of an older day
    /// report theirs at the top of it.
    #[must_use]
    pub fn refusal(&self, json: &[u8]) -> Option<Refusal> {
        let error = match self.error.filter(|error| error.get() != "null") {
            Some(error) => error.get().as_bytes(),
            None if self.object.is_some_and(|object| object.get() == "\"error\"") => json,
            None => return None,
        };
        Some(refusal(&serde_json::from_slice(error).unwrap_or_default()))
    }
}

/// What is looked at in a choice.
#[derive(Deserialize)]
#[allow(missing_docs, reason = "the API's own names")]
pub struct PassingChoice<'a> {
    #[serde(default)]
    pub index: Option<u64>,
    #[serde(borrow, default)]
    pub delta: Option<PassingDelta<'a>>,
    #[serde(borrow, default)]
    pub finish_reason: Option<&'a RawValue>,
}

/// What is looked at in a delta: whether it says anything.
#[derive(Deserialize)]
#[allow(missing_docs, reason = "the API's own names")]
pub struct PassingDelta<'a> {
    #[serde(borrow, default)]
    pub content: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub refusal: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub reasoning: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub reasoning_content: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub tool_calls: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub function_call: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub audio: Option<&'a RawValue>,
}

impl PassingDelta<'_> {
    /// Whether the delta carries content, and is not only an announcement of it.
    #[must_use]
    pub fn speaks(&self) -> bool {
        [
            self.content,
            self.refusal,
            self.reasoning,
            self.reasoning_content,
            self.tool_calls,
            self.function_call,
            self.audio,
        ]
        .into_iter()
        .flatten()
        .any(|value| !matches!(value.get(), "null" | "\"\"" | "[]" | "{}"))
    }
}

/// The error of an answer. The vendors agree on no type for `code` (vLLM sends integers), and some send a string
/// where the object belongs.
#[must_use]
pub fn refusal(error: &Value) -> Refusal {
    let text = |name: &str| match error.get(name) {
        Some(Value::String(text)) => Some(text.clone()),
        Some(Value::Number(number)) => Some(number.to_string()),
        _ => None,
    };
    Refusal {
        message: error.as_str().map(str::to_owned).or_else(|| text("message")).unwrap_or_default(),
        kind: text("type"),
        code: text("code"),
        param: text("param"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_beyond_all_counting_are_the_most_there_is() {
        let usage = Usage::from(chat::Usage { input: u64::MAX, output: 2, ..chat::Usage::default() });
        assert_eq!(usage.total_tokens, u64::MAX);
    }
}
