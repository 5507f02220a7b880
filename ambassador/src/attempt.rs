//! One attempt at one candidate: the request sent, and its answer read as far as it can still be had elsewhere.

use std::time::{Duration, Instant};

use ambassador_core::{
    dialect::openai::Ask,
    exchange::{self, Answer, CannotPrepare},
    failover::{self, Phase},
    provider::{NoAnswer, StreamError},
    route::{Candidate, Plan},
    timeouts::Timeouts,
};
use bytes::Bytes;
use chassis::{clock, telemetry};
use http::{
    HeaderMap, Response, StatusCode,
    header::{CONTENT_ENCODING, CONTENT_TYPE, RETRY_AFTER},
};
use http_body_util::{BodyExt, Limited};
use tokio::time::timeout_at;
use tracing::{Instrument, Span};

use crate::{
    failure::Failure, gateway::Gateway, hops, outcome::Counted, pool::UpstreamBody, stream::Begun, trace,
    upstream::Upstream,
};

/// How much of a stream is held back while it has no content, in bytes. Beyond it the stream is taken at its word.
const MAX_HEAD: usize = 256 * 1024;

/// How much of a refusal is read, in bytes, and for how long.
const MAX_REFUSAL: usize = 256 * 1024;
const REFUSAL_WITHIN: Duration = Duration::from_secs(5);

/// A whole answer, or the beginning of a streamed one.
#[allow(clippy::large_enum_variant, reason = "one of them exists a request, and boxing costs more than it saves")]
pub enum Reply {
    /// All of it.
    Whole(Answer),
    /// Its first content and where the rest comes from.
    Stream(Begun),
}

/// An attempt that succeeded.
pub(crate) struct Made {
    pub(crate) reply: Reply,
    /// The caller's fields that the provider could not take.
    pub(crate) dropped: Vec<&'static str>,
    /// What is traced of it; a stream is a part of it.
    pub(crate) span: Span,
}

/// One attempt at one candidate.
pub(crate) struct Attempt<'r> {
    pub(crate) gateway: &'r Gateway,
    pub(crate) ask: &'r Ask<'r>,
    pub(crate) plan: &'r Plan,
    pub(crate) candidate: &'r Candidate,
    pub(crate) upstream: &'r Upstream,
    pub(crate) key: usize,
    pub(crate) until: Instant,
    pub(crate) hops: u16,
}

/// An attempt that failed.
pub(crate) struct Failed {
    /// How, for failover.
    pub(crate) kind: failover::Failure,
    /// How, for the caller.
    pub(crate) failure: Failure,
}

impl Failed {
    /// Writes the failure down. What the provider said stays out: it may quote the conversation. What we found stands
    /// there, and a status only where the provider gave one.
    pub(crate) fn log(&self, request_id: &str, provider: &str, attempt: u32, goes_on: bool) {
        let (status, detail) = match self.kind {
            failover::Failure::Status(status) => (Some(status), None),
            failover::Failure::InBand(status) => (status, None),
            failover::Failure::Connect
            | failover::Failure::Timeout(_)
            | failover::Failure::Broken
            | failover::Failure::Malformed => (None, Some(self.failure.problem.message.as_str())),
            // The message quotes the caller; the place does not.
            failover::Failure::Inexpressible => (None, self.failure.problem.param.as_deref()),
        };
        let next = if goes_on { "the next is tried" } else { "nothing is left to try" };
        tracing::warn!(
            request_id,
            provider,
            attempt,
            reason = self.kind.reason(),
            status,
            detail,
            next,
            "attempt failed"
        );
    }

    fn timed_out(upstream: &Upstream, phase: Phase) -> Self {
        Self { kind: failover::Failure::Timeout(phase), failure: Failure::timed_out(&upstream.name, phase) }
    }

    fn malformed(upstream: &Upstream, what: &str) -> Self {
        Self { kind: failover::Failure::Malformed, failure: Failure::malformed(&upstream.name, what) }
    }

    fn broken(upstream: &Upstream, what: &str) -> Self {
        Self { kind: failover::Failure::Broken, failure: Failure::broken(&upstream.name, what) }
    }
}

/// When a phase has taken too long, and which one it is that has.
#[derive(Clone, Copy)]
struct Limit {
    at: Instant,
    phase: Phase,
}

impl Limit {
    /// This limit, or one that ends earlier.
    fn or(self, from: Instant, after: Option<Duration>, phase: Phase) -> Self {
        match after.and_then(|after| from.checked_add(after)) {
            Some(at) if at < self.at => Self { at, phase },
            _ => self,
        }
    }
}

