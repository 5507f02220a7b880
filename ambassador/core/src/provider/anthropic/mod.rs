//! Anthropic: the Messages API at version 2023-06-01.
//!
//! The version is the older of the published ones on purpose: the newer one refuses sampling parameters even on models
//! that have them, and callers of other dialects send these as a matter of course.

mod arguments;
mod calls;
mod conversation;
mod decode;
mod encode;
mod events;
mod extra;
mod grammar;
mod ids;
mod input_schema;
mod tools;

use http::{HeaderName, HeaderValue, header::InvalidHeaderValue};
use serde_json::Value;

use super::{Api, Encoded, EventDecoder, Inexpressible, NoAnswer, Operation, Provider, Refusal, Translator};
use crate::chat;

/// The vendor itself, or whatever serves its API.
#[derive(Debug)]
pub struct Anthropic;

impl Provider for Anthropic {
    fn kind(&self) -> &'static str {
        "anthropic"
    }

    fn base_url(&self) -> Option<&'static str> {
        Some("https://api.anthropic.com")
    }

    fn path(&self, operation: Operation) -> Option<&'static str> {
        match operation {
            Operation::Chat => Some("/v1/messages"),
            Operation::Embeddings => None,
        }
    }

    fn headers(&self, key: Option<&str>) -> Result<Vec<(HeaderName, HeaderValue)>, InvalidHeaderValue> {
        let mut headers = vec![(HeaderName::from_static("anthropic-version"), HeaderValue::from_static("2023-06-01"))];
        if let Some(key) = key {
            let mut value = HeaderValue::from_str(key)?;
            value.set_sensitive(true);
            headers.push((HeaderName::from_static("x-api-key"), value));
        }
        Ok(headers)
    }

    fn api(&self) -> Api<'_> {
        Api::Own(self)
    }

    fn refusal(&self, _status: u16, body: &[u8]) -> Refusal {
        read_refusal(body)
    }
}

impl Translator for Anthropic {
    fn encode(&self, request: &chat::Request, model: &str) -> Result<Encoded, Inexpressible> {
        encode::encode(request, model)
    }

    fn decode(&self, body: &[u8]) -> Result<chat::Response, NoAnswer> {
        decode::decode(body)
    }

    fn events(&self) -> Box<dyn EventDecoder> {
        Box::new(events::Events::default())
    }
}

/// Reads `{"type":"error","error":{"type","message"}}`, and as much as there is of anything else: what stands between
/// here and the vendor answers in shapes of its own, HTML among them.
fn read_refusal(body: &[u8]) -> Refusal {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let error = body.get("error").unwrap_or(&body);
    let text = |field: &str| error.get(field).and_then(Value::as_str).map(str::to_owned);
    Refusal {
        message: text("message").or_else(|| error.as_str().map(str::to_owned)).unwrap_or_default(),
        kind: text("type"),
        code: None,
        param: None,
    }
}

fn inexpressible(param: impl Into<String>, message: impl Into<String>) -> Inexpressible {
    Inexpressible { param: param.into(), message: message.into() }
}

/// Whether the API takes `text` for blank, as Python's `str.strip` would.
fn is_blank(text: &str) -> bool {
    text.chars().all(is_blank_char)
}

fn is_blank_char(char: char) -> bool {
    char.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&char)
}

/// The fields that a request leaves behind, each once.
#[derive(Debug, Default)]
struct Dropped(Vec<&'static str>);

impl Dropped {
    fn add(&mut self, field: &'static str) {
        if !self.0.contains(&field) {
            self.0.push(field);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(body: &str) -> (String, Option<String>) {
        let refusal = Anthropic.refusal(500, body.as_bytes());
        (refusal.message, refusal.kind)
    }

    #[test]
    fn the_vendors_errors_are_read_and_other_bodies_tolerated() {
        let body =
            r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"},"request_id":"req_1"}"#;
        assert_eq!(refusal(body), ("Overloaded".into(), Some("overloaded_error".into())));
        assert_eq!(refusal(r#"{"error":"gone"}"#), ("gone".into(), None));
        assert_eq!(refusal(r#"{"message":"Forbidden"}"#), ("Forbidden".into(), None));
        for body in
            ["", "<html>502</html>", "[1,2]", "null", "\u{0}", r#"{"error":{"message":7}}"#, r#"{"error":null}"#]
        {
            assert_eq!(refusal(body), (String::new(), None), "{body}");
        }
    }

    #[test]
    fn the_key_travels_marked_as_a_secret() {
        let headers = Anthropic.headers(Some("sk-ant-1")).unwrap();
        let find = |name: &str| headers.iter().find(|(header, _)| header == name).map(|(_, value)| value);
        assert_eq!(find("anthropic-version").unwrap(), "2023-06-01");
        let key = find("x-api-key").unwrap();
        assert!(key == "sk-ant-1" && key.is_sensitive());
        assert_eq!(Anthropic.headers(None).unwrap().len(), 1);
        assert!(Anthropic.headers(Some("line\nbreak")).is_err());
    }

    #[test]
    fn blank_is_what_the_api_takes_for_blank() {
        assert!(is_blank("") && is_blank(" \t\r\n\u{b}\u{c}\u{1c}\u{1f}\u{85}\u{a0}\u{2003}\u{3000}"));
        assert!(!is_blank("\u{200b}") && !is_blank("\u{0}") && !is_blank(" a "));
    }

    #[test]
    fn it_serves_chat_and_no_embeddings() {
        assert_eq!(Anthropic.path(Operation::Chat), Some("/v1/messages"));
        assert_eq!(Anthropic.path(Operation::Embeddings), None);
    }
}
