//! Chat completions and embeddings: one request to one answer.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Instant,
};

use ambassador_config::Limits;
use ambassador_core::{dialect::openai::Ask, provider::Operation};
use bytes::Bytes;
use chassis::{clock, http::id_of};
use http::{
    HeaderName, HeaderValue, Request, Response, StatusCode,
    header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE},
};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use tokio::{
    sync::OwnedSemaphorePermit,
    time::{timeout, timeout_at},
};

use super::render::{self, json};
use crate::{
    attempt::Reply,
    body::Body,
    dispatch::{self, Answered, Caller, Unanswered},
    failure::Failure,
    gateway::Gateway,
    hops,
    outcome::{Counted, Outcome},
    stream::Stream,
};

const PROVIDER: HeaderName = HeaderName::from_static("x-ambassador-provider");
const MODEL: HeaderName = HeaderName::from_static("x-ambassador-model");
const ATTEMPTS: HeaderName = HeaderName::from_static("x-ambassador-attempts");
const DROPPED: HeaderName = HeaderName::from_static("x-ambassador-dropped");
const CONVERSATION: HeaderName = HeaderName::from_static("x-conversation-id");

/// How long a request's body may take to arrive.
const BODY_WITHIN: std::time::Duration = std::time::Duration::from_secs(60);

/// Answers a request for a completion or an embedding.
///
/// # Errors
/// When there is no answer.
pub(super) async fn complete(
    gateway: Arc<Gateway>,
    operation: Operation,
    request: Request<Incoming>,
    started: Instant,
) -> Result<Response<Body>, Failure> {
    let id = id_of(request.headers()).to_owned();
    let mut outcome = Outcome::new(Arc::clone(&gateway.series), operation, id, started);
    let result = tokio::select! {
        biased;
        // First: nothing is begun after the grace has ended.
        () = gateway.drain.hurried() => Err(Unanswered::unasked(Failure::stopping(), "shutdown")),
        result = answer(&gateway, operation, request, started, &mut outcome) => result,
    };
    let attempts = |outcome: &Outcome| outcome.attempts.load(Ordering::Relaxed);
    let answered = match result {
        Ok(answered) => answered,
        Err(unanswered) => {
            outcome.failed(unanswered.reason);
            let mut response = render::failure(&unanswered.failure);
            if let Some((upstream, model)) = &unanswered.told_by
                && let Some(upstream) = gateway.upstreams.get(*upstream)
            {
                say(&mut response, PROVIDER, &upstream.name);
                say(&mut response, MODEL, model);
            }
            response.headers_mut().insert(ATTEMPTS, attempts(&outcome).into());
            return Ok(response);
        }
    };
    let Some(upstream) = gateway.upstreams.get(answered.upstream) else {
        return Err(Failure::new(StatusCode::INTERNAL_SERVER_ERROR, "server_error", "A route names no provider."));
    };
    let added = clock::now().saturating_duration_since(started).saturating_sub(answered.waited);
    gateway.series.added(added);
    gateway.series.dropped(&upstream.name, &answered.dropped);
    let Answered { answer, asked, dropped, span, .. } = answered;
    let streamed = matches!(answer, Reply::Stream(_));
    outcome.answered_by(&upstream.name, &asked, streamed, span);
    let attempts = attempts(&outcome);
    let (mut response, model) = match answer {
        Reply::Whole(answer) => {
            let model = answer.model.clone();
            outcome.complete(answer.model, answer.usage);
            (json(answer.body), model)
        }
        Reply::Stream(begun) => {
            outcome.first_content();
            let model = begun.relay.progress().model.clone();
            let mut response = Response::new(Body::Stream(Box::new(Stream::new(
                begun,
                Arc::clone(upstream),
                outcome,
                &gateway.drain,
            ))));
            let headers = response.headers_mut();
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream; charset=utf-8"));
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
            (response, model)
        }
    };
    say(&mut response, PROVIDER, &upstream.name);
    say(&mut response, MODEL, model.as_deref().unwrap_or(&asked));
    if !dropped.is_empty() {
        say(&mut response, DROPPED, &dropped.join(", "));
    }
    response.headers_mut().insert(ATTEMPTS, attempts.into());
    Ok(response)
}

