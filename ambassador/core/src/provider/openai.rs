//! OpenAI, and everything that serves its API: vLLM, SGLang, TGI, llama.cpp, Ollama, Groq and the rest.

use bytes::Bytes;
use http::{
    HeaderName, HeaderValue,
    header::{AUTHORIZATION, InvalidHeaderValue},
};
use serde_json::{Value, value::RawValue};

use super::{Adapter, Api, Operation, Provider, Refusal};
use crate::{
    catalog,
    wire::{
        envelope::{Edit, Envelope, json_string},
        openai::refusal,
    },
};

/// Whoever serves this API.
#[derive(Debug)]
pub struct OpenAi {
    kind: &'static str,
    base_url: Option<&'static str>,
    /// What has to change in a request beyond what always has to.
    edit: fn(&Envelope<'_>, &str, &mut Vec<Edit<'static>>),
}

/// The vendor itself.
pub static OPENAI: OpenAi =
    OpenAi { kind: "openai", base_url: Some("https://api.openai.com/v1"), edit: name_the_limit_anew };

/// An engine or another vendor, with models of its own.
pub static OPENAI_COMPATIBLE: OpenAi =
    OpenAi { kind: "openai-compatible", base_url: None, edit: call_developers_system };

impl Provider for OpenAi {
    fn kind(&self) -> &'static str {
        self.kind
    }

    fn base_url(&self) -> Option<&'static str> {
        self.base_url
    }

    fn path(&self, operation: Operation) -> Option<&'static str> {
        match operation {
            Operation::Chat => Some("/chat/completions"),
            Operation::Embeddings => Some("/embeddings"),
        }
    }

    fn headers(&self, key: Option<&str>) -> Result<Vec<(HeaderName, HeaderValue)>, InvalidHeaderValue> {
        let Some(key) = key else { return Ok(Vec::new()) };
        let mut value = HeaderValue::try_from(format!("Bearer {key}"))?;
        value.set_sensitive(true);
        Ok(vec![(AUTHORIZATION, value)])
    }

    fn api(&self) -> Api<'_> {
        Api::Same(self)
    }

    /// Bodies that are not JSON (a proxy's HTML) tell nothing that a caller could use.
    fn refusal(&self, status: u16, body: &[u8]) -> Refusal {
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        if status == 404 && is_of_no_path(&body) {
            return no_such_path();
        }
        // OpenAI nests it in `error`; FastAPI-based engines say `detail`; old vLLM puts it at the top.
        let told = |name: &str| body.get(name).filter(|told| !told.is_null());
        if let Some(faults) = told("detail").and_then(Value::as_array) {
            return Refusal { message: faults_of(faults), kind: None, code: None, param: None };
        }
        refusal(told("error").or_else(|| told("detail")).unwrap_or(&body))
    }
}

impl Adapter for OpenAi {
    fn adapt(&self, operation: Operation, request: &Envelope<'_>, model: &str, stream_usage: bool) -> Bytes {
        let mut edits = common_edits(operation, request, model, stream_usage);
        (self.edit)(request, model, &mut edits);
        request.edited(&edits)
    }
}

/// Reasoning models refuse `max_tokens`. A caller that sends both names gets the vendor's own words about it.
fn name_the_limit_anew(request: &Envelope<'_>, model: &str, edits: &mut Vec<Edit<'static>>) {
    let old = request.get("max_tokens").is_some() && request.get("max_completion_tokens").is_none();
    if old && catalog::is_openai_reasoning(model) {
        edits.push(Edit::Rename("max_tokens", "max_completion_tokens"));
    }
}

/// Whether a 404 is the framework's (FastAPI has this one) and not the API's: the path is wrong, not the model.
fn is_of_no_path(body: &Value) -> bool {
    body.get("detail").is_some_and(|detail| detail == "Not Found")
}

/// More of FastAPI's faults than these are most often one fault, seen from each type that a field may have.
const MAX_FAULTS: usize = 5;

