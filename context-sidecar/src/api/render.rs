//! Answers and failures as HTTP: one shape for all errors, `{"error": {"type", "message", "param"}}`, as SDKs know it.

use std::time::Duration;

use bytes::Bytes;
use http::{
    HeaderValue, Response, StatusCode,
    header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER},
};
use serde::Serialize;
use serde_json::json;

use crate::{
    body::Body,
    failure::{Failure, Kind},
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