/// A slot, at once or within the time that a request may wait for one.
async fn slot(gateway: &Gateway) -> Option<OwnedSemaphorePermit> {
    if let Ok(slot) = Arc::clone(&gateway.slots).try_acquire_owned() {
        return Some(slot);
    }
    let _waiting = Counted::new(&gateway.series.waiting);
    let slot = Arc::clone(&gateway.slots).acquire_owned();
    timeout(gateway.limits.queue_timeout, slot).await.ok()?.ok()
}

/// How much of a name is said in a header, in bytes: clients have limits, too.
const MAX_NAME: usize = 256;

/// Adds a header whose value comes from outside; one that is no header's value is left out.
fn say(response: &mut Response<Body>, name: HeaderName, value: &str) {
    let value = value.get(..value.floor_char_boundary(MAX_NAME)).unwrap_or_default();
    if let Ok(value) = HeaderValue::try_from(value) {
        response.headers_mut().insert(name, value);
    }
}

/// Told when no slot became free in time.
fn overloaded(limits: &Limits) -> Failure {
    let Limits { max_in_flight, queue_timeout, .. } = limits;
    let message = format!(
        "The ambassador is at its limit of {max_in_flight} requests (limits.max_in_flight), and none of them ended \
         within {queue_timeout:?} (limits.queue_timeout)."
    );
    let failure = Failure::new(StatusCode::SERVICE_UNAVAILABLE, "server_error", message).with_code("overloaded");
    Failure { retry_after: Some(HeaderValue::from_static("1")), ..failure }
}

async fn answer(
    gateway: &Gateway,
    operation: Operation,
    request: Request<Incoming>,
    started: Instant,
    outcome: &mut Outcome,
) -> Result<Answered, Unanswered> {
    let refused = |failure: Failure| Unanswered::unasked(failure, "invalid_request");
    let hops = hops::before(request.headers());
    if let Some(failure) = hops::circle(hops) {
        return Err(refused(failure));
    }
    match slot(gateway).await {
        Some(slot) => outcome.holds(slot),
        None => return Err(Unanswered::unasked(overloaded(&gateway.limits), "overloaded")),
    }
    let conversation = request.headers().get(&CONVERSATION).cloned();
    let body = read(gateway, request).await.map_err(refused)?;
    let ask = Ask::parse(operation, &body).map_err(|invalid| refused(invalid.into()))?;
    let conversation = conversation.as_ref().and_then(|id| id.to_str().ok()).or(ask.conversation.as_deref());
    if let Some(conversation) = conversation.filter(|id| !id.is_empty()) {
        gateway.conversations.seen(conversation, started);
    }
    let plan =
        gateway.router.plan(operation, &ask.model, gateway.draw()).map_err(|no_route| refused(no_route.into()))?;
    outcome.asks_for(gateway.router.bare_model(&ask.model));
    let caller = Caller { request_id: &outcome.request_id, hops, started, attempts: &outcome.attempts };
    dispatch::dispatch(gateway, &ask, &plan, caller).await
}

/// Reads a request's body to its end, within the limit.
async fn read(gateway: &Gateway, request: Request<Incoming>) -> Result<Bytes, Failure> {
    let max = gateway.limits.max_body;
    let too_large = || {
        let message = format!("The request's body is larger than {max} bytes (limits.max_body).");
        Failure::new(StatusCode::PAYLOAD_TOO_LARGE, "invalid_request_error", message).with_code("request_too_large")
    };
    let headers = request.headers();
    if let Some(encoding) = headers.get(CONTENT_ENCODING).filter(|encoding| *encoding != "identity") {
        let message = format!("The content encoding {encoding:?} is not supported; send the body as it is.");
        return Err(Failure::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "invalid_request_error", message));
    }
    let announced = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if announced.is_some_and(|length| length > max as u64) {
        return Err(too_large());
    }
    let body = Limited::new(request.into_body(), max).collect();
    match timeout_at((clock::now() + BODY_WITHIN).into(), body).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(_)) => Err(Failure::new(
            StatusCode::BAD_REQUEST,
            "invalid_request_error",
            "The request's body broke off before its end.",
        )),
        Err(_elapsed) => Err(Failure::new(
            StatusCode::REQUEST_TIMEOUT,
            "timeout_error",
            format!("The request's body did not arrive within {} seconds.", BODY_WITHIN.as_secs()),
        )),
    }
}
