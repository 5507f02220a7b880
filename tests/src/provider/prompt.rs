//! What is asked of a model, in no dialect; and what a dialect has to offer.

use serde_json::Value;

use super::reply::Reply;

/// What a simulated model takes note of.
#[derive(Debug, Default)]
pub(super) struct Prompt {
    pub model: String,
    /// The last thing that the user said.
    pub text: String,
    /// What a tool returned, when that is the last message.
    pub result: Option<String>,
    pub tools: Vec<Tool>,
    /// Most tokens that the answer may have.
    pub limit: Option<usize>,
    pub stream: bool,
    /// The stream is to close with the usage. Anthropic's always does.
    pub usage: bool,
    pub input_tokens: usize,
}

/// A tool that the agent offers.
#[derive(Debug)]
pub(super) struct Tool {
    pub name: String,
    /// JSON Schema of its arguments.
    pub schema: Value,
}

/// One server-sent event, its blank line included.
#[derive(Debug)]
pub(super) struct Event {
    pub text: String,
    /// It carries content, as opposed to what frames it.
    pub is_content: bool,
}

/// How a vendor words what all of them say.
pub(super) trait Dialect: Sync {
    /// The prompt, or what is wrong with the request.
    fn read(&self, request: &Value) -> Result<Prompt, String>;
    fn whole(&self, reply: &Reply) -> Value;
    fn stream(&self, reply: &Reply) -> Vec<Event>;
    fn refusal(&self, status: u16, message: &str) -> Value;
    /// The event that says, within a stream, that the provider failed.
    fn failure(&self) -> String;
}

/// A content that is text or a list of parts, some of them text.
pub(super) fn text_of(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => {
            parts.iter().filter_map(|part| part.get("text").and_then(Value::as_str)).collect::<Vec<_>>().join(" ")
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => String::new(),
    }
}

/// The messages of a request, of which there must be one at least.
pub(super) fn messages(request: &Value) -> Result<&[Value], String> {
    match request.get("messages").and_then(Value::as_array) {
        Some(messages) if !messages.is_empty() => Ok(messages),
        _ => Err("messages: at least one message is required".into()),
    }
}

/// The model of a request.
pub(super) fn model(request: &Value) -> Result<String, String> {
    request.get("model").and_then(Value::as_str).map(str::to_owned).ok_or_else(|| "model: field required".into())
}

/// A plausible count of tokens: four characters each.
pub(super) fn tokens(request: &Value) -> usize {
    let messages = request.get("messages").or_else(|| request.get("input")).map(Value::to_string).unwrap_or_default();
    messages.len().div_ceil(4)
}
