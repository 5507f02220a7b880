//! Accepting connections, from several listeners as if they were one.

use std::future::poll_fn;
use std::io;
use std::net::{self, SocketAddr};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::sleep;

use crate::clock;

/// A peer that has been silent this long is asked whether it is still there.
const KEEPALIVE: Duration = Duration::from_secs(60);

/// How long to wait when the process is out of file descriptors; accepting again at once would only
/// burn CPU until a connection closes.
const EXHAUSTED: Duration = Duration::from_millis(50);

/// How often that is worth a line in the log.
const TELL_EVERY: Duration = Duration::from_secs(10);

/// The connections that come in on any of some listeners, each one tuned.
#[derive(Debug)]
pub struct Incoming {
    listeners: Vec<TcpListener>,
    /// Which listener is asked first, so that a busy one does not starve the others.
    turn: usize,
    /// When it was last told that no connection can be accepted.
    told: Option<Instant>,
}

impl Incoming {
    /// Registers the listeners of [`super::Listen::bind`] with the current tokio runtime.
    ///
    /// # Errors
    ///
    /// When the runtime refuses a listener.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime, as tokio does.
    pub fn new(listeners: Vec<net::TcpListener>) -> io::Result<Self> {
        let listeners = listeners.into_iter().map(TcpListener::from_std).collect::<Result<_, _>>()?;
        Ok(Self { listeners, turn: 0, told: None })
    }

    /// The addresses that are listened on, with the ports the kernel picked.
    #[must_use]
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.listeners.iter().filter_map(|listener| listener.local_addr().ok()).collect()
    }

    /// The next connection. Errors of accepting are no reason to stop, so they are logged and
    /// waited out here. Dropping the future loses no connection.
    pub async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        loop {
            match poll_fn(|context| self.poll_accept(context)).await {
                Ok((stream, peer)) => {
                    tune(&stream);
                    return (stream, peer);
                }
                Err(error) if is_of_the_peer(&error) => {
                    tracing::debug!(%error, "a connection was gone before it was accepted");
                }
                Err(error) => {
                    let now = clock::now();
                    if self.told.is_none_or(|told| now.saturating_duration_since(told) >= TELL_EVERY) {
                        self.told = Some(now);
                        tracing::warn!(%error, "cannot accept connections; trying again and again");
                    }
                    sleep(EXHAUSTED).await;
                }
            }
        }
    }

    /// Stops listening: the last connections, which the kernel has completed and nobody has accepted yet. Closing the
    /// listeners over them would reset clients that are waiting for an answer.
    pub fn into_last(self) -> impl Iterator<Item = TcpStream> {
        self.listeners.into_iter().filter_map(|listener| listener.into_std().ok()).flat_map(|listener| {
            std::iter::from_fn(move || {
                let (stream, _) = listener.accept().ok()?;
                stream.set_nonblocking(true).ok()?;
                let stream = TcpStream::from_std(stream).ok()?;
                tune(&stream);
                Some(stream)
            })
        })
    }

    fn poll_accept(&mut self, context: &mut Context<'_>) -> Poll<io::Result<(TcpStream, SocketAddr)>> {
        self.turn = self.turn.wrapping_add(1);
        let count = self.listeners.len().max(1);
        let (later, first) = self.listeners.split_at(self.turn % count);
        first
            .iter()
            .chain(later)
            .map(|listener| listener.poll_accept(context))
            .find(Poll::is_ready)
            .unwrap_or(Poll::Pending)
    }
}

/// Sets up a connection for many small writes: no delay, and probes that notice a vanished peer.
///
/// A socket that refuses is about to fail anyway, so that is only worth a debug line.
pub fn tune(stream: &TcpStream) {
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE);
    let tuned = stream.set_nodelay(true).and_then(|()| SockRef::from(stream).set_tcp_keepalive(&keepalive));
    if let Err(error) = tuned {
        tracing::debug!(%error, "a connection could not be tuned");
    }
}

fn is_of_the_peer(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionRefused
    )
}
