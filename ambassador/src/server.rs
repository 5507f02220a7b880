//! The data plane: connections in, each request through the one stack below.

use std::{any::Any, convert::Infallible, sync::Arc};

use chassis::{net::Incoming, shutdown::Drain, task};
use http::{Response, StatusCode};
use tokio::net::TcpStream;
use tower::{ServiceBuilder, service_fn};
use tower_http::catch_panic::CatchPanicLayer;

use crate::{
    api,
    body::Body,
    connection,
    failure::Failure,
    gateway::Gateway,
    identity::Identified,
    trace::{self, Traced},
};

/// Serves connections until the drain begins; those that are open then finish what they are at.
pub async fn serve(gateway: Arc<Gateway>, mut incoming: Incoming, drain: Drain, traces: bool) {
    loop {
        let (stream, _peer) = tokio::select! {
            biased;
            () = drain.draining() => break,
            accepted = incoming.accept() => accepted,
        };
        serve_one(&gateway, stream, &drain, traces);
    }
    for stream in incoming.into_last() {
        serve_one(&gateway, stream, &drain, traces);
    }
}

/// Serves one connection on a task of its own.
fn serve_one(gateway: &Arc<Gateway>, stream: TcpStream, drain: &Drain, traces: bool) {
    let handling = Arc::clone(gateway);
    let handler = service_fn(move |request| {
        let gateway = Arc::clone(&handling);
        Box::pin(async move {
            let response = api::handle(gateway, request).await;
            trace::answered(response.status());
            Ok::<_, Infallible>(response)
        })
    });
    // The stack of a request, outermost first.
    let stack = ServiceBuilder::new()
        // Every answer has an id, also that to a panic.
        .layer_fn(|inner| Identified::new(inner, Arc::clone(gateway)))
        // A span that joins the agent's trace; without a collector it costs one branch.
        .layer_fn(|inner| Traced { inner, traces })
        // One bug costs one request: a panic becomes that request's 500.
        .layer(CatchPanicLayer::custom(panicked))
        .service(handler);
    let connection = connection::serve(Arc::clone(gateway), stream, stack, drain.clone());
    task::spawn(drain.track_future(connection));
}

/// What the panic says stays here: it may quote what was being worked on.
#[allow(clippy::needless_pass_by_value, reason = "the signature that the layer asks for")]
fn panicked(_panic: Box<dyn Any + Send + 'static>) -> Response<Body> {
    let message = "The ambassador has a bug, and this request has found it. Others are not affected.";
    let failure = Failure::new(StatusCode::INTERNAL_SERVER_ERROR, "server_error", message);
    trace::answered(failure.status);
    api::render::failure(&failure.with_code("internal_error"))
}
