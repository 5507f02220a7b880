//! What a collector is told: a span for each request, which joins the agent's trace. Nothing of what was asked is in it.

use std::task::{Context, Poll};

use chassis::telemetry;
use http::{Request, StatusCode};
use tower::Service;
use tracing::{Instrument, Span, field, instrument::Instrumented};

/// How much is told of a name that a caller made up, in bytes.
const MAX_NAME: usize = 128;

/// Runs each request in a span of its own.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Traced<S> {
    pub(crate) inner: S,
    /// Whether there are any traces.
    pub(crate) traces: bool,
}

impl<S, B> Service<Request<B>> for Traced<S>
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
        let span = if self.traces { of_request(&request) } else { Span::none() };
        self.inner.call(request).instrument(span)
    }
}

fn of_request<B>(request: &Request<B>) -> Span {
    let span = tracing::info_span!(
        "request",
        otel.kind = "server",
        otel.status_code = field::Empty,
        http.request.method = bounded(request.method().as_str()),
        http.route = field::Empty,
        http.response.status_code = field::Empty,
    );
    telemetry::follow(&span, request.headers());
    span
}

/// Tells a request's span which route it takes.
pub(crate) fn names(route: &'static str) {
    if telemetry::exporting() {
        let span = Span::current();
        span.record("http.route", route);
        telemetry::rename(&span, route.to_owned());
    }
}

/// Tells a request's span what it was answered.
pub(crate) fn answered(with: StatusCode) {
    if telemetry::exporting() {
        let span = Span::current();
        span.record("http.response.status_code", i64::from(with.as_u16()));
        if with.is_server_error() {
            span.record("otel.status_code", "ERROR");
        }
    }
}

/// A name that somebody made up, as far as it is told.
pub(crate) fn bounded(name: &str) -> &str {
    name.get(..name.floor_char_boundary(MAX_NAME)).unwrap_or_default()
}
