//! What a collector is told: a span for each request and, within it, one for each attempt at a provider, in the words
//! that OpenTelemetry has for generative AI. Nothing of the conversation is in them.
//!
//! Without a collector there are no spans, and each function here costs one branch.

use ambassador_core::{chat::Usage, provider::Operation};
use chassis::{http::bounded, telemetry};
use http::{Request, StatusCode};
use tracing::{Span, field};

use crate::upstream::Upstream;

/// The span of a request. It is named when it is known what is asked for.
pub(crate) fn of_request<B>(request: &Request<B>) -> Span {
    let span = tracing::info_span!(
        "request",
        otel.kind = "server",
        otel.status_code = field::Empty,
        http.request.method = bounded(request.method().as_str()),
        url.path = bounded(request.uri().path()),
        http.response.status_code = field::Empty,
        gen_ai.operation.name = field::Empty,
        gen_ai.provider.name = field::Empty,
        gen_ai.request.model = field::Empty,
        gen_ai.response.model = field::Empty,
        gen_ai.usage.input_tokens = field::Empty,
        gen_ai.usage.output_tokens = field::Empty,
        error.type = field::Empty,
    );
    telemetry::follow(&span, request.headers());
    span
}

/// Notes within a request's span what it was answered. A panic has failed it without an outcome; all else that becomes
/// of an answer is for the outcome to tell.
pub(crate) fn answered(with: StatusCode) {
    status(with);
    if telemetry::exporting() && with.is_server_error() {
        Span::current().record("otel.status_code", "ERROR");
    }
}

/// Notes the status of a response in the span that it came in.
pub(crate) fn status(status: StatusCode) {
    if telemetry::exporting() {
        Span::current().record("http.response.status_code", i64::from(status.as_u16()));
    }
}

/// Tells a request's span what is asked for, as far as its path says it.
pub(crate) fn asks_to(span: &Span, operation: Operation) {
    if !span.is_none() {
        span.record("gen_ai.operation.name", word(operation));
        telemetry::rename(span, word(operation).to_owned());
    }
}

/// Tells a request's span the model as well.
pub(crate) fn asks_for(span: &Span, operation: Operation, model: &str) {
    if !span.is_none() {
        span.record("gen_ai.request.model", bounded(model));
        telemetry::rename(span, name(operation, model));
    }
}

/// The span of an attempt at a provider, within that of the request.
pub(crate) fn attempt(operation: Operation, upstream: &Upstream, model: &str) -> Span {
    if !telemetry::exporting() {
        return Span::none();
    }
    let origin = upstream.pool.origin();
    let port = origin.port_u16().unwrap_or(if origin.scheme_str() == Some("https") { 443 } else { 80 });
    tracing::info_span!(
        "attempt",
        otel.name = name(operation, model),
        otel.kind = "client",
        otel.status_code = field::Empty,
        server.address = origin.host(),
        server.port = i64::from(port),
        http.response.status_code = field::Empty,
        gen_ai.operation.name = word(operation),
        gen_ai.provider.name = upstream.name,
        gen_ai.request.model = bounded(model),
        gen_ai.response.model = field::Empty,
        gen_ai.usage.input_tokens = field::Empty,
        gen_ai.usage.output_tokens = field::Empty,
        error.type = field::Empty,
    )
}

/// Tells a span what an answer cost. (Signed, because OpenTelemetry knows no other integers: those would be texts.)
pub(crate) fn spent(span: &Span, usage: Usage) {
    span.record("gen_ai.usage.input_tokens", i64::try_from(usage.input).unwrap_or(i64::MAX));
    span.record("gen_ai.usage.output_tokens", i64::try_from(usage.output).unwrap_or(i64::MAX));
}

/// Tells a span that it failed, and why.
pub(crate) fn failed(span: &Span, reason: &str) {
    span.record("error.type", reason);
    span.record("otel.status_code", "ERROR");
}

fn name(operation: Operation, model: &str) -> String {
    format!("{} {}", word(operation), bounded(model))
}

/// The operation, as OpenTelemetry calls it.
fn word(operation: Operation) -> &'static str {
    match operation {
        Operation::Chat => "chat",
        Operation::Embeddings => "embeddings",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_named_by_what_is_asked_for_within_bounds() {
        assert_eq!(name(Operation::Chat, "gpt-4o"), "chat gpt-4o");
        assert_eq!(name(Operation::Embeddings, "m"), "embeddings m");
        let long = name(Operation::Chat, &"ü".repeat(100_000));
        assert!(long.len() < 1_000 && long.ends_with('ü'), "{long}");
    }
}
