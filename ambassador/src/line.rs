//! One connection to a provider, driven by the request that uses it.
//!
//! hyper's connection is a future that somebody has to poll. On a task of its own every piece of an answer would be
//! handed from task to task, and from thread to thread where there are several; here the request polls it on its own
//! way. Between two requests nobody does: whether the provider has closed it meanwhile is found out when it is wanted.

use std::{
    future::poll_fn,
    pin::Pin,
    task::{Context, Poll, Waker},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame};
use http_body_util::Full;
use hyper::{
    body::Incoming,
    client::conn::http1::{self, SendRequest},
    rt::{Read, Write},
};
use hyper_util::rt::TokioIo;
use tokio::time::timeout;

use crate::heard::{Heard, Listening};

type Driver<I> = http1::Connection<TokioIo<Listening<I>>, Full<Bytes>>;

/// A connection over `I`.
#[derive(Debug)]
pub(crate) struct Line<I: Read + Write + Unpin> {
    sender: SendRequest<Full<Bytes>>,
    /// Gone once the connection is.
    driver: Option<Box<Driver<I>>>,
    heard: Heard,
}

impl<I: Read + Write + Unpin + Send> Line<I> {
    /// HTTP/1.1 over `io`.
    ///
    /// # Errors
    /// hyper's own.
    pub(crate) async fn open(io: I) -> hyper::Result<Self> {
        let heard = Heard::default();
        let (sender, driver) = http1::handshake(Listening::new(io, heard.clone())).await?;
        Ok(Self { sender, driver: Some(Box::new(driver)), heard })
    }

    /// Whether the connection takes a request, and does so `within` that time.
    pub(crate) async fn ready(&mut self, within: Duration) -> bool {
        // Almost always it does at once. Then nobody need be woken by what happens on it before the request is sent.
        let at_once = self.poll_ready(&mut quiet());
        match at_once {
            Poll::Ready(open) => open,
            Poll::Pending => timeout(within, poll_fn(|cx| self.poll_ready(cx))).await == Ok(true),
        }
    }

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<bool> {
        drive(&mut self.driver, cx);
        if self.driver.is_none() {
            return Poll::Ready(false);
        }
        // What makes the sender ready happens while the connection is driven, here and below: only that has to wake.
        self.sender.poll_ready(&mut quiet()).map(|ready| ready.is_ok())
    }

    /// Lets go of the connection until it is wanted again; false if it has ended.
    pub(crate) fn park(&mut self) -> bool {
        drive(&mut self.driver, &mut quiet());
        self.driver.is_some()
    }

    /// Whether anything has come since the last request was sent.
    pub(crate) fn has_heard(&self) -> bool {
        self.heard.anything()
    }

    /// Sends the request and waits for the response's headers.
    ///
    /// # Errors
    /// When the connection breaks before they have come.
    pub(crate) async fn send(&mut self, request: Request<Full<Bytes>>) -> hyper::Result<Response<Incoming>> {
        self.heard.forget();
        let mut response = std::pin::pin!(self.sender.send_request(request));
        let driver = &mut self.driver;
        poll_fn(|cx| {
            drive(driver, cx);
            response.as_mut().poll(&mut quiet())
        })
        .await
    }

    /// The next piece of a response's body.
    pub(crate) fn poll_frame(
        &mut self,
        body: &mut Incoming,
        cx: &mut Context<'_>,
    ) -> Poll<Option<hyper::Result<Frame<Bytes>>>> {
        drive(&mut self.driver, cx);
        Pin::new(body).poll_frame(&mut quiet())
    }
}

/// Moves a connection on as far as it goes.
fn drive<I: Read + Write + Unpin + Send>(driver: &mut Option<Box<Driver<I>>>, cx: &mut Context<'_>) {
    if let Some(connection) = driver
        // Whatever ends it is told to the request on it, too.
        && Pin::new(connection).poll(cx).is_ready()
    {
        *driver = None;
    }
}

/// Wakes nobody.
const fn quiet() -> Context<'static> {
    Context::from_waker(Waker::noop())
}
