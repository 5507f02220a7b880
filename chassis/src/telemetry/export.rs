//! The HTTP client that carries spans to the collector.
//!
//! The SDK exports from a plain thread and blocks in it, so the client brings a small runtime of
//! its own and never borrows the data plane's. It speaks TLS with the same library as everything
//! else here, which a ready-made client would not. A collector that is away is told about once, not
//! every five seconds.

use std::error::Error;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use opentelemetry_http::{HttpClient, HttpError};
use tokio::runtime::{Builder, Runtime};
use tokio::time;

/// A collector answers with a few bytes; more than this is not read.
const MAX_ANSWER: usize = 64 << 10;

pub(super) struct Client {
    http: legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    timeout: Duration,
    /// There until the client is dropped.
    runtime: Option<Runtime>,
    failing: AtomicBool,
}

impl Client {
    /// A client that trusts the certificates of the system, or those of Mozilla where the image has
    /// none.
    pub(super) fn new(timeout: Duration) -> Result<Self, Box<dyn Error>> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = HttpsConnectorBuilder::new();
        let connector = match builder.with_provider_and_native_roots(Arc::clone(&provider)) {
            Ok(builder) => builder,
            Err(_) => HttpsConnectorBuilder::new().with_provider_and_webpki_roots(provider)?,
        };
        let http = legacy::Client::builder(TokioExecutor::new())
            // Between two exports nothing drives the runtime, so an idle connection would go stale.
            .pool_max_idle_per_host(0)
            .build(connector.https_or_http().enable_http1().build());
        let runtime = Builder::new_current_thread().enable_all().build()?;
        Ok(Self { http, timeout, runtime: Some(runtime), failing: AtomicBool::new(false) })
    }

    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let exchange = async {
            let response = self.http.request(request.map(Full::new)).await?;
            let (head, body) = response.into_parts();
            let body = Limited::new(body, MAX_ANSWER).collect().await?.to_bytes();
            Ok(Response::from_parts(head, body))
        };
        let late = |_| HttpError::from(io::Error::new(io::ErrorKind::TimedOut, "no answer in time"));
        time::timeout(self.timeout, exchange).await.map_err(late)?
    }

    /// Logs when the collector goes away and when it comes back.
    fn note(&self, outcome: &Result<Response<Bytes>, HttpError>) {
        let reason = match outcome {
            Ok(response) if response.status().is_success() => None,
            Ok(response) => Some(format!("status {}", response.status())),
            Err(error) => Some(chain(error.as_ref())),
        };
        match (reason, self.failing.load(Ordering::Relaxed)) {
            (Some(reason), false) => tracing::warn!(reason, "the trace collector takes no spans"),
            (None, true) => tracing::info!("the trace collector takes spans again"),
            (Some(_), true) | (None, false) => return,
        }
        self.failing.fetch_not(Ordering::Relaxed);
    }
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let Some(runtime) = &self.runtime else {
            return Err("the exporter is shut down".into());
        };
        let outcome = runtime.block_on(self.send(request));
        self.note(&outcome);
        outcome
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // Waiting for a name that is still being looked up would hold the process up.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

/// An error and its causes on one line; hyper keeps what matters in the causes.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}
