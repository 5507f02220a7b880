//! The part `files CORE CERTIFICATE KEY`: a server of small files that costs as little as it can.
//!
//! It says its ports for http and https on standard output. `/50/tools.json` is answered after 50 ms.

use std::convert::Infallible;
use std::future::Future;
use std::io::Write as _;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail};
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use rcgen::{CertificateParams, KeyPair};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::LocalSet;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::cores;

/// A prompt of 4 KiB: a page of text.
const LINE: &str = "You are a careful assistant. You answer briefly, and say so when you do not know.\n";
const LINES: usize = 50;
const TOOLS: &str = r#"[{"type":"function","function":{"name":"weather","description":"The weather at a place.",
"parameters":{"type":"object","properties":{"place":{"type":"string"}},"required":["place"]}}}]"#;

/// A certificate for 127.0.0.1 and its key.
pub(crate) fn certificate() -> anyhow::Result<(String, String)> {
    let key = KeyPair::generate()?;
    let certificate = CertificateParams::new(["127.0.0.1".to_owned()])?.self_signed(&key)?;
    Ok((certificate.pem(), key.serialize_pem()))
}

pub(crate) fn play(words: &[String]) -> anyhow::Result<()> {
    let [core, certificate, key] = words else { bail!("files CORE CERTIFICATE KEY") };
    cores::settle_on(core)?;
    let (chain, key) = (CertificateDer::from_pem_file(certificate)?, PrivateKeyDer::from_pem_file(key)?);
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(vec![chain], key)?;
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, async {
        let (http, https) = (listen().await?, listen().await?);
        let plain = accept(http, |stream| async { Some(stream) });
        let secured = accept(https, |stream| {
            let greeting = acceptor.accept(stream);
            async { greeting.await.ok() }
        });
        tokio::try_join!(plain, secured).map(|_| ()).context("accepting connections")
    })
}

async fn listen() -> anyhow::Result<TcpListener> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    writeln!(std::io::stdout(), "{}", listener.local_addr()?.port())?;
    Ok(listener)
}

async fn accept<S, F>(listener: TcpListener, secure: impl Fn(TcpStream) -> F) -> std::io::Result<()>
where
    S: AsyncRead + AsyncWrite + Unpin + 'static,
    F: Future<Output = Option<S>> + 'static,
{
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let stream = secure(stream);
        tokio::task::spawn_local(async move {
            let Some(stream) = stream.await else { return };
            // A connection that the other side drops is no news.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service_fn(respond)).await;
        });
    }
}

async fn respond(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let mut parts = request.uri().path().trim_start_matches('/').split('/');
    let late = parts.next().and_then(|late| late.parse().ok());
    let (Some(late), Some(name)) = (late, parts.next()) else {
        let mut refusal = Response::new(Full::from("no such file"));
        *refusal.status_mut() = StatusCode::NOT_FOUND;
        return Ok(refusal);
    };
    if late > 0 {
        tokio::time::sleep(Duration::from_millis(late)).await;
    }
    let is_json = name.ends_with(".json");
    let mut answer = Response::new(if is_json { Full::from(TOOLS) } else { Full::from(LINE.repeat(LINES)) });
    let kind = if is_json { "application/json" } else { "text/plain" };
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    Ok(answer)
}