impl Attempt<'_> {
    /// Makes the attempt, and adds to `waited` the time spent waiting for the provider.
    ///
    /// # Errors
    /// When it fails; nothing of it has reached the caller.
    pub(crate) async fn run(&self, waited: &mut Duration) -> Result<Made, Failed> {
        let Self { ask, candidate, upstream, .. } = self;
        let prepared =
            exchange::prepare(upstream.provider, ask, &candidate.model, upstream.stream_usage).map_err(cannot_say)?;
        let began = clock::now();
        let span = trace::attempt(ask.operation, upstream, &candidate.model);
        // Pinned where it is: it is large, and a span would take it by value.
        let asking = std::pin::pin!(self.ask(prepared.body));
        let result = asking.instrument(span.clone()).await;
        *waited += clock::now().saturating_duration_since(began);
        match result {
            Ok(reply) => Ok(Made { reply, dropped: prepared.dropped, span }),
            Err(failed) => {
                trace::failed(&span, failed.kind.reason());
                Err(failed)
            }
        }
    }

    async fn ask(&self, body: Bytes) -> Result<Reply, Failed> {
        let defaults = if self.ask.stream { Timeouts::STREAM } else { Timeouts::WHOLE };
        let timeouts = self.candidate.timeouts.over(self.plan.timeouts).over(defaults);
        let total = Limit { at: self.until, phase: Phase::Total };
        let response = self.send(body, &timeouts, total).await?;
        // `first_content` counts from the request sent; that it was sent a moment ago is close enough.
        let sent = clock::now();
        trace::status(response.status());
        if !response.status().is_success() {
            return Err(self.refused(response, total).await);
        }
        if let Some(what) = compressed(response.headers()) {
            return Err(Failed::malformed(self.upstream, &what));
        }
        if self.ask.stream {
            self.begin(response, total.or(sent, timeouts.first_content, Phase::FirstContent), &timeouts).await
        } else {
            self.whole(response, total).await
        }
    }

    /// Sends the request and waits for the response's headers.
    async fn send(&self, body: Bytes, timeouts: &Timeouts, total: Limit) -> Result<Response<UpstreamBody>, Failed> {
        let upstream = self.upstream;
        let mut fresh = false;
        loop {
            let waiting = Counted::new(&self.gateway.series.waiting);
            let limit = total.or(clock::now(), timeouts.connect, Phase::Connect);
            let connecting = async { if fresh { upstream.pool.open().await } else { upstream.pool.checkout().await } };
            let connection = within(limit, upstream, connecting).await?.map_err(|error| Failed {
                kind: failover::Failure::Connect,
                failure: Failure::unreachable(&upstream.name, &error.to_string()),
            })?;
            drop(waiting);
            let first = timeouts.first_content.filter(|_| self.ask.stream);
            let sent = clock::now();
            let limit = total.or(sent, timeouts.headers, Phase::Headers).or(sent, first, Phase::FirstContent);
            let Some(mut request) = upstream.request(self.ask.operation, self.key, body.clone()) else {
                return Err(Failed::malformed(upstream, "it does not serve this endpoint"));
            };
            hops::tell(self.hops, request.headers_mut());
            telemetry::inject(request.headers_mut());
            match within(limit, upstream, connection.send(request)).await? {
                Ok(response) => return Ok(response),
                // The server closed a kept-alive connection in the moment it was used again. It has seen nothing of
                // the request, and that says nothing about the provider.
                Err(broken) if broken.stale && !fresh => {
                    self.gateway.series.replay(&upstream.name);
                    fresh = true;
                }
                Err(broken) => return Err(Failed::broken(upstream, &broken.reason)),
            }
        }
    }

    /// What a response other than an answer says.
    async fn refused(&self, response: Response<UpstreamBody>, total: Limit) -> Failed {
        let upstream = self.upstream;
        let (parts, body) = response.into_parts();
        let status = parts.status;
        if status.is_redirection() || status.is_informational() {
            return Failed::malformed(upstream, &format!("status {status}; check its base_url"));
        }
        let limit = total.or(clock::now(), Some(REFUSAL_WITHIN), Phase::Total);
        let body = match within(limit, upstream, Limited::new(body, MAX_REFUSAL).collect()).await {
            Ok(Ok(body)) => body.to_bytes(),
            // The status has said enough.
            Ok(Err(_)) | Err(_) => Bytes::new(),
        };
        let mut refusal = upstream.without_keys(upstream.provider.refusal(status.as_u16(), &body));
        if let Some(what) = compressed(&parts.headers).filter(|_| refusal.message.is_empty()) {
            refusal.message = format!("the provider answered {} in words that cannot be read: {what}", status.as_u16());
        }
        let retry_after = parts.headers.get(RETRY_AFTER).cloned();
        Failed {
            kind: failover::Failure::Status(status.as_u16()),
            failure: Failure::refused(status, refusal, retry_after),
        }
    }

    /// Reads a whole answer to its end, so that one that is cut can still be had elsewhere.
    async fn whole(&self, response: Response<UpstreamBody>, total: Limit) -> Result<Reply, Failed> {
        let upstream = self.upstream;
        let body = self.collect(response.into_body(), total).await?;
        match exchange::answer(upstream.provider, self.ask.operation, body, clock::unix().as_secs()) {
            Ok(answer) => Ok(Reply::Whole(answer)),
            Err(NoAnswer::Refused(refusal)) => Err(self.in_band(refusal)),
            Err(NoAnswer::Malformed(malformed)) => Err(Failed::malformed(upstream, &malformed.to_string())),
        }
    }

    async fn collect(&self, body: UpstreamBody, total: Limit) -> Result<Bytes, Failed> {
        let limited = Limited::new(body, self.gateway.limits.max_answer);
        match within(total, self.upstream, limited.collect()).await? {
            Ok(body) => Ok(body.to_bytes()),
            Err(error) if error.is::<http_body_util::LengthLimitError>() => {
                Err(Failed::malformed(self.upstream, "it is longer than limits.max_answer"))
            }
            Err(_) => Err(Failed::broken(self.upstream, "the connection broke in the middle of the answer")),
        }
    }

    /// Holds a stream back until there is content, so that an error before it can still go elsewhere.
    async fn begin(
        &self,
        response: Response<UpstreamBody>,
        limit: Limit,
        timeouts: &Timeouts,
    ) -> Result<Reply, Failed> {
        let upstream = self.upstream;
        if !is_event_stream(response.headers()) {
            // Some report their errors as JSON with a 200.
            let body = self.collect(response.into_body(), limit).await?;
            let refusal = upstream.provider.refusal(200, &body);
            let reported = !refusal.message.is_empty();
            return Err(if reported {
                self.in_band(refusal)
            } else {
                Failed::malformed(upstream, "it is not an event stream")
            });
        }
        let mut relay = exchange::relay(upstream.provider, self.ask, clock::unix().as_secs());
        let mut body = response.into_body();
        let mut head = Vec::new();
        loop {
            let result = match within(limit, upstream, body.frame()).await? {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => relay.push(&data, &mut head),
                    Err(_trailers) => Ok(()),
                },
                Some(Err(_)) => Err(StreamError::Truncated),
                None => relay.finish(&mut head),
            };
            // Nothing has been sent to the caller yet, so even content that came in the same bytes does not bind us.
            match result {
                Ok(()) => {}
                Err(StreamError::Provider(refusal)) => return Err(self.in_band(refusal)),
                Err(error @ StreamError::Malformed(_)) => return Err(Failed::malformed(upstream, &error.to_string())),
                Err(error @ StreamError::Truncated) => return Err(Failed::broken(upstream, &error.to_string())),
            }
            let progress = relay.progress();
            if progress.content || progress.finished || progress.ended || head.len() > MAX_HEAD {
                let head = Bytes::from(head);
                let (idle, until) = (timeouts.idle, self.until);
                return Ok(Reply::Stream(Begun { head, upstream: body, relay, idle, until }));
            }
        }
    }

    fn in_band(&self, refusal: ambassador_core::provider::Refusal) -> Failed {
        let refusal = self.upstream.without_keys(refusal);
        // It came with a 200, so its code has to tell the status, where it can.
        let status = refusal.code.as_deref().and_then(|code| code.parse::<u16>().ok());
        let status = status.filter(|status| (400..600).contains(status));
        let told = status.and_then(|status| StatusCode::from_u16(status).ok()).unwrap_or(StatusCode::BAD_GATEWAY);
        Failed { kind: failover::Failure::InBand(status), failure: Failure::refused(told, refusal, None) }
    }
}

