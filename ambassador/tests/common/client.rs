//! An HTTP client that hides nothing: what came, in which pieces, and whether it was whole.

use std::net::SocketAddr;

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::soon;

/// One connection to the ambassador.
pub(crate) struct Client {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// What was answered.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
    /// The body came to the end that HTTP has for it, and was not cut.
    pub(crate) whole: bool,
}

impl Answer {
    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    /// The error that it tells, whole or as the last event of a stream, checked for its four fields.
    pub(crate) fn error(&self) -> Value {
        let json = match self.body.trim_end().rsplit_once("data: ") {
            Some((_, last)) => last,
            None => &self.body,
        };
        let body: Value = serde_json::from_str(json).unwrap_or_default();
        let error = body["error"].clone();
        let fields: Vec<&String> = error.as_object().map(|fields| fields.keys().collect()).unwrap_or_default();
        assert_eq!(fields, ["message", "type", "param", "code"], "{self:?}");
        assert!(error["message"].is_string() && error["type"].is_string(), "{self:?}");
        assert!([&error["param"], &error["code"]].into_iter().all(|field| field.is_string() || field.is_null()));
        error
    }

    /// The text of a completion or of a stream's chunks.
    pub(crate) fn text(&self) -> String {
        let events: Vec<Value> = match self.header("content-type") {
            Some("application/json") => serde_json::from_str(&self.body).into_iter().collect(),
            _ => self.events().iter().filter_map(|data| serde_json::from_str(data).ok()).collect(),
        };
        let texts = events.iter().filter_map(|event| {
            let choice = event.pointer("/choices/0")?;
            choice.pointer("/delta/content").or_else(|| choice.pointer("/message/content"))?.as_str()
        });
        texts.collect()
    }

    /// The data of a stream's events.
    pub(crate) fn events(&self) -> Vec<&str> {
        self.body.lines().filter_map(|line| line.strip_prefix("data: ")).collect()
    }

    /// A stream that says that it is complete.
    pub(crate) fn is_complete_stream(&self) -> bool {
        self.status == 200 && self.whole && self.events().last() == Some(&"[DONE]") && !self.body.contains("\"error\"")
    }
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        Self { stream: TcpStream::connect(address).await.unwrap(), buffer: Vec::new() }
    }

    /// Sends bytes.
    pub(crate) async fn send(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).await.unwrap();
    }

    /// Sends bytes as far as the other side takes them.
    pub(crate) async fn try_send(&mut self, text: &str) {
        let _refused = self.stream.write_all(text.as_bytes()).await;
    }

    /// Sends a chat request.
    pub(crate) async fn chat(&mut self, body: &str) {
        self.post("/v1/chat/completions", body).await;
    }

    /// Sends a request with a body.
    pub(crate) async fn post(&mut self, path: &str, body: &str) {
        let length = body.len();
        let head = "host: a\r\nauthorization: Bearer agents-own\r\ncontent-type: application/json";
        self.send(&format!("POST {path} HTTP/1.1\r\n{head}\r\ncontent-length: {length}\r\n\r\n{body}")).await;
    }

    /// Reads the head of an answer.
    pub(crate) async fn head(&mut self) -> Answer {
        let end = loop {
            if let Some(at) = self.buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                break at + 4;
            }
            if !soon("the head of an answer", self.more()).await {
                return Answer::default();
            }
        };
        let head = String::from_utf8(self.buffer.drain(..end).collect()).unwrap();
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_default();
        Answer { status, head, ..Answer::default() }
    }

    /// Reads an answer to its end, or to where it is cut.
    pub(crate) async fn answer(&mut self) -> Answer {
        let mut answer = self.head().await;
        let mut body = Vec::new();
        if let Some(length) = answer.header("content-length").and_then(|length| length.parse::<usize>().ok()) {
            while self.buffer.len() < length && soon("the body of an answer", self.more()).await {}
            let length = length.min(self.buffer.len());
            answer.whole = answer.header("content-length") == Some(&length.to_string());
            body.extend(self.buffer.drain(..length));
        } else if answer.header("transfer-encoding") == Some("chunked") {
            while let Some(chunk) = self.chunk().await {
                answer.whole = chunk.is_empty();
                if answer.whole {
                    break;
                }
                body.extend_from_slice(&chunk);
            }
        }
        answer.body = String::from_utf8(body).unwrap();
        answer
    }

    /// The next chunk of a body; the one that ends it is empty. `None` where the connection ends instead.
    pub(crate) async fn chunk(&mut self) -> Option<Vec<u8>> {
        let line = loop {
            if let Some(at) = self.buffer.windows(2).position(|window| window == b"\r\n") {
                break at;
            }
            if !soon("a chunk of an answer", self.more()).await {
                return None;
            }
        };
        let size = std::str::from_utf8(&self.buffer[..line]).unwrap();
        let end = line + 2 + usize::from_str_radix(size, 16).unwrap();
        while self.buffer.len() < end + 2 {
            if !soon("the rest of a chunk", self.more()).await {
                return None;
            }
        }
        let chunk = self.buffer[line + 2..end].to_vec();
        self.buffer.drain(..end + 2);
        Some(chunk)
    }

    /// Reads what comes next; false at the end of the connection, however it ends.
    pub(crate) async fn more(&mut self) -> bool {
        matches!(self.stream.read_buf(&mut self.buffer).await, Ok(1..))
    }

    /// What has been read and not been looked at.
    pub(crate) fn unread(&self) -> String {
        String::from_utf8_lossy(&self.buffer).into_owned()
    }
}
