//! The data plane: connections in, each request through the one stack below.

use std::{any::Any, pin::Pin, sync::Arc, time::Duration};

use chassis::{net::Incoming, shutdown::Drain, task};
use http::{Request, Response, StatusCode};
use hyper::{body, server::conn::http1};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tower::{ServiceBuilder, service_fn};
use tower_http::catch_panic::CatchPanicLayer;

use crate::{
    api,
    body::Body,
    failure::Failure,
    gateway::Gateway,
    patient::Patient,
    trace::{self, Traced},
};

/// How long a client may go on sending after it has been answered.
const LINGER: Duration = Duration::from_secs(5);

/// Serves connections until the drain begins; those that are open then finish what they are at.
pub async fn serve(gateway: Arc<Gateway>, mut incoming: Incoming, drain: Drain, traces: bool) {
    loop {
        let (stream, _peer) = tokio::select! {
            biased;
            () = drain.draining() => return,
            accepted = incoming.accept() => accepted,
        };
        let connection = connection(Arc::clone(&gateway), stream, drain.clone(), traces);
        task::spawn(drain.track_future(connection));
    }
}

/// Serves one connection to its end.
async fn connection(gateway: Arc<Gateway>, stream: TcpStream, drain: Drain, traces: bool) {
    let headers_within = gateway.limits.header_timeout;
    let handler = service_fn(move |request: Request<body::Incoming>| {
        let gateway = Arc::clone(&gateway);
        // Boxed, because a connection that is to say a last word must be movable.
        Box::pin(async move {
            let response = api::handle(gateway, request).await;
            trace::answered(response.status());
            Ok::<_, std::convert::Infallible>(response)
        })
    });
    // The stack of a request, outermost first.
    let stack = ServiceBuilder::new()
        // A span that joins the agent's trace; without a collector it costs one branch.
        .layer_fn(move |inner| Traced { inner, traces })
        // One bug costs one request: a panic becomes that request's 500.
        .layer(CatchPanicLayer::custom(panicked))
        .service(handler);
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(headers_within)
        .serve_connection(TokioIo::new(Patient::new(stream)), TowerToHyperService::new(stack));
    let mut draining = std::pin::pin!(drain.draining());
    let mut told = false;
    let result = std::future::poll_fn(|cx| {
        if !told && draining.as_mut().poll(cx).is_ready() {
            told = true;
            Pin::new(&mut connection).graceful_shutdown();
        }
        connection.poll_without_shutdown(cx)
    })
    .await;
    let parts = connection.into_parts();
    let mut io = parts.io.into_inner().into_inner();
    // A client that had said nothing was only keeping the connection: it would take an answer for that to its next
    // request.
    if let Err(error) = result
        && !parts.read_buf.is_empty()
        && let Some(answer) = last_words(&error, headers_within)
    {
        // The client is owed an answer, and hyper is past giving one. Whether it is read is the client's affair.
        let _unread = io.write_all(answer.as_bytes()).await;
    }
    let _gone = io.shutdown().await;
    linger(io, !parts.read_buf.is_empty()).await;
}

/// Lets a client finish that is still sending what nobody will read (a body over the limit, say). A connection that is
/// closed over its words is reset, and the reset may overtake the answer that says why.
async fn linger(mut io: TcpStream, unread: bool) {
    if !unread && !matches!(io.try_read(&mut [0]), Ok(1..)) {
        return;
    }
    let mut discarded = vec![0; 16 * 1024];
    let reading = async { while matches!(io.read(&mut discarded).await, Ok(1..)) {} };
    let _late = tokio::time::timeout(LINGER, reading).await;
}

/// What is said to a client whose request never became one.
fn last_words(error: &hyper::Error, headers_within: Duration) -> Option<String> {
    let (status, message) = if error.is_timeout() {
        let message = format!("The request's headers did not arrive within {} seconds.", headers_within.as_secs());
        (StatusCode::REQUEST_TIMEOUT, message)
    } else {
        return None;
    };
    let failure = Failure::new(status, "invalid_request_error", message);
    let body = String::from_utf8(ambassador_core::dialect::openai::error_body(&failure.problem)).ok()?;
    Some(format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    ))
}

/// What the panic says stays here: it may quote what was being worked on.
#[allow(clippy::needless_pass_by_value, reason = "the signature that the layer asks for")]
fn panicked(_panic: Box<dyn Any + Send + 'static>) -> Response<Body> {
    let message = "The ambassador has a bug, and this request has found it. Others are not affected.";
    let failure = Failure::new(StatusCode::INTERNAL_SERVER_ERROR, "server_error", message);
    trace::answered(failure.status);
    api::render::failure(&failure.with_code("internal_error"))
}
