//! Requests to Anthropic as tests put them together, and what becomes of them.

use ambassador_core::{
    chat::{Message, Part, Request, Tool, ToolCall},
    provider::{Anthropic, Inexpressible, Translator},
};
use serde_json::{Map, Value};

pub(crate) const SONNET: &str = "claude-sonnet-4-5";
/// Thinks as it sees fit and takes no sampling parameters.
pub(crate) const OPUS: &str = "claude-opus-4-8";

pub(crate) fn encode(request: &Request, model: &str) -> Result<(Value, Vec<&'static str>), Inexpressible> {
    let encoded = Anthropic.encode(request, model)?;
    Ok((serde_json::from_slice(&encoded.body).unwrap(), encoded.dropped))
}

/// The body, and the names of what it leaves behind.
pub(crate) fn sent(request: &Request) -> (Value, Vec<&'static str>) {
    encode(request, SONNET).unwrap()
}

/// The field at fault.
pub(crate) fn refused(request: &Request) -> String {
    encode(request, SONNET).unwrap_err().param
}

pub(crate) fn ask(messages: Vec<Message>) -> Request {
    Request { messages, n: 1, ..Request::default() }
}

pub(crate) fn hello() -> Request {
    ask(vec![user("hello")])
}

pub(crate) fn text(text: &str) -> Vec<Part> {
    vec![Part::Text(text.to_owned())]
}

pub(crate) fn user(words: &str) -> Message {
    Message::User(text(words))
}

pub(crate) fn calls(ids: &[&str]) -> Message {
    let call = |id: &&str| ToolCall { id: (*id).to_owned(), name: "look".to_owned(), arguments: "{}".to_owned() };
    Message::Assistant { content: Vec::new(), calls: ids.iter().map(call).collect() }
}

pub(crate) fn answer(call_id: &str, words: &str) -> Message {
    Message::Tool { call_id: call_id.to_owned(), content: text(words) }
}

pub(crate) fn tool(name: &str) -> Tool {
    Tool { name: name.to_owned(), description: None, parameters: None, strict: None }
}

pub(crate) fn object(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}
