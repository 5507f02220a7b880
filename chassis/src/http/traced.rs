//! A span for each request, as whoever serves draws it.

use std::task::{Context, Poll};

use ::http::Request;
use tower::Service;
use tracing::{Instrument as _, Span, instrument::Instrumented};

/// How much is told of a name that somebody else made up, in bytes.
const MAX_NAME: usize = 128;

/// Runs each request in a span of its own. Without traces it costs one branch.
#[derive(Debug)]
pub struct Traced<S, B> {
    inner: S,
    span: Option<fn(&Request<B>) -> Span>,
}

impl<S, B> Traced<S, B> {
    /// Runs the requests to `inner` in what `span` makes of them, where there are traces.
    pub fn new(inner: S, traces: bool, span: fn(&Request<B>) -> Span) -> Self {
        Self { inner, span: traces.then_some(span) }
    }
}

impl<S: Clone, B> Clone for Traced<S, B> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), span: self.span }
    }
}

impl<S, B> Service<Request<B>> for Traced<S, B>
where
    S: Service<Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Instrumented<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let span = self.span.map_or_else(Span::none, |span| span(&request));
        self.inner.call(request).instrument(span)
    }
}

/// A name that somebody else made up, as far as it is told.
#[must_use]
pub fn bounded(name: &str) -> &str {
    name.get(..name.floor_char_boundary(MAX_NAME)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_of_a_name_ends_between_two_letters() {
        assert_eq!(bounded("gpt-4o"), "gpt-4o");
        assert_eq!(bounded(&"ü".repeat(100_000)), "ü".repeat(MAX_NAME / 2));
        assert_eq!(bounded(&"語".repeat(100_000)), "語".repeat(MAX_NAME / 3));
    }
}
