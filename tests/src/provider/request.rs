//! Bytes -> one HTTP/1.1 request. As much of HTTP as clients of model providers send.

use std::io::{Error, ErrorKind, Result};

use tokio::io::{AsyncRead, AsyncReadExt};

const MAX_HEAD: usize = 256 * 1024;
const MAX_BODY: usize = 256 * 1024 * 1024;

/// One request, header names in lower case.
#[derive(Debug)]
pub(super) struct Request {
    pub method: String,
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Request {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The key, as either vendor's clients send it.
    pub(super) fn key(&self) -> &str {
        let bearer = || self.header("authorization").and_then(|value| value.strip_prefix("Bearer "));
        self.header("x-api-key").or_else(bearer).unwrap_or_default()
    }
}

/// Reads requests off one connection; what was read beyond one is kept for the next.
pub(super) struct Reader<R> {
    stream: R,
    buffer: Vec<u8>,
}

impl<R: AsyncRead + Unpin> Reader<R> {
    pub(super) const fn new(stream: R) -> Self {
        Self { stream, buffer: Vec::new() }
    }

    /// The next request; `None` when the other side is done.
    pub(super) async fn next(&mut self) -> Result<Option<Request>> {
        let Some(head) = self.take_until(b"\r\n\r\n").await? else { return Ok(None) };
        let head = String::from_utf8_lossy(&head).into_owned();
        let mut lines = head.split("\r\n");
        let mut first = lines.next().unwrap_or_default().split(' ');
        let (Some(method), Some(target)) = (first.next(), first.next()) else { return Err(malformed("request line")) };
        let headers = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        let path = target.split('?').next().unwrap_or_default().to_owned();
        let mut request = Request { method: method.to_owned(), path, headers, body: Vec::new() };
        request.body = self.body(&request).await?;
        Ok(Some(request))
    }

    /// Returns when the other side has gone away. Nobody who waits for an answer sends anything meanwhile.
    pub(super) async fn gone(&mut self) {
        let mut bytes = [0; 1024];
        while let Ok(read) = self.stream.read(&mut bytes).await {
            if read == 0 {
                return;
            }
            self.buffer.extend(bytes.iter().take(read));
        }
    }

    async fn body(&mut self, request: &Request) -> Result<Vec<u8>> {
        if request.header("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked")) {
            return self.chunks().await;
        }
        let length = request.header("content-length").map_or(Ok(0), str::parse).map_err(|_| malformed("length"))?;
        self.take(length).await
    }

    async fn chunks(&mut self) -> Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let size = self.take_until(b"\r\n").await?.ok_or_else(|| malformed("chunk"))?;
            let size = usize::from_str_radix(String::from_utf8_lossy(&size).trim(), 16)
                .map_err(|_| malformed("chunk size"))?;
            body.extend(self.take(size).await?);
            self.take(2).await?;
            if size == 0 {
                return Ok(body);
            }
        }
    }

    /// Exactly `length` bytes.
    async fn take(&mut self, length: usize) -> Result<Vec<u8>> {
        if length > MAX_BODY {
            return Err(malformed("too long a body"));
        }
        while self.buffer.len() < length {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
        }
        let rest = self.buffer.split_off(length);
        Ok(std::mem::replace(&mut self.buffer, rest))
    }

    /// What comes before `mark`, which is dropped; `None` when the other side is done.
    async fn take_until(&mut self, mark: &[u8]) -> Result<Option<Vec<u8>>> {
        loop {
            if let Some(at) = self.buffer.windows(mark.len()).position(|window| window == mark) {
                let mut taken = self.take(at + mark.len()).await?;
                taken.truncate(at);
                return Ok(Some(taken));
            }
            if self.buffer.len() > MAX_HEAD {
                return Err(malformed("too long a head"));
            }
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Ok(None);
            }
        }
    }
}

fn malformed(what: &str) -> Error {
    Error::new(ErrorKind::InvalidData, format!("malformed request: {what}"))
}
