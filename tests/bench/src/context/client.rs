//! A client of one connection: what it costs is little, and the same for everyone who is asked.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};

use anyhow::{Context as _, bail};
use serde_json::Value;

use crate::clock;
use crate::load::Reply;

pub(super) struct Client {
    port: u16,
    stream: Option<TcpStream>,
    read: Vec<u8>,
}

impl Client {
    pub(super) fn of(port: u16) -> Self {
        Self { port, stream: None, read: vec![0; 256 * 1_024] }
    }

    /// The bytes of a request.
    pub(super) fn request(&self, method: &str, path: &str, body: &str) -> Vec<u8> {
        let (port, length) = (self.port, body.len());
        format!(
            "{method} {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\ncontent-type: application/json\r\n\
             content-length: {length}\r\n\r\n{body}"
        )
        .into_bytes()
    }

    /// Sends a request: the status, the body, and how many nanoseconds it took.
    pub(super) fn send(&mut self, request: &[u8]) -> anyhow::Result<(u16, Vec<u8>, u64)> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => {
                let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).context("connecting")?;
                stream.set_nodelay(true)?;
                stream
            }
        };
        let began = clock::now();
        stream.write_all(request).context("asking")?;
        let (mut reply, mut body) = (Reply::default(), Vec::new());
        loop {
            let count = stream.read(&mut self.read).context("reading")?;
            if count == 0 {
                bail!("the answer broke off");
            }
            if reply.push(&self.read[..count], |piece| body.extend_from_slice(piece))? {
                break;
            }
        }
        let took = clock::now() - began;
        if reply.keeps_alive() {
            self.stream = Some(stream);
        }
        Ok((reply.status(), body, took))
    }

    /// The answer to a request that has to succeed.
    pub(super) fn ask(&mut self, method: &str, path: &str, body: &Value) -> anyhow::Result<Value> {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let request = self.request(method, path, &body);
        let (status, answer, _) = self.send(&request).with_context(|| format!("{method} {path}"))?;
        if status != 200 {
            bail!("{method} {path}: {status}: {}", String::from_utf8_lossy(&answer[..answer.len().min(500)]));
        }
        serde_json::from_slice(&answer).with_context(|| format!("{method} {path}: what is no JSON"))
    }
}
