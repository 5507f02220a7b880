//! The data plane: connections in, each request through the one stack below.

use std::{any::Any, convert::Infallible, sync::Arc};

use ambassador_core::dialect::openai::error_body;
use chassis::{
    http::{self as serving, Identified, Ids, Refusal, Traced, Words},
    net::Incoming,
    shutdown::Drain,
};
use http::{Response, StatusCode};
use tower::{ServiceBuilder, service_fn};
use tower_http::catch_panic::CatchPanicLayer;

use crate::{api, body::Body, failure::Failure, gateway::Gateway, trace};

/// How it serves.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Whether there is a collector for traces.
    pub traces: bool,
    /// How many clients may be connected.
    pub connections: usize,
}

/// Serves connections until the drain begins; those that are open then finish what they are at.
pub async fn serve(gateway: Arc<Gateway>, incoming: Incoming, drain: Drain, options: Options) {
    let Options { traces, connections } = options;
    let ids = Ids::new(gateway.draw());
    let options = serving::Options { connections, header_timeout: gateway.limits.header_timeout, ids: ids.clone() };
    let words = Arc::new(OpenAis(Arc::clone(&gateway)));
    let handler = service_fn(move |request| {
        let gateway = Arc::clone(&gateway);
        Box::pin(async move {
            let response = api::handle(gateway, request).await;
            trace::answered(response.status());
            Ok::<_, Infallible>(response)
        })
    });
    // The stack of a request, outermost first.
    let stack = ServiceBuilder::new()
        // Every answer has an id, also that to a panic.
        .layer_fn(|inner| Identified::new(inner, ids.clone()))
        // A span that joins the agent's trace; without a collector it costs one branch.
        .layer_fn(|inner| Traced::new(inner, traces, trace::of_request))
        // One bug costs one request: a panic becomes that request's 500.
        .layer(CatchPanicLayer::custom(panicked))
        .service(handler);
    serving::serve(stack, words, incoming, drain, options).await;
}

/// What is no request gets an error in the shape that the caller's SDK knows.
struct OpenAis(Arc<Gateway>);

impl Words for OpenAis {
    fn refusal(&self, refusal: Refusal) -> Vec<u8> {
        let status = refusal.status();
        let kind = if status.is_server_error() { "server_error" } else { "invalid_request_error" };
        let failure = Failure::new(status, kind, refusal.message("ambassador")).with_code(refusal.code());
        error_body(&failure.problem)
    }

    fn turned_away(&self) {
        self.0.series.refused_connections.inc();
    }
}

/// What the panic says stays here: it may quote what was being worked on.
#[allow(clippy::needless_pass_by_value, reason = "the signature that the layer asks for")]
fn panicked(_panic: Box<dyn Any + Send + 'static>) -> Response<Body> {
    let message = "The ambassador has a bug, and this request has found it. Others are not affected.";
    let failure = Failure::new(StatusCode::INTERNAL_SERVER_ERROR, "server_error", message);
    trace::answered(failure.status);
    api::render::failure(&failure.with_code("internal_error"))
}
