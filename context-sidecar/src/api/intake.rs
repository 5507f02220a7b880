//! How bodies come in: each within a time, all of them together within a number of bytes. Nobody who sends slowly, or half,
//! takes a place from somebody who is to be answered.

use std::{sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use http::{
    header::{CONTENT_ENCODING, CONTENT_LENGTH},
    request::Parts,
};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::Incoming;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use crate::{
    config::Limits,
    failure::{Failure, Kind},
};

/// So many bytes of a body are not counted: questions are small, and come in while documents fill the rest. A connection
/// has as much in its buffers.
const FREE: usize = 16 << 10;

/// In which the rest is counted, in bytes.
const UNIT: usize = 1 << 10;

/// What bodies have of the memory.
#[derive(Debug)]
pub(super) struct Intake {
    room: Arc<Semaphore>,
    limits: Limits,
}

/// A body, and its share of the memory.
#[derive(Debug)]
pub(super) struct Taken {
    pub(super) body: Bytes,
    _share: Option<OwnedSemaphorePermit>,
}

impl Intake {
    pub(super) fn new(limits: Limits) -> Self {
        let units = (limits.max_bodies / UNIT).min(Semaphore::MAX_PERMITS);
        Self { room: Arc::new(Semaphore::new(units)), limits }
    }

    /// All of a body.
    pub(super) async fn take(&self, body: Incoming, parts: &Parts) -> Result<Taken, Failure> {
        let most = self.limits.max_body;
        let announced =
            parts.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
        if announced.is_some_and(|length| length > most) {
            return Err(too_large(most));
        }
        if let Some(encoding) = parts.headers.get(CONTENT_ENCODING)
            && encoding.as_bytes() != b"identity"
        {
            let message = "The body is compressed: send it as it is.";
            return Err(Failure::new(Kind::Invalid, message).about("content-encoding"));
        }
        let within = self.limits.body_timeout;
        timeout(within, self.read(body)).await.unwrap_or_else(|_| Err(late(within)))
    }

    async fn read(&self, body: Incoming) -> Result<Taken, Failure> {
        let most = self.limits.max_body;
        let mut body = Limited::new(body, most);
        let mut share: Option<OwnedSemaphorePermit> = None;
        let (mut first, mut rest, mut counted) = (Bytes::new(), BytesMut::new(), 0);
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|error| {
                let broke_off = || Failure::new(Kind::Invalid, "The request's body broke off.");
                if error.is::<LengthLimitError>() { too_large(most) } else { broke_off() }
            })?;
            let Ok(piece) = frame.into_data() else { continue };
            let units = (first.len() + rest.len() + piece.len()).saturating_sub(FREE).div_ceil(UNIT);
            if units > counted {
                let more = self.share(units - counted)?;
                match &mut share {
                    Some(share) => share.merge(more),
                    None => share = Some(more),
                }
                counted = units;
            }
            // Most bodies come in one piece, which is not copied.
            if first.is_empty() && rest.is_empty() {
                first = piece;
            } else {
                rest.extend_from_slice(&std::mem::take(&mut first));
                rest.extend_from_slice(&piece);
            }
        }
        let body = if rest.is_empty() { first } else { rest.freeze() };
        Ok(Taken { body, _share: share })
    }

    fn share(&self, units: usize) -> Result<OwnedSemaphorePermit, Failure> {
        let units = u32::try_from(units).unwrap_or(u32::MAX);
        Arc::clone(&self.room).try_acquire_many_owned(units).map_err(|_| {
            let most = self.limits.max_bodies;
            let message = format!(
                "The sidecar is at its limit of {most} bytes of requests at once (limits.max_bodies): send less at a time, \
                 or again in a moment."
            );
            Failure::new(Kind::Busy, message)
        })
    }
}

fn too_large(most: usize) -> Failure {
    Failure::new(Kind::TooLarge, format!("The request's body is larger than {most} bytes (limits.max_body)."))
}

fn late(within: Duration) -> Failure {
    Failure::new(Kind::Late, format!("The request's body did not arrive within {within:?} (limits.body_timeout)."))
}
