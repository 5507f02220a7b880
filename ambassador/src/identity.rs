//! The id of a request: the caller's own, or one that is given to it. It comes back with every answer.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use tower::Service;

use crate::gateway::Gateway;

/// The header of the id.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Gives each request an id in its header, and each answer the same. The outermost layer: what is answered without it
/// cannot be found in a log.
#[derive(Clone, Debug)]
pub(crate) struct Identified<S> {
    inner: S,
    gateway: Arc<Gateway>,
}

impl<S> Identified<S> {
    pub(crate) const fn new(inner: S, gateway: Arc<Gateway>) -> Self {
        Self { inner, gateway }
    }
}

impl<S, A, B> Service<Request<A>> for Identified<S>
where
    S: Service<Request<A>, Response = Response<B>>,
    S::Future: Unpin,
{
    type Response = Response<B>;
    type Error = S::Error;
    type Future = Identifying<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<A>) -> Self::Future {
        let headers = request.headers_mut();
        let id = match headers.get(&REQUEST_ID).filter(|id| is_fit(id)) {
            Some(id) => id.clone(),
            None => {
                let id = fresh(&self.gateway);
                headers.insert(REQUEST_ID, id.clone());
                id
            }
        };
        Identifying { answer: self.inner.call(request), id: Some(id) }
    }
}

/// An answer that will carry its request's id.
#[derive(Debug)]
pub(crate) struct Identifying<F> {
    answer: F,
    id: Option<HeaderValue>,
}

impl<F, B, E> Future for Identifying<F>
where
    F: Future<Output = Result<Response<B>, E>> + Unpin,
{
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let mut answer = ready!(Pin::new(&mut self.answer).poll(cx));
        if let (Ok(response), Some(id)) = (&mut answer, self.id.take()) {
            response.headers_mut().insert(REQUEST_ID, id);
        }
        Poll::Ready(answer)
    }
}

/// The id that a request has been given.
pub(crate) fn of(headers: &HeaderMap) -> &str {
    headers.get(&REQUEST_ID).and_then(|id| id.to_str().ok()).unwrap_or_default()
}

/// An id for what came without one.
pub(crate) fn fresh(gateway: &Gateway) -> HeaderValue {
    let id = format!("req_{:016x}{:016x}", gateway.draw(), gateway.draw());
    // Letters, digits and an underscore always are a header's value.
    HeaderValue::try_from(id).unwrap_or_else(|_| HeaderValue::from_static("req_"))
}

/// Whether a caller's id is fit for a log line and a header.
fn is_fit(id: &HeaderValue) -> bool {
    let id = id.as_bytes();
    (1..=128).contains(&id.len()) && id.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(byte))
}
