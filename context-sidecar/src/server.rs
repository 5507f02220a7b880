//! The data plane: connections in, each request through the one stack below.
//!
//! It is hyper with a table of routes, as the ambassador has it, and not axum: what axum would bring (extractors, a router,
//! its answers to bad JSON) is what has to be in our own words here, and the door for MCP wants a tower service and no
//! framework. It is fifteen crates less.

use std::{any::Any, convert::Infallible, sync::Arc};

use chassis::{
    http::{self as serving, Identified, Ids, Refusal, Traced, Words},
    net::Incoming,
    shutdown::Drain,
};
use http::Response;
use tower::{ServiceBuilder, service_fn};
use tower_http::catch_panic::CatchPanicLayer;

use crate::{
    api::{self, App, render},
    body::Body,
    failure::{Failure, Kind},
    trace,
};

/// How it serves.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Whether there is a collector for traces.
    pub traces: bool,
    /// How many clients may be connected.
    pub connections: usize,
    /// Where the ids of requests begin that have none.
    pub seed: u64,
}

/// Serves connections until the drain begins; those that are open then finish what they are at.
pub async fn serve(app: Arc<App>, incoming: Incoming, drain: Drain, options: Options) {
    let Options { traces, connections, seed } = options;
    let ids = Ids::new(seed);
    let header_timeout = app.settings.limits.header_timeout;
    let options = serving::Options { connections, header_timeout, ids: ids.clone() };
    let words = Arc::new(Ours(Arc::clone(&app)));
    let handler = service_fn(move |request| {
        let app = Arc::clone(&app);
        Box::pin(async move {
            let response = api::handle(app, request).await;
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

/// What is no request gets an error in the shape of all others.
struct Ours(Arc<App>);

impl Words for Ours {
    fn refusal(&self, refusal: Refusal) -> Vec<u8> {
        let kind = if refusal.status().is_server_error() { Kind::Unavailable } else { Kind::Invalid };
        render::body(kind.label(), &refusal.message("context-sidecar"), None)
    }

    fn turned_away(&self) {
        self.0.series.refused_connections.inc();
    }
}

/// What the panic says stays here: it may quote what was being worked on.
#[allow(clippy::needless_pass_by_value, reason = "the signature that the layer asks for")]
fn panicked(_panic: Box<dyn Any + Send + 'static>) -> Response<Body> {
    let message = "The context-sidecar has a bug, and this request has found it. Others are not affected.";
    let response = render::failure(&Failure::new(Kind::Internal, message));
    trace::answered(response.status());
    response
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;

    use super::*;

    #[tokio::test]
    async fn a_panic_is_an_error_that_quotes_nothing() {
        let response = panicked(Box::new("a secret"));
        assert_eq!(response.status().as_u16(), 500);
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body["error"]["type"], "internal_error");
        assert!(!body.to_string().contains("secret"));
    }
}