fn cannot_say(error: CannotPrepare) -> Failed {
    let failure = match error {
        CannotPrepare::Invalid(invalid) => invalid.into(),
        CannotPrepare::Inexpressible(inexpressible) => inexpressible.into(),
    };
    Failed { kind: failover::Failure::Inexpressible, failure }
}

async fn within<T>(limit: Limit, upstream: &Upstream, future: impl Future<Output = T>) -> Result<T, Failed> {
    timeout_at(limit.at.into(), future).await.map_err(|_elapsed| Failed::timed_out(upstream, limit.phase))
}

/// What is wrong with an answer that comes compressed: requests ask for `identity`.
fn compressed(headers: &HeaderMap) -> Option<String> {
    let coding = headers.get(CONTENT_ENCODING)?.to_str().unwrap_or_default().trim();
    let known =
        ["gzip", "deflate", "br", "zstd", "compress"].into_iter().find(|known| coding.eq_ignore_ascii_case(known));
    (!coding.is_empty() && !coding.eq_ignore_ascii_case("identity")).then(|| {
        format!("the provider sent a compressed answer ({}) though none was asked for", known.unwrap_or("unknown"))
    })
}

fn is_event_stream(headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    content_type.trim_start().to_ascii_lowercase().starts_with("text/event-stream")
}
