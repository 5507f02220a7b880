//! A streamed answer after the first content has come: pulled by the client, never pushed.
//!
//! From here on there is no other provider. Whatever goes wrong becomes an error event in the client's dialect, and the
//! end of the body is reached without one only when the provider said that the answer was complete.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::{Duration, Instant},
};

use ambassador_core::{
    dialect::openai::{Problem, error_event},
    failover::Phase,
    provider::StreamError,
    relay::{Progress, Relay},
};
use bytes::Bytes;
use chassis::{clock, shutdown::Drain};
use http_body::Body as _;
use tokio::time::{Sleep, sleep_until};

use crate::{failure::Failure, outcome::Outcome, pool::UpstreamBody, upstream::Upstream};

/// How long the end of the upstream's body is waited for once the answer is complete. Almost always it has come with
/// the last event; waiting for it saves the connection for the next request.
const TAIL: Duration = Duration::from_millis(100);

/// How long the provider's terminator is waited for once it has said why the answer ended. Some never send one and keep
/// the connection open; the answer is complete all the same.
const TERMINATOR: Duration = Duration::from_secs(1);

/// The same while the usage, which comes in between, has not come either.
const USAGE: Duration = Duration::from_secs(5);

/// How much is sent to the client at once, in bytes, where the provider is that quick.
const ENOUGH: usize = 16 * 1024;

/// How long a stream that has said why it ended is still waited for.
fn patience(progress: &Progress) -> Duration {
    if progress.usage.is_some() { TERMINATOR } else { USAGE }
}

/// A streamed answer.
pub struct Stream {
    /// What was held back until there was content.
    head: Option<Bytes>,
    upstream: Option<UpstreamBody>,
    relay: Box<dyn Relay>,
    out: Vec<u8>,
    provider: Arc<Upstream>,
    idle: Option<Duration>,
    /// When the provider last said something, and how much it had said by then.
    heard: (Instant, u64),
    until: Instant,
    timer: Pin<Box<Sleep>>,
    complete: bool,
    /// Comes when the process will not wait for the end.
    cut: Pin<Box<dyn Future<Output = ()> + Send>>,
    outcome: Outcome,
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stream").field("progress", self.relay.progress()).finish_non_exhaustive()
    }
}

/// A stream whose first content has come.
pub struct Begun {
    /// What the client gets first.
    pub head: Bytes,
    /// Where the rest comes from.
    pub upstream: UpstreamBody,
    /// What carries it.
    pub relay: Box<dyn Relay>,
    /// The time-out between two pieces of content.
    pub idle: Option<Duration>,
    /// When the whole has taken too long.
    pub until: Instant,
}

impl Stream {
    /// The rest of a stream of `provider`.
    #[must_use]
    pub fn new(begun: Begun, provider: Arc<Upstream>, mut outcome: Outcome, drain: &Drain) -> Self {
        let Begun { head, upstream, relay, idle, until } = begun;
        let now = clock::now();
        let progress = relay.progress();
        let heard = (now, progress.said);
        let complete = progress.ended;
        if complete {
            outcome.complete(progress.model.clone(), progress.usage);
        }
        let wait = match (complete, progress.finished) {
            (true, _) => Some(TAIL),
            (false, true) => Some(patience(progress)),
            (false, false) => idle,
        };
        let first = wait.map_or(until, |wait| until.min(now + wait));
        Self {
            head: Some(head),
            upstream: Some(upstream),
            relay,
            out: Vec::new(),
            provider,
            idle,
            heard,
            until,
            timer: Box::pin(sleep_until(first.into())),
            complete,
            cut: Box::pin(drain.hurried_owned()),
            outcome,
        }
    }

