//! How clients are served over HTTP/1.1: connections in, each request through the stack of whoever serves.
//!
//! What a request is answered, is for that stack to say. Here is what comes before and after: clients that say what is no
//! request, that are too many, that do not read or do not stop writing, or that are in the middle of a sentence when the
//! process ends. Each of them gets a proper answer, in the words of whoever serves ([`Words`]).

mod connection;
mod floor;
mod identity;
mod patient;
mod traced;

pub use identity::{Identified, Ids, REQUEST_ID, of as id_of};
pub use traced::{Traced, bounded};

use std::{convert::Infallible, error::Error, sync::Arc, time::Duration};

use ::http::{Request, Response, StatusCode};
use http_body::Body;
use hyper::body::Incoming as Incomplete;
use tokio::{
    net::TcpStream,
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tower::Service;

use crate::{net::Incoming, shutdown::Drain, task};

/// How many clients at once are told that there are too many.
const REFUSALS: usize = 32;

/// How somebody serves.
#[derive(Debug, Clone)]
pub struct Options {
    /// How many clients may be connected.
    pub connections: usize,
    /// How long a client may take to send a request's headers, and may keep a connection without sending any.
    pub header_timeout: Duration,
    /// What gives ids to what came without one.
    pub ids: Ids,
}

/// Why a client gets an answer that no request led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// There are as many clients as there may be.
    TooMany(usize),
    /// More headers than anybody reads.
    Headers,
    /// A URL longer than anybody reads.
    Url,
    /// No HTTP/1.1.
    Unreadable,
    /// The headers did not arrive in time.
    Slow(Duration),
    /// The process ends.
    Stopping,
}

impl Refusal {
    /// The status of the answer.
    #[must_use]
    pub const fn status(self) -> StatusCode {
        match self {
            Self::TooMany(_) | Self::Stopping => StatusCode::SERVICE_UNAVAILABLE,
            Self::Headers => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::Url => StatusCode::URI_TOO_LONG,
            Self::Unreadable => StatusCode::BAD_REQUEST,
            Self::Slow(_) => StatusCode::REQUEST_TIMEOUT,
        }
    }

    /// A word for machines.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::TooMany(_) => "overloaded",
            Self::Headers => "headers_too_large",
            Self::Url => "uri_too_long",
            Self::Unreadable => "invalid_http",
            Self::Slow(_) => "headers_timeout",
            Self::Stopping => "shutdown",
        }
    }

    /// A sentence for people. `who` serves: `ambassador`.
    #[must_use]
    pub fn message(self, who: &str) -> String {
        match self {
            Self::TooMany(limit) => {
                format!(
                    "The {who} has {limit} connections open, which is all that its limit on open files leaves room for."
                )
            }
            Self::Headers => {
                "The request's headers are too many or too long: 100 headers and 400 KiB are the limit.".to_owned()
            }
            Self::Url => "The request's URL is too long: 65534 bytes are the limit.".to_owned(),
            Self::Unreadable => {
                "This is no HTTP/1.1 request: its first line or one of its headers cannot be read.".to_owned()
            }
            Self::Slow(within) => format!("The request's headers did not arrive within {within:?}."),
            Self::Stopping => format!("The {who} is being stopped, and there was no answer yet."),
        }
    }
}

/// The words of whoever serves, for what never became a request of it.
pub trait Words: Send + Sync + 'static {
    /// The body of the answer, which is JSON.
    fn refusal(&self, refusal: Refusal) -> Vec<u8>;

    /// A client was turned away, since there are too many.
    fn turned_away(&self) {}
}

/// Serves connections with `stack` until the drain begins; those that are open then finish what they are at.
pub async fn serve<S, B>(stack: S, words: Arc<dyn Words>, mut incoming: Incoming, drain: Drain, options: Options)
where
    S: Service<Request<Incomplete>, Response = Response<B>, Error = Infallible> + Clone + Unpin + Send + 'static,
    S::Future: Send,
    B: Body<Error: Into<Box<dyn Error + Send + Sync>>, Data: Send> + Unpin + Send + 'static,
{
    let room = |connections: usize| Arc::new(Semaphore::new(connections.min(Semaphore::MAX_PERMITS)));
    let (free, refusals) = (room(options.connections), room(REFUSALS));
    let serve_one = |stream: TcpStream, permit: Option<OwnedSemaphorePermit>| {
        let connection = connection::serve(Arc::clone(&words), stream, stack.clone(), drain.clone(), options.clone());
        task::spawn(drain.track_future(async move {
            let _permit = permit;
            connection.await;
        }));
    };
    loop {
        let (stream, _peer) = tokio::select! {
            biased;
            () = drain.draining() => break,
            accepted = incoming.accept() => accepted,
        };
        if let Ok(permit) = Arc::clone(&free).try_acquire_owned() {
            serve_one(stream, Some(permit));
        } else {
            words.turned_away();
            // Each of those takes a descriptor, too. Beyond them a client is let go without a word.
            if let Ok(permit) = Arc::clone(&refusals).try_acquire_owned() {
                let refusal = connection::refuse(Arc::clone(&words), stream, options.clone());
                task::spawn(async move {
                    let _permit = permit;
                    refusal.await;
                });
            }
        }
    }
    for stream in incoming.into_last() {
        serve_one(stream, None);
    }
}
