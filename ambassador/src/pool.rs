//! One provider's connections: HTTP/1.1 over TCP or TLS, kept alive between requests.
//!
//! The pool is kept here, around hyper's connections, because failover has to know what a generic client hides:
//! whether a connection was reused, when it stood, and that dropping a body closes it at once.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::{Duration, Instant},
};

use bytes::Bytes;
use chassis::{causes::causes, clock, task};
use http::{Request, Response, Uri};
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;
use hyper::{
    body::Incoming,
    client::conn::http1::{self, SendRequest},
};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::connect::HttpConnector;
use rustls::ClientConfig;
use tower::{Service, ServiceExt};

use crate::heard::{Heard, Listening};

/// Idle connections that one provider's pool keeps at most.
const MAX_IDLE: usize = 512;

/// How long an idle connection may take to be ready.
const READY_WITHIN: Duration = Duration::from_millis(10);

/// How long an idle connection is trusted. Most servers and load balancers close theirs after 60 s or more.
const IDLE_FOR: Duration = Duration::from_secs(50);

/// Why there is no connection: the reason in the words of the system, without any secret.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ConnectError(String);

/// The connections to one origin.
#[derive(Debug)]
pub struct Pool {
    origin: Uri,
    connector: HttpsConnector<HttpConnector>,
    idle: Mutex<Vec<Idle>>,
}

#[derive(Debug)]
struct Idle {
    line: Line,
    since: Instant,
}

/// What a request is sent by.
#[derive(Debug)]
struct Line {
    sender: SendRequest<Full<Bytes>>,
    heard: Heard,
}

impl Pool {
    /// A pool without connections so far.
    #[must_use]
    pub fn new(origin: Uri, connector: HttpsConnector<HttpConnector>) -> Arc<Self> {
        Arc::new(Self { origin, connector, idle: Mutex::default() })
    }

    /// Where they lead.
    pub(crate) fn origin(&self) -> &Uri {
        &self.origin
    }

    /// A connection: an idle one, else a new one.
    ///
    /// # Errors
    /// When none comes about.
    pub async fn checkout(self: &Arc<Self>) -> Result<Connection, ConnectError> {
        while let Some(mut line) = self.pop(clock::now()) {
            // The last answer has been read to its end, so the connection is ready, or about to be, or closed; unless
            // the server answered before it had read the request: then it is of no use to anyone.
            if let Ok(Ok(())) = tokio::time::timeout(READY_WITHIN, line.sender.ready()).await {
                return Ok(Connection { line, pool: Arc::clone(self), reused: true });
            }
        }
        self.open().await
    }

    /// A new connection, whatever lies idle.
    ///
    /// # Errors
    /// When none comes about.
    pub async fn open(self: &Arc<Self>) -> Result<Connection, ConnectError> {
        let mut connector = self.connector.clone();
        let connector = connector.ready().await.map_err(|error| ConnectError(causes(error.as_ref())))?;
        let io = connector.call(self.origin.clone()).await.map_err(|error| ConnectError(causes(error.as_ref())))?;
        let heard = Heard::default();
        let (sender, connection) = http1::handshake(Listening::new(io, heard.clone()))
            .await
            .map_err(|error| ConnectError(error.to_string()))?;
        // Whatever ends the connection is told to the request on it, too.
        task::spawn(async move { drop(connection.await) });
        Ok(Connection { line: Line { sender, heard }, pool: Arc::clone(self), reused: false })
    }

    /// The idle connection that was used last: it is the least likely to have been closed.
    fn pop(&self, now: Instant) -> Option<Line> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let last = idle.pop()?;
        if now.saturating_duration_since(last.since) < IDLE_FOR {
            return Some(last.line);
        }
        // All others have been idle for longer still.
        idle.clear();
        None
    }

    fn push(&self, line: Line, now: Instant) {
        if line.sender.is_closed() {
            return;
        }
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < MAX_IDLE {
            idle.push(Idle { line, since: now });
        }
    }
}

/// A connection that is this request's alone.
#[derive(Debug)]
pub struct Connection {
    line: Line,
    pool: Arc<Pool>,
    reused: bool,
}

/// Why a request got no response.
#[derive(Debug)]
pub struct Broken {
    /// The connection had served before and was closed without a byte of an answer: the request may simply be sent
    /// again on a fresh one.
    pub stale: bool,
    /// What happened.
    pub reason: String,
}

impl Connection {
    /// Sends the request and waits for the response's headers.
    ///
    /// # Errors
    /// When the connection breaks before they have come.
    pub async fn send(mut self, request: Request<Full<Bytes>>) -> Result<Response<UpstreamBody>, Broken> {
        self.line.heard.forget();
        match self.line.sender.send_request(request).await {
            Ok(response) => Ok(response.map(|incoming| UpstreamBody { incoming, lease: Some((self.line, self.pool)) })),
            Err(error) => {
                let stale = self.reused && !self.line.heard.anything();
                Err(Broken { stale, reason: causes(&error) })
            }
        }
    }
}

/// A response's body. Read to its end, it gives the connection back; dropped before, it closes it.
#[derive(Debug)]
pub struct UpstreamBody {
    incoming: Incoming,
    lease: Option<(Line, Arc<Pool>)>,
}

impl Body for UpstreamBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = std::task::ready!(Pin::new(&mut self.incoming).poll_frame(cx));
        let ended = match &frame {
            None => true,
            Some(Ok(_)) => self.incoming.is_end_stream(),
            Some(Err(_)) => false,
        };
        if ended && let Some((line, pool)) = self.lease.take() {
            pool.push(line, clock::now());
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.incoming.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.incoming.size_hint()
    }
}

/// What opens connections to the upstreams.
#[must_use]
pub fn connector(tls: ClientConfig) -> HttpsConnector<HttpConnector> {
    let mut http = HttpConnector::new();
    http.enforce_http(false);
    // A request is two writes at most; with Nagle's algorithm the second would wait for the peer's delayed ACK.
    http.set_nodelay(true);
    http.set_keepalive(Some(Duration::from_secs(60)));
    hyper_rustls::HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1().wrap_connector(http)
}
