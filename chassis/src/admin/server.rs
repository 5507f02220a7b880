//! The HTTP side of the admin port.

use std::borrow::Cow;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use serde::Serialize;
use serde_json::{Map, Value, json};
use tokio::net::TcpStream;
use tokio::task::AbortHandle;
use tokio::time::timeout;

use super::{Admin, Reply, Verdict};
use crate::net::Incoming;
use crate::{clock, metrics, task};

/// A prober that takes longer to ask is cut off.
const ASKING: Duration = Duration::from_secs(5);

/// A connection lives no longer, whether it does not ask or does not read. A scraper that kept it opens another.
const LIFE: Duration = Duration::from_secs(10);

/// Probers and scrapers at the same time. More than these is a mistake or an attack, and must not keep the kubelet
/// out: the oldest makes room.
const CONNECTIONS: usize = 128;

const JSON: &str = "application/json";

/// Answers until the thread ends with the process.
pub(super) async fn serve(admin: Arc<Admin>, mut incoming: Incoming) {
    let mut open: VecDeque<AbortHandle> = VecDeque::with_capacity(CONNECTIONS);
    loop {
        let (stream, _) = incoming.accept().await;
        if open.len() == CONNECTIONS {
            open.retain(|connection| !connection.is_finished());
        }
        if open.len() == CONNECTIONS
            && let Some(oldest) = open.pop_front()
        {
            oldest.abort();
        }
        open.push_back(task::spawn(connection(Arc::clone(&admin), stream)).abort_handle());
    }
}

async fn connection(admin: Arc<Admin>, stream: TcpStream) {
    let service = service_fn(|request| {
        let response = answer(&admin, &request);
        async { Ok::<_, Infallible>(response) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(ASKING)
        .serve_connection(TokioIo::new(stream), service);
    if let Ok(Err(error)) = timeout(LIFE, connection).await {
        tracing::debug!(%error, "an admin connection broke");
    }
}

/// A body is never wanted, so it is not read either: hyper closes a connection that sends one.
fn answer<B>(admin: &Admin, request: &Request<B>) -> Response<Full<Bytes>> {
    let path = request.uri().path();
    let Some(reply) = reply_at(admin, path) else {
        return response(error(StatusCode::NOT_FOUND, "no such path"));
    };
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut refusal = response(error(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD"));
        refusal.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return refusal;
    }
    response(reply)
}

fn reply_at(admin: &Admin, path: &str) -> Option<Reply> {
    Some(match path {
        "/health" | "/health/ready" | "/ready" => {
            let details = admin.details.as_ref().map(|details| details()).unwrap_or_default();
            judged(admin.readiness.verdict(), "ready", "not ready", details)
        }
        "/health/live" => {
            let verdict = admin.heartbeat.verdict(clock::now());
            judged(verdict, "live", "not live", Map::new())
        }
        "/health/startup" => {
            let verdict = match admin.readiness.has_started() {
                true => Verdict::Yes,
                false => Verdict::No("starting".into()),
            };
            judged(verdict, "started", "not started", Map::new())
        }
        "/metrics" => (StatusCode::OK, metrics::CONTENT_TYPE, admin.metrics.encode()),
        other => admin.routes.get(other)?(),
    })
}

/// The body of an answer to a probe.
#[derive(Serialize)]
struct Judgement<'a> {
    status: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<Cow<'static, str>>,
    #[serde(flatten)]
    details: Map<String, Value>,
}

fn judged(verdict: Verdict, yes: &str, no: &str, details: Map<String, Value>) -> Reply {
    let (code, status, reason) = match verdict {
        Verdict::Yes => (StatusCode::OK, yes, None),
        Verdict::No(reason) => (StatusCode::SERVICE_UNAVAILABLE, no, Some(reason)),
    };
    // Text keys and JSON values cannot fail to be written.
    let body = serde_json::to_string(&Judgement { status, reason, details }).unwrap_or_default();
    (code, JSON, body)
}

fn error(status: StatusCode, message: &str) -> Reply {
    (status, JSON, json!({ "error": message }).to_string())
}

fn response((status, content_type, body): Reply) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
