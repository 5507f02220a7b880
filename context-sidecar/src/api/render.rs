//! Answers and failures as HTTP: one shape for all errors, `{"error": {"type", "message", "param"}}`, as SDKs know it.

use std::time::Duration;

use bytes::Bytes;
use http::{
    HeaderName, HeaderValue, Response, StatusCode,
    header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER},
};
use serde::Serialize;
use serde_json::json;

use crate::{
    answer::{Answer, CacheUse},
    body::Body,
    failure::{Failure, Kind},
    question::Mode,
};

/// An answer.
///
/// # Errors
/// It cannot be written, which would be a bug.
pub(crate) fn json(value: &impl Serialize) -> Result<Response<Body>, Failure> {
    let bytes = serde_json::to_vec(value)
        .map_err(|_| Failure::new(Kind::Internal, "The answer cannot be written as JSON. That is a bug."))?;
    Ok(whole(bytes))
}

/// JSON that has been written.
pub(crate) fn whole(bytes: impl Into<Bytes>) -> Response<Body> {
    let bytes = bytes.into();
    let length = HeaderValue::from(bytes.len());
    let mut response = Response::new(Body::whole(bytes));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(CONTENT_LENGTH, length);
    response
}

/// How an answer was made, for those whose clients have no place for it in its body: in headers.
pub(crate) fn about(answer: &Answer) -> Vec<(&'static str, String)> {
    let mode = match answer.mode {
        Mode::Hybrid => "hybrid",
        Mode::Dense => "dense",
        Mode::Lexical => "lexical",
    };
    let cache = match answer.cache {
        CacheUse::Hit => "hit",
        CacheUse::Miss => "miss",
        CacheUse::Stale => "stale",
    };
    let mut all = vec![("x-context-mode", mode.to_owned()), ("x-context-cache", cache.to_owned())];
    if !answer.degraded.is_empty() {
        all.push(("x-context-degraded", answer.degraded.join(",")));
    }
    if let Some(stale) = &answer.stale {
        all.push(("x-context-stale-age-ms", stale.age_ms.to_string()));
    }
    all
}

/// An answer with more headers.
pub(crate) fn with(mut response: Response<Body>, headers: Vec<(&'static str, String)>) -> Response<Body> {
    for (name, value) in headers {
        if let Ok(value) = HeaderValue::try_from(value) {
            response.headers_mut().insert(HeaderName::from_static(name), value);
        }
    }
    response
}

/// A failure as its caller sees it.
#[must_use]
pub(crate) fn failure(failure: &Failure) -> Response<Body> {
    // With the field's name in the sentence: there are SDKs whose exceptions show that alone.
    let mut response = whole(body(failure.kind.label(), &failure.to_string(), failure.param.as_deref()));
    *response.status_mut() = StatusCode::from_u16(failure.kind.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    // Who is told that it is for now wants to know for how long.
    let passes = matches!(failure.kind, Kind::Busy | Kind::Unavailable);
    if let Some(after) = failure.retry_after.or(passes.then_some(Duration::from_secs(1))) {
        // Rounded up: who comes back too early is refused once more.
        let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
        response.headers_mut().insert(RETRY_AFTER, seconds.max(1).into());
    }
    response
}

/// An error's body.
pub(crate) fn body(kind: &str, message: &str, param: Option<&str>) -> Vec<u8> {
    json!({"error": {"type": kind, "message": message, "param": param}}).to_string().into_bytes()
}
