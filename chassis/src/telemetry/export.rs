//! The HTTP client that carries spans and metrics to the collector.
//!
//! The SDK exports from a plain thread and blocks in it, so the client brings a small runtime of
//! its own and never borrows the data plane's. It speaks TLS with the same library as everything
//! else here, which a ready-made client would not. A collector that is away is told about once, not
//! every five seconds.

use std::error::Error;
use std::fmt;
use std::io;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::uri::Scheme;
use http::{Request, Response};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use opentelemetry_http::{HttpClient, HttpError};
use tokio::runtime::{Builder, Runtime};
use tokio::time;

use crate::causes::causes;
use crate::tls::Roots;

/// A collector answers with a few bytes; more than this is not read.
const MAX_ANSWER: usize = 64 << 10;

type Https = legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

pub(super) struct Client {
    /// What it carries.
    what: &'static str,
    roots: Roots,
    /// Made for the first export: what is to be said of the roots is said when the log has begun.
    http: OnceLock<Https>,
    timeout: Duration,
    /// There until the client is dropped.
    runtime: Option<Runtime>,
    failing: AtomicBool,
}

impl Client {
    /// A client for `what` that trusts these roots.
    pub(super) fn new(what: &'static str, timeout: Duration, roots: Roots) -> Result<Self, Box<dyn Error>> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let (http, runtime) = (OnceLock::new(), Some(runtime));
        Ok(Self { what, roots, http, timeout, runtime, failing: AtomicBool::new(false) })
    }

    fn http(&self, any_tls: bool) -> &Https {
        self.http.get_or_init(|| {
            let connector = HttpsConnectorBuilder::new().with_tls_config(self.roots.client(any_tls));
            legacy::Client::builder(TokioExecutor::new())
                // Between two exports nothing drives the runtime, so an idle connection would go stale.
                .pool_max_idle_per_host(0)
                .build(connector.https_or_http().enable_http1().build())
        })
    }

    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let any_tls = request.uri().scheme() == Some(&Scheme::HTTPS);
        let exchange = async {
            let response = self.http(any_tls).request(request.map(Full::new)).await?;
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
            Err(error) => Some(causes(error.as_ref())),
        };
        let what = self.what;
        match (reason, self.failing.load(Ordering::Relaxed)) {
            (Some(reason), false) => tracing::warn!(reason, "the collector takes no {what}"),
            (None, true) => tracing::info!("the collector takes {what} again"),
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

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::sync::Arc;
    use std::thread;

    use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};
    use rustls::{ServerConfig, ServerConnection, StreamOwned};

    use super::*;
    use crate::config::Environment;

    /// A collector whose certificate is of an authority of its own: where it is, and that authority's certificate.
    fn collector(authority: &str) -> (u16, String) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, authority);
        let root = params.self_signed(&key).unwrap().pem();
        let issuer = Issuer::new(params, key);
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(["localhost".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
        let server = ServerConfig::builder().with_no_client_auth().with_single_cert(
            vec![CertificateDer::from(certificate)],
            PrivateKeyDer::Pkcs8(key.serialize_der().into()),
        );
        let server = Arc::new(server.unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let connection = ServerConnection::new(Arc::clone(&server)).unwrap();
                let mut tls = StreamOwned::new(connection, stream.unwrap());
                // Whoever does not believe the certificate hangs up.
                if matches!(tls.read(&mut [0; 4096]), Ok(1..)) {
                    tls.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
                }
            }
        });
        (port, root)
    }

    /// An export to `localhost:port` by a process that is told to trust this authority.
    fn export(port: u16, authority: &str) -> Result<Response<Bytes>, HttpError> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), authority).unwrap();
        let environment = Environment::from_pairs([("SSL_CERT_FILE", file.path().to_str().unwrap())]);
        let client = Client::new("spans", Duration::from_secs(10), Roots::of(&environment)).unwrap();
        let request = Request::post(format!("https://localhost:{port}/v1/traces")).body(Bytes::from("spans")).unwrap();
        client.runtime.as_ref().unwrap().block_on(client.send(request))
    }

    #[test]
    fn a_collector_of_a_private_authority_gets_spans_where_the_authority_is_trusted() {
        let (port, authority) = collector("ours");
        let (_, other) = collector("another");
        assert_eq!(export(port, &authority).unwrap().status(), 200);
        let refused = causes(export(port, &other).unwrap_err().as_ref());
        assert!(refused.contains("UnknownIssuer"), "{refused}");
    }
}
