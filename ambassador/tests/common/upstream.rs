//! A provider by hand: whatever bytes a test wants, when it wants them.

use std::{
    future::Future,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use chassis::task;
use socket2::SockRef;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use super::{DONE, FINISH, ROLE, USAGE, completion, content};

/// Listens, and plays its part on each connection.
pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    connections: Arc<Mutex<usize>>,
    accepting: JoinHandle<()>,
}

/// A request as it arrived.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Upstream {
    /// An upstream whose connections are each handed to `part`, with their number from 0.
    pub(crate) async fn start<F, P>(part: F) -> Self
    where
        F: Fn(Peer, usize) -> P + Send + Sync + 'static,
        P: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (seen, connections) = (Arc::<Mutex<Vec<Seen>>>::default(), Arc::<Mutex<usize>>::default());
        let (log, count) = (Arc::clone(&seen), Arc::clone(&connections));
        let accepting = task::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let number = *count.lock().unwrap();
                *count.lock().unwrap() += 1;
                task::spawn(part(Peer { stream, buffer: Vec::new(), seen: Arc::clone(&log) }, number));
            }
        });
        Self { address, seen, connections, accepting }
    }

    /// An upstream that answers whatever it is asked, and says `name` in it.
    pub(crate) async fn healthy(name: &'static str) -> Self {
        Self::start(move |mut peer, _| async move { while peer.answer(name).await.is_some() {} }).await
    }

    /// What it has been asked so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// How many connections it has had.
    pub(crate) fn connections(&self) -> usize {
        *self.connections.lock().unwrap()
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// An address at which connections are refused.
pub(crate) async fn refused() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

/// One connection of the ambassador's.
pub(crate) struct Peer {
    stream: TcpStream,
    buffer: Vec<u8>,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Peer {
    /// The next request, all of it; `None` when the connection ends before.
    pub(crate) async fn request(&mut self) -> Option<Seen> {
        let head_end = loop {
            if let Some(at) = self.buffer.windows(4).position(|window| window == b"\r\n\r\n") {
                break at + 4;
            }
            self.more().await?;
        };
        let head = String::from_utf8(self.buffer[..head_end].to_vec()).unwrap().to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let end = head_end + length.map_or(0, |length| length.trim().parse::<usize>().unwrap());
        while self.buffer.len() < end {
            self.more().await?;
        }
        let body = String::from_utf8(self.buffer[head_end..end].to_vec()).unwrap();
        self.buffer.drain(..end);
        let seen = Seen { head, body };
        self.seen.lock().unwrap().push(seen.clone());
        Some(seen)
    }

    async fn more(&mut self) -> Option<()> {
        match self.stream.read_buf(&mut self.buffer).await {
            Ok(0) | Err(_) => None,
            Ok(_) => Some(()),
        }
    }

    /// Sends these bytes. The other side may be gone; that is for [`Self::gone`] to find out.
    pub(crate) async fn send(&mut self, text: &str) {
        let _gone = self.stream.write_all(text.as_bytes()).await;
    }

    /// Sends a response with this status, type and body, and keeps the connection.
    pub(crate) async fn respond(&mut self, status: &str, kind: &str, body: &str) {
        let length = body.len();
        self.send(&format!("HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\r\n{body}"))
            .await;
    }

    /// Begins a stream of events.
    pub(crate) async fn begin(&mut self) {
        self.send("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n").await;
    }

    /// Begins a stream of events with these.
    pub(crate) async fn begin_with(&mut self, events: &str) {
        self.begin().await;
        self.chunk(events).await;
    }

    /// Sends a chunk of the body.
    pub(crate) async fn chunk(&mut self, text: &str) {
        self.send(&format!("{:x}\r\n{text}\r\n", text.len())).await;
    }

    /// Ends the body as HTTP has it.
    pub(crate) async fn end(&mut self) {
        self.send("0\r\n\r\n").await;
    }

    /// Takes a request and answers it as a good provider does; `None` when there is none.
    pub(crate) async fn answer(&mut self, name: &str) -> Option<()> {
        let request = self.request().await?;
        if request.body.contains(r#""stream":true"#) {
            self.begin().await;
            for event in [ROLE, &content(name), FINISH, USAGE, DONE] {
                self.chunk(event).await;
            }
            self.end().await;
        } else {
            self.respond("200 OK", "application/json", &completion(name)).await;
        }
        Some(())
    }

    /// Returns when the other side has closed the connection.
    pub(crate) async fn gone(&mut self) {
        while self.more().await.is_some() {}
    }

    /// Breaks the connection off with an RST.
    pub(crate) fn reset(self) {
        SockRef::from(&self.stream).set_linger(Some(Duration::ZERO)).unwrap();
    }
}
