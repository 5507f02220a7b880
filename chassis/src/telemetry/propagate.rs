//! Who called us, and whom we call: the W3C `traceparent` header.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, Ordering};

use http::{HeaderMap, HeaderValue};
use opentelemetry::Context;
use opentelemetry::propagation::TextMapPropagator;
use opentelemetry::trace::TraceContextExt;
use opentelemetry_http::{HeaderExtractor, HeaderInjector};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// Whether spans are exported. When they are not, nothing here looks at a header.
static ON: AtomicBool = AtomicBool::new(false);

const TRACESTATE: &str = "tracestate";

static W3C: LazyLock<TraceContextPropagator> = LazyLock::new(TraceContextPropagator::new);

pub(super) fn switch(on: bool) {
    ON.store(on, Ordering::Relaxed);
}

/// Whether spans are exported.
#[must_use]
pub fn exporting() -> bool {
    ON.load(Ordering::Relaxed)
}

/// Makes `span` a part of the trace that the headers of a request name. Call it before the span is
/// entered.
pub fn follow(span: &Span, headers: &HeaderMap) {
    if exporting() {
        // It fails only for a span that is filtered out, which nobody will see.
        let _ = span.set_parent(W3C.extract_with_context(&Context::new(), &HeaderExtractor(headers)));
    }
}

/// Gives `span` a name that was not known when it began. (A field `otel.name` is heeded only until then.)
pub fn rename(span: &Span, name: String) {
    if exporting() {
        span.context().span().update_name(name);
    }
}

/// Writes the current span into the headers of a request we are about to send. Leaves them as they
/// are when spans are not exported.
pub fn inject(headers: &mut HeaderMap) {
    if exporting() {
        W3C.inject_context(&Span::current().context(), &mut HeaderInjector(headers));
        // A trace without a state is written down as an empty one, and some servers refuse empty headers.
        if headers.get(TRACESTATE).is_some_and(HeaderValue::is_empty) {
            headers.remove(TRACESTATE);
        }
    }
}
