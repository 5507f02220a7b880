//! The id of a request: the caller's own, or one that is given to it. It comes back with every answer.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
};

use ::http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use tower::Service;

/// The header of the id.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Makes ids. Clones are the same source.
#[derive(Debug, Clone)]
pub struct Ids(Arc<AtomicU64>);

impl Ids {
    /// Those that begin with `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(AtomicU64::new(seed)))
    }

    /// An id for what came without one.
    #[must_use]
    pub fn fresh(&self) -> HeaderValue {
        let id = format!("req_{:016x}{:016x}", self.draw(), self.draw());
        // Letters, digits and an underscore always are a header's value.
        HeaderValue::try_from(id).unwrap_or_else(|_| HeaderValue::from_static("req_"))
    }

    /// SplitMix64.
    fn draw(&self) -> u64 {
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let z = self.0.fetch_add(STEP, Ordering::Relaxed).wrapping_add(STEP);
        let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

/// Gives each request an id in its header, and each answer the same. The outermost layer: what is answered without it
/// cannot be found in a log.
#[derive(Clone, Debug)]
pub struct Identified<S> {
    inner: S,
    ids: Ids,
}

impl<S> Identified<S> {
    /// `inner`, with ids for what comes without one.
    pub const fn new(inner: S, ids: Ids) -> Self {
        Self { inner, ids }
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
                let id = self.ids.fresh();
                headers.insert(REQUEST_ID, id.clone());
                id
            }
        };
        Identifying { answer: self.inner.call(request), id: Some(id) }
    }
}

/// An answer that will carry its request's id.
#[derive(Debug)]
pub struct Identifying<F> {
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
#[must_use]
pub fn of(headers: &HeaderMap) -> &str {
    headers.get(&REQUEST_ID).and_then(|id| id.to_str().ok()).unwrap_or_default()
}

/// Whether a caller's id is fit for a log line and a header.
fn is_fit(id: &HeaderValue) -> bool {
    let id = id.as_bytes();
    (1..=128).contains(&id.len()) && id.iter().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(byte))
}