/// The faults that FastAPI finds in a request, as `body.messages.0.role: Field required`. It repeats what it found there
/// in `input`, too; that is the caller's own, and long.
fn faults_of(faults: &[Value]) -> String {
    let step = |step: &Value| step.as_str().map_or_else(|| step.to_string(), str::to_owned);
    let mut told: Vec<String> = faults
        .iter()
        .filter_map(|fault| {
            let message = fault.as_str().or_else(|| fault.get("msg")?.as_str())?;
            let place: Vec<String> =
                fault.get("loc").and_then(Value::as_array).into_iter().flatten().map(step).collect();
            Some(if place.is_empty() { message.to_owned() } else { format!("{}: {message}", place.join(".")) })
        })
        .collect();
    let more = told.len().saturating_sub(MAX_FAULTS);
    told.truncate(MAX_FAULTS);
    if more > 0 {
        told.push(format!("and {more} more"));
    }
    told.join("; ")
}

fn no_such_path() -> Refusal {
    let message = "The provider has no such path: it answered 404 \"Not Found\". Check its base_url: most servers of this \
                   API want '/v1' at its end.";
    Refusal {
        message: message.to_owned(),
        kind: Some("invalid_request_error".to_owned()),
        code: Some("path_not_found".to_owned()),
        param: None,
    }
}

/// Every chat template of every engine knows `system`; few know `developer`.
fn call_developers_system(request: &Envelope<'_>, _model: &str, edits: &mut Vec<Edit<'static>>) {
    if let Some(messages) = request.get("messages").and_then(without_developers) {
        edits.push(Edit::Set("messages", messages.into()));
    }
}

