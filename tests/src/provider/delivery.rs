//! An answer onto the wire, with the failure that was asked for.

use std::future;
use std::io::Result;
use std::time::Duration;

use hyper::StatusCode;
use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::time::sleep;

use super::journal::Entry;
use super::prompt::{Dialect, Event};
use super::script::{Ending, Fault, Step};

/// What the provider would say if nothing went wrong.
pub(super) enum Answer {
    Whole { status: u16, body: Value },
    Stream(Vec<Event>),
}

/// What becomes of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Connection {
    Keep,
    Close,
    Reset,
}

/// What one delivery works with.
pub(super) struct Delivery<'a> {
    pub out: &'a mut OwnedWriteHalf,
    pub dialect: &'a dyn Dialect,
    pub step: &'a Step,
    pub entry: &'a Entry,
}

impl Delivery<'_> {
    pub(super) async fn deliver(mut self, answer: Answer) -> Result<Connection> {
        pause(self.step.head_delay_ms).await;
        match (&self.step.fault, answer) {
            (Fault::HangBeforeHead, _) => future::pending().await,
            (Fault::ResetBeforeHead, _) => Ok(Connection::Reset),
            (Fault::CloseBeforeHead, _) => Ok(Connection::Close),
            (Fault::Status { code, retry_after, message }, _) => {
                let message = message.as_deref().unwrap_or_else(|| words_for(*code));
                let body = self.dialect.refusal(*code, message).to_string();
                let retry_after =
                    retry_after.as_ref().map(|value| format!("retry-after: {value}\r\n")).unwrap_or_default();
                head(self.out, *code, "application/json", &format!("{retry_after}content-length: {}", body.len()))
                    .await?;
                last(self.out, body.as_bytes()).await
            }
            (Fault::Html { code }, _) => {
                let body = format!(
                    "<html><head><title>{code}</title></head><body><h1>{}</h1></body></html>",
                    words_for(*code)
                );
                head(self.out, *code, "text/html", &format!("content-length: {}", body.len())).await?;
                last(self.out, body.as_bytes()).await
            }
            (Fault::NotJson, _) => {
                head(self.out, 200, "application/json", "content-length: 11").await?;
                last(self.out, b"{\"choices\":").await
            }
            (Fault::ShortBody, Answer::Whole { status, body }) => {
                let body = body.to_string();
                head(self.out, status, "application/json", &format!("content-length: {}", body.len() + 100)).await?;
                last(self.out, body.as_bytes()).await?;
                Ok(Connection::Close)
            }
            (_, Answer::Whole { status, body }) => whole(self.out, status, &body).await,
            (Fault::Stream { after, ending }, Answer::Stream(events)) => {
                self.stream(events, Some((*after, *ending))).await
            }
            (_, Answer::Stream(events)) => self.stream(events, None).await,
        }
    }

    async fn stream(&mut self, events: Vec<Event>, fault: Option<(usize, Ending)>) -> Result<Connection> {
        head(self.out, 200, "text/event-stream", "cache-control: no-cache\r\ntransfer-encoding: chunked").await?;
        let mut contents = 0;
        for event in events {
            if event.is_content {
                match fault {
                    Some((after, ending)) if after == contents => {
                        if let Some(connection) = self.end(&event, ending).await? {
                            return Ok(connection);
                        }
                    }
                    _ => {}
                }
                contents += 1;
                pause(self.step.delay_ms).await;
            }
            self.chunk(&event.text).await?;
            if event.is_content {
                self.entry.content();
            }
        }
        last(self.out, b"0\r\n\r\n").await
    }

    /// The stream goes wrong where `event` would come. `None`: it goes on all the same.
    async fn end(&mut self, event: &Event, ending: Ending) -> Result<Option<Connection>> {
        let half = &event.text[..event.text.floor_char_boundary(event.text.len() / 2)];
        match ending {
            Ending::Fin => Ok(Some(Connection::Close)),
            Ending::Reset => {
                // A reset overtakes what is still on its way: let that arrive.
                sleep(Duration::from_millis(50)).await;
                Ok(Some(Connection::Reset))
            }
            Ending::MidEvent => {
                self.chunk(half).await?;
                Ok(Some(Connection::Close))
            }
            Ending::Clean => last(self.out, b"0\r\n\r\n").await.map(Some),
            Ending::Hang => future::pending().await,
            Ending::Error => {
                self.chunk(&self.dialect.failure()).await?;
                last(self.out, b"0\r\n\r\n").await.map(Some)
            }
            Ending::Malformed => {
                self.chunk(&format!("{half}\n\n")).await?;
                Ok(None)
            }
        }
    }

    async fn chunk(&mut self, text: &str) -> Result<()> {
        let size = if self.step.byte_by_byte { 1 } else { text.len().max(1) };
        for part in text.as_bytes().chunks(size) {
            let framed = [format!("{:x}\r\n", part.len()).as_bytes(), part, b"\r\n"].concat();
            self.out.write_all(&framed).await?;
        }
        Ok(())
    }
}

/// A whole answer as it should be.
pub(super) async fn whole(out: &mut OwnedWriteHalf, status: u16, body: &Value) -> Result<Connection> {
    let body = body.to_string();
    head(out, status, "application/json", &format!("content-length: {}", body.len())).await?;
    last(out, body.as_bytes()).await
}

async fn head(out: &mut OwnedWriteHalf, status: u16, content_type: &str, headers: &str) -> Result<()> {
    let reason = StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()).unwrap_or("Status");
    let head =
        format!("HTTP/1.1 {status} {reason}\r\ncontent-type: {content_type}\r\nserver: simulated\r\n{headers}\r\n\r\n");
    out.write_all(head.as_bytes()).await
}

/// The last bytes of an answer, after which the connection can be used again.
async fn last(out: &mut OwnedWriteHalf, bytes: &[u8]) -> Result<Connection> {
    out.write_all(bytes).await?;
    Ok(Connection::Keep)
}

/// A sleep of nothing would be one to the timer's next tick.
async fn pause(ms: u64) {
    if ms > 0 {
        sleep(Duration::from_millis(ms)).await;
    }
}

const fn words_for(status: u16) -> &'static str {
    match status {
        401 => "Incorrect API key provided.",
        402 => "Your credit balance is too low.",
        403 => "Your key does not have permission for this.",
        404 => "The model does not exist.",
        408 => "The request took too long.",
        429 => "Rate limit reached, slow down.",
        503 | 529 => "Overloaded, try again later.",
        400..=499 => "The request is not valid.",
        _ => "The server had an error.",
    }
}
