//! A server that does as it is told, down to the byte, and keeps what it was asked.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use chassis::task;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
};

/// What was asked.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    head: String,
    pub(crate) body: Value,
}

impl Request {
    pub(crate) fn path(&self) -> &str {
        self.head.split(' ').nth(1).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().skip(1).find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// The texts that are to be embedded.
    pub(crate) fn texts(&self) -> Vec<String> {
        let texts = self.body.get("input").or_else(|| self.body.get("inputs")).unwrap().as_array().unwrap();
        texts.iter().map(|text| text.as_str().unwrap().to_owned()).collect()
    }
}

/// What is answered.
#[derive(Debug, Clone)]
pub(crate) enum Reply {
    /// Status line and headers, a line each, and the body.
    Http(String, Vec<u8>),
    /// The same, after a while.
    Later(Duration, String, Vec<u8>),
    /// The connection is closed after the first bytes of an answer.
    CutOff,
    /// An answer that does not say how long it is, and has no end.
    Endless,
    /// Nothing, until the other side goes.
    Hang,
}

impl Reply {
    pub(crate) fn status(status: &str, body: impl AsRef<[u8]>) -> Self {
        Self::Http(format!("HTTP/1.1 {status}"), body.as_ref().to_vec())
    }

    pub(crate) fn json(body: &Value) -> Self {
        Self::status("200 OK", body.to_string())
    }

    pub(crate) fn after(self, pause: Duration) -> Self {
        match self {
            Self::Http(head, body) => Self::Later(pause, head, body),
            other @ (Self::Later(..) | Self::CutOff | Self::Endless | Self::Hang) => other,
        }
    }
}

/// A server, and what it was asked so far.
#[derive(Clone)]
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    asked: Arc<Mutex<Vec<Request>>>,
}

impl Server {
    /// It answers by what is asked and how often it was asked before.
    pub(crate) async fn start(handler: impl Fn(usize, &Request) -> Reply + Send + Sync + 'static) -> Self {
        Self::at(([127, 0, 0, 1], 0).into(), handler).await
    }

    /// The same, where somebody looks for it already.
    #[allow(dead_code, reason = "not all tests that share this file have a use for it")]
    pub(crate) async fn at(
        address: SocketAddr,
        handler: impl Fn(usize, &Request) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let server = Self { address: listener.local_addr().unwrap(), asked: Arc::default() };
        let (shared, handler) = (server.clone(), Arc::new(handler));
        task::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (shared, handler) = (shared.clone(), Arc::clone(&handler));
                task::spawn(async move {
                    while let Some(request) = read(&mut stream).await {
                        let before = {
                            let mut asked = shared.asked.lock().unwrap();
                            asked.push(request.clone());
                            asked.len() - 1
                        };
                        if write(&mut stream, handler(before, &request)).await.is_none() {
                            return;
                        }
                    }
                });
            }
        });
        server
    }

    pub(crate) async fn answering(reply: Reply) -> Self {
        Self::start(move |_, _| reply.clone()).await
    }

    pub(crate) fn base(&self) -> String {
        self.url("/v1")
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn asked(&self) -> Vec<Request> {
        self.asked.lock().unwrap().clone()
    }
}

async fn read(stream: &mut TcpStream) -> Option<Request> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let mut request = Request { head: String::from_utf8(head).ok()?, body: Value::Null };
    let mut body = vec![0; request.header("content-length")?.parse().ok()?];
    stream.read_exact(&mut body).await.ok()?;
    request.body = serde_json::from_slice(&body).unwrap();
    Some(request)
}

async fn write(stream: &mut TcpStream, reply: Reply) -> Option<()> {
    let (head, body) = match reply {
        Reply::Http(head, body) => (head, body),
        Reply::Later(pause, head, body) => {
            tokio::time::sleep(pause).await;
            (head, body)
        }
        Reply::CutOff => {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{\"data\"").await;
            return None;
        }
        Reply::Endless => {
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n[").await.ok()?;
            while stream.write_all(b"1, ").await.is_ok() {}
            return None;
        }
        Reply::Hang => {
            let _ = stream.read(&mut [0]).await;
            return None;
        }
    };
    let head = format!("{head}\r\ncontent-length: {}\r\n\r\n", body.len());
    stream.write_all(&[head.as_bytes(), &body].concat()).await.ok()
}

/// A vector that tells texts apart: their lengths and first letters.
pub(crate) fn vector(text: &str) -> Vec<f64> {
    vec![1.0, text.len() as f64, f64::from(text.bytes().next().unwrap_or_default())]
}

/// What a good server of OpenAI's shape answers, in any order it likes.
pub(crate) fn embeddings(request: &Request) -> Reply {
    let mut data: Vec<Value> = Vec::new();
    for (index, text) in request.texts().iter().enumerate() {
        data.push(json!({"object": "embedding", "index": index, "embedding": vector(text)}));
    }
    data.reverse();
    Reply::json(&json!({"object": "list", "data": data, "model": "test-model", "usage": {"prompt_tokens": 1}}))
}

/// The vector of `text` as it should come out.
pub(crate) fn unit(text: &str) -> Vec<f32> {
    let vector = vector(text);
    let length = vector.iter().map(|number| number * number).sum::<f64>().sqrt();
    vector.iter().map(|number| (number / length) as f32).collect()
}