/// The model, and for a stream the wish to be told its usage: without it nobody could count what a stream cost.
fn common_edits(operation: Operation, request: &Envelope<'_>, model: &str, stream_usage: bool) -> Vec<Edit<'static>> {
    let mut edits = Vec::with_capacity(3);
    let model = json_string(model);
    if request.get("model") != Some(model.as_str()) {
        edits.push(Edit::Set("model", model.into()));
    }
    if operation == Operation::Chat && stream_usage && request.get("stream") == Some("true") {
        let options = request.get("stream_options").unwrap_or("{}");
        if let Some(options) = with_usage(options) {
            edits.push(Edit::Set("stream_options", options.into()));
        }
    }
    edits
}

/// `stream_options` with `include_usage` set; `None` where it is set already, or where the field is no object and the
/// provider should say so itself.
fn with_usage(options: &str) -> Option<String> {
    let mut options: serde_json::Map<String, Value> = serde_json::from_str(options).ok()?;
    if options.insert("include_usage".to_owned(), true.into()) == Some(Value::Bool(true)) {
        return None;
    }
    serde_json::to_string(&options).ok()
}

/// The messages with `developer` said as `system`; `None` where there is nothing to change.
fn without_developers(messages: &str) -> Option<String> {
    memchr::memmem::find(messages.as_bytes(), b"\"developer\"")?;
    let messages: Vec<&RawValue> = serde_json::from_str(messages).ok()?;
    let mut changed = false;
    let renamed: Vec<String> = messages
        .into_iter()
        .map(|message| {
            let body = Bytes::copy_from_slice(message.get().as_bytes());
            match Envelope::parse(&body) {
                Ok(fields) if fields.get("role") == Some("\"developer\"") => {
                    changed = true;
                    String::from_utf8_lossy(&fields.edited(&[Edit::Set("role", "\"system\"".into())])).into_owned()
                }
                _ => message.get().to_owned(),
            }
        })
        .collect();
    changed.then(|| format!("[{}]", renamed.join(",")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn adapted(provider: &dyn Adapter, body: &str, model: &str) -> String {
        let body = Bytes::from(body.to_owned());
        let envelope = Envelope::parse(&body).unwrap();
        String::from_utf8(provider.adapt(Operation::Chat, &envelope, model, true).to_vec()).unwrap()
    }

    #[test]
    fn the_same_model_leaves_the_body_alone() {
        let body = r#"{ "model":"m", "messages":[{"role":"user","content":"hi"}], "new_field": 1 }"#;
        assert_eq!(adapted(&OPENAI, body, "m"), body);
    }

    #[test]
    fn a_stream_is_asked_for_its_usage() {
        assert_eq!(
            adapted(&OPENAI, r#"{"model":"a","stream":true}"#, "b"),
            r#"{"model":"b","stream":true,"stream_options":{"include_usage":true}}"#
        );
        let asked = r#"{"model":"b","stream":true,"stream_options":{"include_usage":true}}"#;
        assert_eq!(adapted(&OPENAI, asked, "b"), asked);
    }

    #[test]
    fn reasoning_models_get_the_limit_by_its_new_name() {
        let body = r#"{"model":"gpt-5","max_tokens":9}"#;
        assert_eq!(adapted(&OPENAI, body, "gpt-5"), r#"{"model":"gpt-5","max_completion_tokens":9}"#);
        assert_eq!(adapted(&OPENAI_COMPATIBLE, body, "gpt-5"), body);
    }

    #[test]
    fn engines_are_not_asked_for_a_developer() {
        let body = r#"{"model":"m","messages":[{"role":"developer","content":"D"},{"role":"user","content":"\"developer\""}]}"#;
        let got = adapted(&OPENAI_COMPATIBLE, body, "m");
        assert!(
            got.contains(r#"{"role":"system","content":"D"}"#) && got.contains(r#""content":"\"developer\"""#),
            "{got}"
        );
        assert_eq!(adapted(&OPENAI, body, "m"), body);
    }

    #[test]
    fn errors_are_read_in_every_shape() {
        let said = |body: &str| OPENAI_COMPATIBLE.refusal(400, body.as_bytes());
        let vllm = said(r#"{"error":{"message":"m","type":"BadRequestError","param":null,"code":400}}"#);
        assert_eq!((vllm.message.as_str(), vllm.code.as_deref()), ("m", Some("400")));
        assert_eq!(said(r#"{"error":"plain"}"#).message, "plain");
        assert_eq!(said(r#"{"object":"error","message":"old","code":40001}"#).message, "old");
        assert_eq!(said("<html>").message, "");
    }

    #[test]
    fn what_fastapi_says_is_told() {
        let said = |body: &str| OPENAI_COMPATIBLE.refusal(422, body.as_bytes()).message;
        assert_eq!(said(r#"{"detail":"text"}"#), "text");
        assert_eq!(said(r#"{"detail":[{"loc":["body","x"],"msg":"bad","input":"CANARY"}]}"#), "body.x: bad");
        let nested =
            r#"{"detail":[{"loc":["body","messages",0,"role"],"msg":"Field required"},{"msg":"bad"},"worse",7]}"#;
        assert_eq!(said(nested), "body.messages.0.role: Field required; bad; worse");
        let many = format!(r#"{{"detail":[{}]}}"#, [r#"{"loc":["body"],"msg":"m"}"#; 9].join(","));
        assert_eq!(said(&many), format!("{}and 4 more", "body: m; ".repeat(5)));
        assert_eq!(said(r#"{"error":null,"detail":"text"}"#), "text");
        assert_eq!(said(r#"{"detail":[]}"#), "");
    }

    #[test]
    fn a_path_that_is_not_there_is_no_missing_model() {
        let said = |body: &str| OPENAI_COMPATIBLE.refusal(404, body.as_bytes());
        let path = said(r#"{"detail":"Not Found"}"#);
        assert_eq!(path.code.as_deref(), Some("path_not_found"));
        assert!(path.message.contains("base_url") && path.message.contains("/v1"), "{}", path.message);
        let model = said(r#"{"detail":"model 'x' not found"}"#);
        assert_eq!((model.message.as_str(), model.code), ("model 'x' not found", None));
    }
}
