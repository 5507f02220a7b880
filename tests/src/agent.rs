//! An agent: it speaks OpenAI's dialect to whatever stands at its base URL.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::Result;
use bytes::Bytes;
use http_body_util::Full;
use hyper::{HeaderMap, Method, Request};
use serde_json::{Value, json};

use crate::http::{self, Answer, Events};

#[derive(Debug, Clone)]
pub struct Agent {
    base: SocketAddr,
    headers: Vec<(String, String)>,
}

impl Agent {
    #[must_use]
    pub fn at(base: SocketAddr) -> Self {
        Self { base, headers: vec![("authorization".into(), "Bearer the-agents-own".into())] }
    }

    /// The same agent, sending a header more, or another value of one that it has.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.retain(|(known, _)| known != name);
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Asks `model` for a whole answer to `text`.
    pub async fn ask(&self, model: &str, text: &str) -> Result<Answer> {
        self.chat(&question(model, text)).await
    }

    pub async fn chat(&self, request: &Value) -> Result<Answer> {
        self.post("/v1/chat/completions", request.to_string()).await
    }

    /// Asks `model` for a streamed answer to `text`, usage included.
    pub async fn ask_streamed(&self, model: &str, text: &str) -> Result<Stream> {
        let mut request = question(model, text);
        request["stream_options"] = json!({"include_usage": true});
        self.chat_streamed(request).await
    }

    pub async fn chat_streamed(&self, mut request: Value) -> Result<Stream> {
        request["stream"] = true.into();
        let asked = Instant::now();
        let request = self.request(Method::POST, "/v1/chat/completions", request.to_string())?;
        let response = http::send(self.base, request).await?;
        let (head, body) = response.into_parts();
        Ok(Stream { status: head.status.as_u16(), headers: head.headers, events: Events::of(body), asked })
    }

    pub async fn post(&self, path: &str, body: impl Into<Bytes>) -> Result<Answer> {
        self.call(Method::POST, path, body).await
    }

    pub async fn get(&self, path: &str) -> Result<Answer> {
        self.call(Method::GET, path, Bytes::new()).await
    }

    pub async fn call(&self, method: Method, path: &str, body: impl Into<Bytes>) -> Result<Answer> {
        http::whole(http::send(self.base, self.request(method, path, body)?).await?).await
    }

    fn request(&self, method: Method, path: &str, body: impl Into<Bytes>) -> Result<Request<Full<Bytes>>> {
        let mut request = Request::builder().method(method).uri(path).header("host", self.base.to_string());
        request = request.header("content-type", "application/json");
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        Ok(request.body(Full::new(body.into()))?)
    }
}

/// The plainest request there is.
#[must_use]
pub fn question(model: &str, text: &str) -> Value {
    json!({"model": model, "messages": [{"role": "user", "content": text}]})
}

/// A streamed answer whose head has come.
#[derive(Debug)]
pub struct Stream {
    pub status: u16,
    pub headers: HeaderMap,
    events: Events,
    asked: Instant,
}

impl Stream {
    /// A header, empty where there is none.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        http::header(&self.headers, name)
    }

    /// The data of the next event, as it came.
    pub async fn next(&mut self) -> Result<Option<String>> {
        self.events.next().await
    }

    /// Reads until the first content, which it gives back.
    pub async fn first_content(&mut self) -> Result<Option<String>> {
        while let Some(data) = self.next().await? {
            let chunk: Value = serde_json::from_str(&data).unwrap_or_default();
            match chunk.pointer("/choices/0/delta/content").and_then(Value::as_str) {
                None | Some("") => {}
                Some(content) => return Ok(Some(content.to_owned())),
            }
        }
        Ok(None)
    }

    /// Reads to the end, whatever that is.
    pub async fn read(mut self) -> Told {
        let mut told = Told::default();
        loop {
            match self.next().await {
                Ok(Some(data)) => told.take(&data, self.asked),
                Ok(None) => return told,
                Err(error) => {
                    told.broke = Some(format!("{error:#}"));
                    return told;
                }
            }
        }
    }
}

/// What a stream told, from its first event to its last.
#[derive(Debug, Default)]
pub struct Told {
    pub text: String,
    pub finish_reasons: Vec<String>,
    pub tool_calls: Vec<Value>,
    pub usage: Option<Value>,
    pub models: Vec<String>,
    /// Events that are no JSON.
    pub malformed: Vec<String>,
    /// What an event said that had an `error`.
    pub error: Option<Value>,
    /// `[DONE]` came.
    pub is_done: bool,
    /// The connection ended otherwise than HTTP says that a body ends.
    pub broke: Option<String>,
    /// How many events had content.
    pub contents: usize,
    pub first_content_after: Option<Duration>,
    /// When each event with content came.
    pub content_at: Vec<Instant>,
}

impl Told {
    fn take(&mut self, data: &str, asked: Instant) {
        if data == "[DONE]" {
            self.is_done = true;
            return;
        }
        let Ok(chunk) = serde_json::from_str::<Value>(data) else {
            self.malformed.push(data.into());
            return;
        };
        if let Some(error) = chunk.get("error") {
            self.error = Some(error.clone());
        }
        if let Some(model) = chunk["model"].as_str().filter(|model| !self.models.iter().any(|known| known == model)) {
            self.models.push(model.into());
        }
        if chunk["usage"].is_object() {
            self.usage = Some(chunk["usage"].clone());
        }
        let choice = &chunk["choices"][0];
        if let Some(reason) = choice["finish_reason"].as_str() {
            self.finish_reasons.push(reason.into());
        }
        self.tool_calls.extend(choice["delta"]["tool_calls"].as_array().into_iter().flatten().cloned());
        if let Some(content) = choice["delta"]["content"].as_str().filter(|content| !content.is_empty()) {
            self.text.push_str(content);
            self.contents += 1;
            self.first_content_after.get_or_insert_with(|| asked.elapsed());
            self.content_at.push(Instant::now());
        }
    }
}
