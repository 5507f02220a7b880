//! The endpoints.

mod completion;
mod models;
pub mod render;

use std::{sync::Arc, time::Instant};

use ambassador_core::provider::Operation;
use chassis::clock;
use http::{HeaderValue, Method, Request, Response, StatusCode, header::ALLOW};
use hyper::body::Incoming;

use crate::{body::Body, failure::Failure, gateway::Gateway};

/// Answers a request. It never fails: a failure is an answer, too.
pub async fn handle(gateway: Arc<Gateway>, request: Request<Incoming>) -> Response<Body> {
    match route(gateway, request, clock::now()).await {
        Ok(response) => response,
        Err(failure) => render::failure(&failure),
    }
}

async fn route(gateway: Arc<Gateway>, request: Request<Incoming>, started: Instant) -> Result<Response<Body>, Failure> {
    let operation = match request.uri().path() {
        "/v1/chat/completions" => Operation::Chat,
        "/v1/embeddings" => Operation::Embeddings,
        path if path == "/v1/models" || path.starts_with("/v1/models/") => {
            return match *request.method() {
                Method::GET | Method::HEAD => Ok(models::models(&gateway, path)),
                _ => Ok(method_not_allowed(&request, "GET, HEAD")),
            };
        }
        _ => return Err(unknown_url(&request)),
    };
    if request.method() != Method::POST {
        return Ok(method_not_allowed(&request, "POST"));
    }
    // Boxed: its state is some kilobytes, which every future around it would copy on its way into place.
    Box::pin(completion::complete(gateway, operation, request, started)).await
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