    /// The next bytes for the client.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        if let Some(head) = self.head.take().filter(|head| !head.is_empty()) {
            return Poll::Ready(Some(head));
        }
        loop {
            if self.out.len() >= ENOUGH {
                return Poll::Ready(Some(self.take_out()));
            }
            let Some(upstream) = &mut self.upstream else {
                return Poll::Ready((!self.out.is_empty()).then(|| self.take_out()));
            };
            match Pin::new(upstream).poll_frame(cx) {
                // What came together leaves together.
                Poll::Pending if !self.out.is_empty() => return Poll::Ready(Some(self.take_out())),
                Poll::Pending if !self.complete && self.cut.as_mut().poll(cx).is_ready() => {
                    let message = "The ambassador is being stopped; what has come of the answer is not all of it.";
                    self.break_off("shutdown", Problem::new("server_error", message));
                }
                Poll::Pending => ready!(self.poll_timer(cx)),
                // Only the end of the body is still waited for.
                Poll::Ready(Some(Ok(_))) if self.complete => {}
                Poll::Ready(_) if self.complete => self.upstream = None,
                Poll::Ready(Some(Ok(frame))) => {
                    if let Ok(data) = frame.into_data() {
                        let result = self.relay.push(&data, &mut self.out);
                        self.note(result);
                    }
                }
                // However the connection ended: whether the answer is whole is for the relay to say.
                Poll::Ready(Some(Err(_)) | None) => self.finish(),
            }
        }
    }

    fn take_out(&mut self) -> Bytes {
        Bytes::from(std::mem::take(&mut self.out))
    }

    /// Nothing more will come, or is waited for.
    fn finish(&mut self) {
        let result = self.relay.finish(&mut self.out);
        self.note(result);
        self.upstream = None;
    }

    /// Takes note of what the relay made of the last bytes.
    fn note(&mut self, result: Result<(), StreamError>) {
        let progress = self.relay.progress();
        match result {
            Ok(()) if progress.ended => {
                self.outcome.complete(progress.model.clone(), progress.usage);
                self.complete = true;
                self.timer.as_mut().reset((clock::now() + TAIL).into());
            }
            Ok(()) => {
                if progress.said != self.heard.1 {
                    self.heard = (clock::now(), progress.said);
                    if progress.finished {
                        self.timer.as_mut().reset((self.heard.0 + patience(progress)).min(self.until).into());
                    }
                }
                self.outcome.so_far(progress.model.as_ref(), progress.usage);
            }
            Err(error) => {
                let reason = match &error {
                    StreamError::Provider(_) => "error_in_answer",
                    StreamError::Malformed(_) => "malformed",
                    StreamError::Truncated => "cut",
                };
                let problem = match error {
                    StreamError::Provider(refusal) => Problem::from_refusal(500, self.provider.without_keys(refusal)),
                    StreamError::Malformed(_) | StreamError::Truncated => {
                        Failure::malformed(
                            &self.provider.name,
                            &format!("{error}; what has come of the answer is not all of it"),
                        )
                        .problem
                    }
                };
                self.break_off(reason, problem);
            }
        }
    }

    fn break_off(&mut self, reason: &'static str, problem: Problem) {
        let progress = self.relay.progress();
        self.outcome.broke_off(reason, progress.model.clone(), progress.usage);
        // Dropping the body closes the connection: nobody will read what may still come.
        self.upstream = None;
        error_event(&problem, &mut self.out);
    }

    /// Ready when something has been done about a time-out. The timer is set once for many chunks: it is moved only
    /// when it fires and finds that the provider has spoken meanwhile.
    fn poll_timer(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        ready!(self.timer.as_mut().poll(cx));
        if self.complete {
            self.upstream = None;
            return Poll::Ready(());
        }
        let now = clock::now();
        let progress = self.relay.progress();
        if progress.finished && now >= self.heard.0 + patience(progress) {
            self.finish();
            return Poll::Ready(());
        }
        let idle_until = self.idle.map(|idle| self.heard.0 + idle);
        let phase = if now >= self.until {
            Phase::Total
        } else if idle_until.is_some_and(|until| now >= until) {
            Phase::Idle
        } else {
            let next = idle_until.map_or(self.until, |until| until.min(self.until));
            self.timer.as_mut().reset(next.into());
            return Poll::Ready(());
        };
        let reason = ambassador_core::failover::Failure::Timeout(phase).reason();
        self.break_off(reason, Failure::timed_out(&self.provider.name, phase).problem);
        Poll::Ready(())
    }
}
