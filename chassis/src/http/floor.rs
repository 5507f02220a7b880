//! Whose turn it is on a client's connection: nobody's, or that of a request which is being answered.
//!
//! hyper answers what is no request by itself, with a status and an empty body, which no SDK can turn into its error.
//! It can be told from our answers by the turn: hyper speaks out of turn. What it says then is held back here, so that
//! the connection can say it properly.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
    task::{Context, Poll},
};

use ::http::StatusCode;
use http_body::{Body, Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

const FREE: u8 = 0;
/// A request is being answered.
const TAKEN: u8 = 1;
/// The answer is complete, but the last of it may not have been sent.
const LEAVING: u8 = 2;

/// The turn on one connection. Clones are the same turn; all of them live in the connection's task.
#[derive(Clone, Debug, Default)]
pub(super) struct Floor(Arc<AtomicU8>);

impl Floor {
    /// A request has come.
    pub(super) fn take(&self) {
        self.0.store(TAKEN, Ordering::Relaxed);
    }

    /// Whether no request is being answered, and all answers have been sent.
    pub(super) fn is_free(&self) -> bool {
        self.0.load(Ordering::Relaxed) == FREE
    }

    /// The answer's body, which keeps the turn until it has been given out.
    pub(super) const fn answer<B>(self, body: B) -> Answer<B> {
        Answer { body, floor: self }
    }

    /// Everything that was said so far has been sent.
    fn sent(&self) {
        let _still_taken = self.0.compare_exchange(LEAVING, FREE, Ordering::Relaxed, Ordering::Relaxed);
    }
}

/// The body of an answer.
#[derive(Debug)]
pub(super) struct Answer<B> {
    body: B,
    floor: Floor,
}

impl<B: Body + Unpin> Body for Answer<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl<B> Drop for Answer<B> {
    fn drop(&mut self) {
        self.floor.0.store(LEAVING, Ordering::Relaxed);
    }
}

/// A connection on which nothing is said out of turn.
#[derive(Debug)]
pub(super) struct InTurn<S> {
    stream: S,
    floor: Floor,
    held_back: Vec<u8>,
}

impl<S> InTurn<S> {
    pub(super) const fn new(stream: S, floor: Floor) -> Self {
        Self { stream, floor, held_back: Vec::new() }
    }

    /// The connection, and the status of what was held back.
    pub(super) fn into_parts(self) -> (S, Option<StatusCode>) {
        let status = self.held_back.split(|byte| *byte == b' ').nth(1);
        (self.stream, status.and_then(|status| StatusCode::from_bytes(status).ok()))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for InTurn<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for InTurn<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.floor.is_free() {
            self.held_back.extend_from_slice(bytes);
            return Poll::Ready(Ok(bytes.len()));
        }
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.floor.is_free() {
            let held = self.held_back.len();
            pieces.iter().for_each(|piece| self.held_back.extend_from_slice(piece));
            return Poll::Ready(Ok(self.held_back.len() - held));
        }
        Pin::new(&mut self.stream).poll_write_vectored(cx, pieces)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // hyper flushes once it has written all that it had.
        self.floor.sent();
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
