//! What the stand-ins have in common: an HTTP server on one core that says its port.

use std::convert::Infallible;
use std::future::Future;
use std::io::Write as _;
use std::net::Ipv4Addr;
use std::rc::Rc;

use anyhow::Context as _;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;
use tokio::task::LocalSet;

pub(super) type Answer = Response<Full<Bytes>>;
pub(super) type Upstream = Client<HttpConnector, Full<Bytes>>;

/// Answers with what `respond` makes of each request, which it gets whole, until this process is ended.
pub(super) fn serve<A, F>(respond: A) -> anyhow::Result<()>
where
    A: Fn(Request<Bytes>) -> F + 'static,
    F: Future<Output = anyhow::Result<Answer>> + 'static,
{
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let respond = Rc::new(respond);
    LocalSet::new().block_on(&runtime, async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        writeln!(std::io::stdout(), "{}", listener.local_addr()?.port())?;
        loop {
            let (stream, _) = listener.accept().await.context("accepting connections")?;
            stream.set_nodelay(true)?;
            let respond = Rc::clone(&respond);
            tokio::task::spawn_local(async move {
                let service = service_fn(|request| whole(request, Rc::clone(&respond)));
                // A connection that the other side drops is no news.
                let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
            });
        }
    })
}

async fn whole<A, F>(request: Request<Incoming>, respond: Rc<A>) -> Result<Answer, Infallible>
where
    A: Fn(Request<Bytes>) -> F,
    F: Future<Output = anyhow::Result<Answer>>,
{
    let (head, body) = request.into_parts();
    let answer = async {
        let body = body.collect().await.context("reading the request")?.to_bytes();
        respond(Request::from_parts(head, body)).await
    };
    Ok(answer.await.unwrap_or_else(|error| {
        let _ = writeln!(std::io::stderr(), "bench: a stand-in: {error:#}");
        let mut refusal = Response::new(Full::from(format!("{error:#}")));
        *refusal.status_mut() = StatusCode::BAD_GATEWAY;
        refusal
    }))
}

pub(super) fn json(bytes: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(bytes.into()));
    let kind = hyper::header::HeaderValue::from_static("application/json");
    answer.headers_mut().insert(hyper::header::CONTENT_TYPE, kind);
    answer
}

/// Passes requests on.
pub(super) fn upstream() -> Upstream {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    Client::builder(TokioExecutor::new()).build(connector)
}

pub(super) async fn pass_on(upstream: &Upstream, request: Request<Bytes>) -> anyhow::Result<(StatusCode, Bytes)> {
    let answer = upstream.request(request.map(Full::new)).await.context("asking the real one")?;
    let status = answer.status();
    Ok((status, answer.into_body().collect().await.context("the answer of the real one")?.to_bytes()))
}
