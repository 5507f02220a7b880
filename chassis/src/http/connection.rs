//! One client's connection, from its first byte to its last.

use std::{convert::Infallible, error::Error, pin::Pin, sync::Arc, task::Poll, time::Duration};

use ::http::{Request, Response, StatusCode};
use http_body::Body;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tower::{Service, ServiceExt};

use super::{
    Ids, Options, Refusal, Words,
    floor::{Floor, InTurn},
    patient::Patient,
};
use crate::shutdown::Drain;

/// How long a client may go on sending after it has been answered.
const LINGER: Duration = Duration::from_secs(5);

/// How a connection came to its end.
enum End {
    /// hyper is done with it.
    Served(hyper::Result<()>),
    /// The drain began, and no request was being answered.
    Drained,
}

/// Serves requests with `stack` until the client leaves, or until the drain finds it without a request.
pub(super) async fn serve<S, B>(words: Arc<dyn Words>, stream: TcpStream, stack: S, drain: Drain, options: Options)
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible> + Clone + Unpin + 'static,
    B: Body<Error: Into<Box<dyn Error + Send + Sync>>> + Unpin + 'static,
{
    let floor = Floor::default();
    let turn = floor.clone();
    let service = service_fn(move |request| {
        turn.take();
        let (answer, turn) = (stack.clone().oneshot(request), turn.clone());
        // Boxed, because a connection that is to say a last word must be movable.
        Box::pin(async move { answer.await.map(|response| response.map(|body| turn.answer(body))) })
    });
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(options.header_timeout)
        .serve_connection(TokioIo::new(InTurn::new(Patient::new(stream), floor.clone())), service);
    let mut draining = std::pin::pin!(drain.draining());
    let mut told = false;
    let end = std::future::poll_fn(|cx| {
        // The connection first: what has come in time is served.
        if let Poll::Ready(result) = connection.poll_without_shutdown(cx) {
            return Poll::Ready(End::Served(result));
        }
        if !told && draining.as_mut().poll(cx).is_ready() {
            told = true;
            if !floor.is_free() {
                Pin::new(&mut connection).graceful_shutdown();
                cx.waker().wake_by_ref();
            }
        }
        if told && floor.is_free() { Poll::Ready(End::Drained) } else { Poll::Pending }
    })
    .await;
    let parts = connection.into_parts();
    let (stream, held_back) = parts.io.into_inner().into_parts();
    let mut stream = stream.into_inner();
    let unread = !parts.read_buf.is_empty();
    // While an answer is under way, more words would only spoil it.
    if floor.is_free()
        && let Some(refusal) = last_words(&end, held_back, unread, options.header_timeout)
    {
        // The client is owed an answer, and hyper is past giving one. Whether it is read is the client's affair.
        let _unread = stream.write_all(&written(refusal, &*words, &options.ids)).await;
    }
    let _gone = stream.shutdown().await;
    linger(stream, unread).await;
}

/// Tells a client that there are already as many as there may be.
pub(super) async fn refuse(words: Arc<dyn Words>, mut stream: TcpStream, options: Options) {
    let refusal = Refusal::TooMany(options.connections);
    let _unread = stream.write_all(&written(refusal, &*words, &options.ids)).await;
    let _gone = stream.shutdown().await;
    linger(stream, true).await;
}

/// What is said to a client whose request never became one. A client that had said nothing was only keeping the
/// connection: it would take an answer for that to its next request.
fn last_words(end: &End, held_back: Option<StatusCode>, unread: bool, headers_within: Duration) -> Option<Refusal> {
    match (end, held_back) {
        (_, Some(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE)) => Some(Refusal::Headers),
        (_, Some(StatusCode::URI_TOO_LONG)) => Some(Refusal::Url),
        (_, Some(_)) => Some(Refusal::Unreadable),
        // HTTP/2 without a negotiation, which hyper does not answer.
        (End::Served(Err(error)), None) if error.is_parse() => Some(Refusal::Unreadable),
        (End::Served(Err(error)), None) if error.is_timeout() && unread => Some(Refusal::Slow(headers_within)),
        (End::Drained, None) if unread => Some(Refusal::Stopping),
        _ => None,
    }
}

/// A refusal as bytes of HTTP.
fn written(refusal: Refusal, words: &dyn Words, ids: &Ids) -> Vec<u8> {
    let status = refusal.status();
    let body = words.refusal(refusal);
    let length = body.len();
    let id = ids.fresh();
    let id = id.to_str().unwrap_or_default();
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nx-request-id: {id}\r\n\
         connection: close\r\n\r\n"
    );
    [head.as_bytes(), &body].concat()
}

/// Lets a client finish that is still sending what nobody will read (a body over the limit, say). A connection that is
/// closed over its words is reset, and the reset may overtake the answer that says why.
async fn linger(mut stream: TcpStream, unread: bool) {
    if !unread && !matches!(stream.try_read(&mut [0]), Ok(1..)) {
        return;
    }
    let mut discarded = vec![0; 16 * 1024];
    let reading = async { while matches!(stream.read(&mut discarded).await, Ok(1..)) {} };
    let _late = tokio::time::timeout(LINGER, reading).await;
}
