//! As much of an HTTP client as the outside world needs: a connection a request, whole answers and event streams.

use std::net::SocketAddr;

use anyhow::{Context, Result};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::{HeaderMap, Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

/// An answer with its whole body.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    /// The body as JSON; null where it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// A header, empty where there is none.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        header(&self.headers, name)
    }
}

/// A header, empty where there is none.
#[must_use]
pub fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// Sends one request and gives back the answer as soon as its head is there.
pub async fn send(to: SocketAddr, request: Request<Full<Bytes>>) -> Result<Response<Incoming>> {
    let stream = TcpStream::connect(to).await.with_context(|| format!("cannot connect to {to}"))?;
    stream.set_nodelay(true)?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // The connection lives as long as the body is read, and ends when it is dropped.
    tokio::spawn(connection);
    let path = request.uri().path().to_owned();
    sender.send_request(request).await.with_context(|| format!("no answer from {to}{path}"))
}

/// Reads the rest of an answer.
pub async fn whole(response: Response<Incoming>) -> Result<Answer> {
    let (head, body) = response.into_parts();
    let body = body.collect().await.context("the body broke off")?.to_bytes();
    Ok(Answer { status: head.status.as_u16(), headers: head.headers, body })
}

pub async fn get(from: SocketAddr, path: &str) -> Result<Answer> {
    let request = Request::get(path).header("host", from.to_string()).body(Full::default())?;
    whole(send(from, request).await?).await
}

/// The events of a body, as they come.
#[derive(Debug)]
pub struct Events {
    body: Incoming,
    buffer: String,
    /// Bytes of a character that is not whole yet.
    rest: Vec<u8>,
}

impl Events {
    #[must_use]
    pub const fn of(body: Incoming) -> Self {
        Self { body, buffer: String::new(), rest: Vec::new() }
    }

    /// The data of the next event; `None` at the end of the body, an error where it broke off.
    pub async fn next(&mut self) -> Result<Option<String>> {
        loop {
            if let Some(at) = self.buffer.find("\n\n") {
                let event: String = self.buffer.drain(..at + 2).collect();
                let data: Vec<&str> =
                    event.lines().filter_map(|line| line.strip_prefix("data:")).map(str::trim_start).collect();
                if data.is_empty() {
                    continue;
                }
                return Ok(Some(data.join("\n")));
            }
            let Some(frame) = self.body.frame().await else { return Ok(None) };
            if let Ok(data) = frame.context("the stream broke off")?.into_data() {
                self.push(&data);
            }
        }
    }

    fn push(&mut self, data: &[u8]) {
        self.rest.extend_from_slice(data);
        let whole = match std::str::from_utf8(&self.rest) {
            Ok(_) => self.rest.len(),
            Err(error) => error.valid_up_to(),
        };
        let rest = self.rest.split_off(whole);
        self.buffer.push_str(&String::from_utf8_lossy(&self.rest));
        self.rest = rest;
    }
}
