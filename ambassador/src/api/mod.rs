//! The endpoints.

mod completion;
mod models;
pub mod render;

use std::{sync::Arc, time::Instant};

use ambassador_core::provider::Operation;
use chassis::clock;
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, header::ALLOW};
use hyper::body::Incoming;

use crate::{body::Body, failure::Failure, gateway::Gateway};

/// The caller's id of a request, or the one given to it.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Answers a request. It never fails: a failure is an answer, too.
pub async fn handle(gateway: Arc<Gateway>, request: Request<Incoming>) -> Response<Body> {
    let started = clock::now();
    let id = request_id(&gateway, &request);
    let mut response = match route(gateway, request, started, &id).await {
        Ok(response) => response,
        Err(failure) => render::failure(&failure),
    };
    if let Ok(id) = HeaderValue::try_from(id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

async fn route(
    gateway: Arc<Gateway>,
    request: Request<Incoming>,
    started: Instant,
    id: &str,
) -> Result<Response<Body>, Failure> {
    let operation = match request.uri().path() {
        "/v1/chat/completions" => Operation::Chat,
        "/v1/embeddings" => Operation::Embeddings,
        path if path == "/v1/models" || path.starts_with("/v1/models/") => {
            return match *request.method() {
                Method::GET => Ok(models::models(&gateway, path)),
                _ => Ok(method_not_allowed(&request, "GET")),
            };
        }
        _ => return Err(unknown_url(&request)),
    };
    if request.method() != Method::POST {
        return Ok(method_not_allowed(&request, "POST"));
    }
    // Boxed: its state is some kilobytes, which every future around it would copy on its way into place.
    Box::pin(completion::complete(gateway, operation, request, started, id)).await
}

fn unknown_url(request: &Request<Incoming>) -> Failure {
    let message = format!("Unknown request URL: {} {}.", request.method(), request.uri().path());
    let hint = "This ambassador serves /v1/chat/completions, /v1/embeddings and /v1/models.";
    Failure::new(StatusCode::NOT_FOUND, "invalid_request_error", format!("{message} {hint}")).with_code("unknown_url")
}

fn method_not_allowed(request: &Request<Incoming>, allowed: &'static str) -> Response<Body> {
    let message = format!("Not allowed to {} on {}; use {allowed}.", request.method(), request.uri().path());
    let failure = Failure::new(StatusCode::METHOD_NOT_ALLOWED, "invalid_request_error", message);
    let mut response = render::failure(&failure.with_code("method_not_allowed"));
    response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    response
}

/// The caller's own id where it gives one that is fit for a log line and a header.
fn request_id(gateway: &Gateway, request: &Request<Incoming>) -> String {
    let given = request.headers().get(&REQUEST_ID).and_then(|id| id.to_str().ok());
    let fit = |id: &&str| {
        (1..=128).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte))
    };
    match given.filter(fit) {
        Some(id) => id.to_owned(),
        None => format!("req_{:016x}{:016x}", gateway.draw(), gateway.draw()),
    }
}
