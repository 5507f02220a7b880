//! The data plane: connections in, each request through the one stack below.

use std::{any::Any, convert::Infallible, sync::Arc};

use chassis::{net::Incoming, shutdown::Drain, task};
use http::{Response, StatusCode};
use tokio::{
    net::TcpStream,
    sync::{OwnedSemaphorePermit, Semaphore},
};
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

/// How many clients at once are told that there are too many.
const REFUSALS: usize = 32;

/// How it serves.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// Whether there is a collector for traces.
    pub traces: bool,
    /// How many clients may be connected.
    pub connections: usize,
}

/// Serves connections until the drain begins; those that are open then finish what they are at.
pub async fn serve(gateway: Arc<Gateway>, mut incoming: Incoming, drain: Drain, options: Options) {
    let room = |connections: usize| Arc::new(Semaphore::new(connections.min(Semaphore::MAX_PERMITS)));
    let (free, refusals) = (room(options.connections), room(REFUSALS));
    loop {
        let (stream, _peer) = tokio::select! {
            biased;
            () = drain.draining() => break,
            accepted = incoming.accept() => accepted,
        };
        if let Ok(permit) = Arc::clone(&free).try_acquire_owned() {
            serve_one(&gateway, stream, &drain, options.traces, Some(permit));
        } else {
            gateway.series.refused_connections.inc();
            // Each of those takes a descriptor, too. Beyond them a client is let go without a word.
            if let Ok(permit) = Arc::clone(&refusals).try_acquire_owned() {
                let refusal = connection::refuse(Arc::clone(&gateway), stream, options.connections);
                task::spawn(async move {
                    let _permit = permit;
                    refusal.await;
                });
            }
        }
    }
    for stream in incoming.into_last() {
        serve_one(&gateway, stream, &drain, options.traces, None);
    }
}

/// Serves one connection on a task of its own, and keeps its `permit` as long.
fn serve_one(
    gateway: &Arc<Gateway>,
    stream: TcpStream,
    drain: &Drain,
    traces: bool,
    permit: Option<OwnedSemaphorePermit>,
) {
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
    task::spawn(drain.track_future(async move {
        let _permit = permit;
        connection.await;
    }));
}

/// What the panic says stays here: it may quote what was being worked on.
#[allow(clippy::needless_pass_by_value, reason = "the signature that the layer asks for")]
fn panicked(_panic: Box<dyn Any + Send + 'static>) -> Response<Body> {
    let message = "The ambassador has a bug, and this request has found it. Others are not affected.";
    let failure = Failure::new(StatusCode::INTERNAL_SERVER_ERROR, "server_error", message);
    trace::answered(failure.status);
    api::render::failure(&failure.with_code("internal_error"))
}
