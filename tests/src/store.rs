//! A store of prompts: the HTTP server that a config-loader fetches an agent's set from.

use std::convert::Infallible;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io;
use std::net::SocketAddr;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// A file of the store.
struct File {
    path: &'static str,
    kind: &'static str,
    text: &'static str,
}

const FILES: [File; 3] = [
    File { path: "/system-prompt.txt", kind: "text/plain", text: include_str!("store/system-prompt.txt") },
    File { path: "/tools.json", kind: "application/json", text: include_str!("store/tools.json") },
    File { path: "/guardrails.yaml", kind: "application/yaml", text: include_str!("store/guardrails.yaml") },
];

/// A store that has begun to listen.
#[derive(Debug)]
pub struct Store {
    listener: TcpListener,
    address: SocketAddr,
}

impl Store {
    pub async fn listen(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address })
    }

    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where its files are.
    pub fn paths() -> impl Iterator<Item = &'static str> {
        FILES.iter().map(|file| file.path)
    }

    /// Answers until it is dropped; connections live in the set and so end with it.
    pub async fn serve(self) {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = self.listener.accept() => {
                    // A connection that was gone before it was taken: the next may do better.
                    let Ok((stream, _)) = accepted else { continue };
                    connections.spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(answer)));
                }
                Some(_) = connections.join_next() => {}
            }
        }
    }
}

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let with_status = |status, text: &'static str| {
        let mut answer = Response::new(Full::from(text));
        *answer.status_mut() = status;
        answer
    };
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return Ok(with_status(StatusCode::METHOD_NOT_ALLOWED, "GET is what there is\n"));
    }
    let Some(file) = FILES.iter().find(|file| file.path == request.uri().path()) else {
        return Ok(with_status(StatusCode::NOT_FOUND, "no such file\n"));
    };
    let version = version(file.text);
    let known = request.headers().get(IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == version.as_bytes());
    let mut answer =
        if known { with_status(StatusCode::NOT_MODIFIED, "") } else { with_status(StatusCode::OK, file.text) };
    answer.headers_mut().extend(
        [(CONTENT_TYPE, file.kind.parse().ok()), (ETAG, version.parse().ok())]
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?))),
    );
    Ok(answer)
}

/// The same for the same text.
fn version(text: &str) -> String {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    format!("\"{:016x}\"", hasher.finish())
}
