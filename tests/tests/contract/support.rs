//! What several themes share.

use e2e::agent::Told;
use e2e::http::Answer;
use e2e::provider::Provider;
use serde_json::Value;

/// A model that both kinds of provider can be asked for: OpenAI by name, Anthropic by its default.
pub(crate) const MODEL: &str = "gpt-4o";

/// Two providers; which comes first is said where the ambassador is started.
pub(crate) async fn two_providers() -> (Provider, Provider) {
    (Provider::start().await.unwrap(), Provider::start().await.unwrap())
}

/// Asserts the one shape of an error: all four fields, `code` and `param` a string or null. Gives back the error.
#[track_caller]
pub(crate) fn error_of(answer: &Answer) -> Value {
    assert!(answer.header("content-type").starts_with("application/json"), "{answer:?}");
    let body = answer.json();
    assert_eq!(body.as_object().map(|fields| fields.len()), Some(1), "only `error` in {body}");
    assert_error(&body["error"]);
    body["error"].clone()
}

#[track_caller]
pub(crate) fn assert_error(error: &Value) {
    let fields = error.as_object().unwrap_or_else(|| panic!("not an error: {error}"));
    for name in ["message", "type", "param", "code"] {
        assert!(fields.contains_key(name), "no {name} in {error}");
    }
    assert!(error["message"].as_str().is_some_and(|text| !text.is_empty()), "{error}");
    assert!(error["type"].as_str().is_some_and(|text| !text.is_empty()), "{error}");
    for name in ["param", "code"] {
        assert!(error[name].is_null() || error[name].is_string(), "{name} is neither a string nor null in {error}");
    }
}

/// The text of a whole answer.
#[track_caller]
pub(crate) fn text_of(answer: &Answer) -> String {
    assert_eq!(answer.status, 200, "{}", answer.text());
    let body = answer.json();
    body["choices"][0]["message"]["content"].as_str().unwrap_or_else(|| panic!("no text in {body}")).to_owned()
}

/// Asserts a stream that ended as it should.
#[track_caller]
pub(crate) fn assert_clean(told: &Told) {
    assert!(told.error.is_none() && told.broke.is_none() && told.malformed.is_empty(), "{told:?}");
    assert!(told.is_done && told.finish_reasons.len() == 1, "{told:?}");
}

/// Asserts a stream that failed after content and said so.
#[track_caller]
pub(crate) fn assert_failed(told: &Told) {
    assert!(told.contents > 0, "no content came: {told:?}");
    assert!(!told.is_done, "a failure looks like a clean end: {told:?}");
    assert!(
        !told.finish_reasons.iter().any(|reason| reason == "stop"),
        "a failure looks like a finished answer: {told:?}"
    );
    assert!(told.malformed.is_empty(), "half an event was passed on: {told:?}");
    assert_error(told.error.as_ref().unwrap_or_else(|| panic!("nothing told of the failure: {told:?}")));
}
