//! A stream from which so much comes and no more.
//!
//! The client keeps an answer until all of it is there, and believes the length that a server announces. What the limit
//! on a file is for must hold against a server that announces ten gigabytes, too.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Whether more came. It outlives the stream, which the client takes.
#[derive(Clone, Debug, Default)]
pub(super) struct Flooded(Arc<AtomicBool>);

impl Flooded {
    pub(super) fn is_so(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// The stream; it fails when more than `left` comes.
pub(super) struct Bounded<S> {
    stream: S,
    left: u64,
    flooded: Flooded,
}

impl<S> Bounded<S> {
    pub(super) fn new(stream: S, most: u64) -> (Self, Flooded) {
        let flooded = Flooded::default();
        (Self { stream, left: most, flooded: flooded.clone() }, flooded)
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Bounded<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        let came = u64::try_from(buffer.filled().len().saturating_sub(before)).unwrap_or(u64::MAX);
        let Some(left) = self.left.checked_sub(came) else {
            self.flooded.0.store(true, Ordering::Relaxed);
            return Poll::Ready(Err(io::ErrorKind::FileTooLarge.into()));
        };
        self.left = left;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Bounded<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
