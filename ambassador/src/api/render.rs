//! Answers and failures as HTTP, in the shapes that the caller's SDK knows.

use ambassador_core::dialect::openai::error_body;
use bytes::Bytes;
use http::{
    HeaderValue, Response,
    header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER},
};

use crate::{body::Body, failure::Failure};

/// A response with JSON.
pub(super) fn json(body: impl Into<Bytes>) -> Response<Body> {
    let body = body.into();
    let length = HeaderValue::from(body.len());
    let mut response = Response::new(Body::whole(body));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response.headers_mut().insert(CONTENT_LENGTH, length);
    response
}

/// A failure as its caller sees it.
#[must_use]
pub fn failure(failure: &Failure) -> Response<Body> {
    let mut response = json(error_body(&failure.problem));
    *response.status_mut() = failure.status;
    if let Some(retry_after) = &failure.retry_after {
        response.headers_mut().insert(RETRY_AFTER, retry_after.clone());
    }
    response
}
