//! The data plane: connections in, each request through the one stack below.

use std::{any::Any, convert::Infallible, sync::Arc};

use chassis::{net::Incoming, shutdown::Drain, task, telemetry};
use http::{Request, Response, StatusCode};
use tokio::net::TcpStream;
use tower::{Service, ServiceBuilder, service_fn};
use tower_http::catch_panic::CatchPanicLayer;
use tracing::{Instrument, field};

use crate::{api, body::Body, connection, failure::Failure, gateway::Gateway, identity::Identified};

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
        Box::pin(async move { Ok::<_, Infallible>(api::handle(gateway, request).await) })
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
    api::render::failure(&failure.with_code("internal_error"))
}

/// Runs each request in a span of its own.
#[derive(Clone, Copy, Debug)]
struct Traced<S> {
    inner: S,
    traces: bool,
}

impl<S, B> Service<Request<B>> for Traced<S>
where
    S: Service<Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = tracing::instrument::Instrumented<S::Future>;

    fn poll_ready(&mut self, cx: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let span = if self.traces {
            let span = tracing::info_span!(
                "llm request",
                otel.kind = "server",
                http.request.method = %request.method(),
                url.path = request.uri().path(),
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
        } else {
            tracing::Span::none()
        };
        self.inner.call(request).instrument(span)
    }
}
