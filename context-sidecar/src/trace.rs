//! What a collector is told: a span for each request, which joins the agent's trace. Nothing of what was asked is in it.

use chassis::{http::bounded, telemetry};
use http::{Request, StatusCode};
use tracing::{Span, field};

pub(crate) fn of_request<B>(request: &Request<B>) -> Span {
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
