//! One kept-alive connection, and what is asked over it.

use std::net::Ipv4Addr;

use anyhow::{Context as _, bail};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::job::Pace;
use super::reply::Reply;
use crate::clock;

/// A request as bytes, 0.2 KB of JSON under the few headers that a client's SDK cannot do without.
pub(crate) struct Ask(pub(crate) Vec<u8>);

/// A word that every whole answer of the upstream holds.
pub(crate) const SAYS_HELLO: &str = "Outriggers";

impl Ask {
    pub(crate) fn whole(port: u16) -> Self {
        Self::new(port, "bench", "")
    }

    pub(super) fn stream(port: u16, chunks: u32, every_ms: u64, pace: Pace) -> Self {
        let kind = match pace {
            Pace::Spread => "spread",
            Pace::Bursts => "bursts",
        };
        Self::new(port, &format!("{kind}-{chunks}x{every_ms}"), r#","stream":true"#)
    }

    fn new(port: u16, model: &str, more: &str) -> Self {
        let body = format!(
            r#"{{"model":"{model}","messages":[{{"role":"system","content":"You answer in one short paragraph."}},{{"role":"user","content":"What does an outrigger do for a canoe on the open sea?"}}],"max_tokens":200{more}}}"#
        );
        Self(
            format!(
                "POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nauthorization: Bearer bench-agent\r\n\
                 content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            )
            .into_bytes(),
        )
    }
}

pub(super) struct Connection {
    port: u16,
    stream: Option<TcpStream>,
    read: Vec<u8>,
}

impl Connection {
    pub(super) async fn open(port: u16) -> anyhow::Result<Self> {
        let stream = Self::connect(port).await?;
        Ok(Self { port, stream: Some(stream), read: vec![0; 16 * 1_024] })
    }

    async fn connect(port: u16) -> anyhow::Result<TcpStream> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.context("connecting")?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    /// Asks, and hands on each piece of the answer's body with the instant at which it was read. After a failure the
    /// next request has a new connection.
    pub(super) async fn exchange(&mut self, ask: &Ask, heard: impl FnMut(&[u8], u64)) -> anyhow::Result<()> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => Self::connect(self.port).await?,
        };
        let reply = Self::answer(&mut stream, &mut self.read, ask, heard).await?;
        if reply.keeps_alive() {
            self.stream = Some(stream);
        }
        match reply.status() {
            200 => Ok(()),
            other => bail!("status {other}"),
        }
    }

    async fn answer(
        stream: &mut TcpStream,
        read: &mut [u8],
        ask: &Ask,
        mut heard: impl FnMut(&[u8], u64),
    ) -> anyhow::Result<Reply> {
        stream.write_all(&ask.0).await.context("asking")?;
        let mut reply = Reply::default();
        loop {
            let count = stream.read(read).await.context("reading")?;
            if count == 0 {
                bail!("the answer broke off");
            }
            let now = clock::now();
            if reply.push(&read[..count], |piece| heard(piece, now))? {
                return Ok(reply);
            }
        }
    }
}
