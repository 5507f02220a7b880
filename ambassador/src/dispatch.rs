//! Carries out the failover steps: the shell around [`ambassador_core::failover`].

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use ambassador_core::{
    dialect::openai::Ask,
    failover::{self, Failover, Leg, Step, Stop},
    route::Plan,
};
use chassis::clock;
use tracing::Span;

use crate::{
    attempt::{Attempt, Failed, Made, Reply},
    failure::Failure,
    gateway::Gateway,
};

/// An answer, and whose it is.
pub struct Answered {
    /// The answer.
    pub answer: Reply,
    /// Index of the upstream.
    pub upstream: usize,
    /// The model that it was asked for.
    pub asked: String,
    /// The caller's fields that the provider could not take.
    pub dropped: Vec<&'static str>,
    /// Time spent waiting for providers, of all attempts.
    pub waited: Duration,
    /// What is traced of the attempt that gave it.
    pub span: Span,
}

/// No answer.
pub struct Unanswered {
    /// What the caller is told.
    pub failure: Failure,
    /// Why, for metrics and logs.
    pub reason: &'static str,
    /// Whose failure it is, if a provider's: the index of the upstream, and the model that it was asked for.
    pub told_by: Option<(usize, String)>,
}

impl Unanswered {
    /// No provider has been asked.
    #[must_use]
    pub fn unasked(failure: Failure, reason: &'static str) -> Self {
        Self { failure, reason, told_by: None }
    }
}

/// What is known of a request beside what it asks for.
#[derive(Debug, Clone, Copy)]
pub struct Caller<'r> {
    /// The request's id.
    pub request_id: &'r str,
    /// How many ambassadors it has come through.
    pub hops: u16,
    /// When it arrived.
    pub started: Instant,
    /// Where the attempts are counted as they begin.
    pub attempts: &'r AtomicU32,
}

/// An attempt that is under way. Dropped without a result, it was cut off: the caller left, or the process ends. The
/// provider may have had the request all the same.
struct Underway<'r> {
    gateway: &'r Gateway,
    provider: &'r str,
    over: bool,
}

impl Drop for Underway<'_> {
    fn drop(&mut self) {
        if !self.over {
            self.gateway.series.attempt(self.provider, "abandoned").inc();
        }
    }
}

/// Gets an answer to `ask` from one of the plan's candidates.
///
/// # Errors
/// When none of them gives one: the caller's mistake, or the primary's own failure.
pub async fn dispatch(
    gateway: &Gateway,
    ask: &Ask<'_>,
    plan: &Plan,
    caller: Caller<'_>,
) -> Result<Answered, Unanswered> {
    let legs = plan.candidates.iter().map(|candidate| {
        let upstream = gateway.upstreams.get(candidate.upstream);
        Leg {
            keys: upstream.map_or(1, |upstream| upstream.keys()),
            first_key: upstream.map_or(0, |upstream| upstream.first_key()),
            total: candidate.timeouts.total,
        }
    });
    let mut failover = Failover::new(legs.collect(), gateway.limits.attempts, caller.started + plan.total);
    let mut failures = Failures::default();
    let mut waited = Duration::ZERO;
    loop {
        let (leg, key, until) = match failover.next(clock::now()) {
            Step::Attempt { leg, key, until } => (leg, key, until),
            Step::Stop(stop) => return Err(failures.told(stop, failover.attempts(), plan)),
        };
        let Some(candidate) = plan.candidates.get(leg) else { continue };
        let Some(upstream) = gateway.upstreams.get(candidate.upstream) else { continue };
        let attempt = Attempt { gateway, ask, plan, candidate, upstream, key, until, hops: caller.hops };
        caller.attempts.store(failover.attempts(), Ordering::Relaxed);
        let mut underway = Underway { gateway, provider: &upstream.name, over: false };
        // Boxed: its state is some kilobytes, which every future around it would copy on its way into place.
        let result = Box::pin(attempt.run(&mut waited)).await;
        underway.over = true;
        match &result {
            Ok(_) => upstream.answered.inc(),
            Err(failed) => gateway.series.attempt(&upstream.name, failed.kind.reason()).inc(),
        };
        match result {
            Ok(Made { reply: answer, dropped, span }) => {
                let asked = candidate.model.clone();
                return Ok(Answered { answer, upstream: candidate.upstream, asked, dropped, waited, span });
            }
            Err(failed) => {
                failover.report(failed.kind);
                caller.attempts.store(failover.attempts(), Ordering::Relaxed);
                let goes_on = failover.goes_on(clock::now());
                if goes_on {
                    gateway.series.failover(&upstream.name, failed.kind.reason());
                }
                failed.log(caller.request_id, &upstream.name, failover.attempts(), goes_on);
                failures.add(leg, failed);
            }
        }
    }
}

/// What went wrong so far, as far as it may have to be told.
#[derive(Default)]
struct Failures {
    /// The last failure of the candidate that was asked first.
    primary: Option<(usize, Failed)>,
    /// The first candidate that could not be asked at all.
    unsuitable: Option<(usize, Failed)>,
}

impl Failures {
    fn add(&mut self, leg: usize, failed: Failed) {
        if failed.kind == failover::Failure::Inexpressible {
            self.unsuitable.get_or_insert((leg, failed));
        } else if self.primary.as_ref().is_none_or(|(first, _)| *first == leg) {
            self.primary = Some((leg, failed));
        }
    }

    /// The failure that the caller is told of: the primary's own. What a fallback says of a request that the primary
    /// might well have served would send the caller after the wrong fault.
    fn told(self, stop: Stop, attempts: u32, plan: &Plan) -> Unanswered {
        let only_time_ran_out = |failed: &Failed| matches!(failed.kind, failover::Failure::Timeout(_));
        match self.primary.or(self.unsuitable) {
            Some((leg, failed)) if stop != Stop::Deadline || !only_time_ran_out(&failed) => {
                let candidate = plan.candidates.get(leg);
                let told_by = candidate.map(|candidate| (candidate.upstream, candidate.model.clone()));
                Unanswered { failure: failed.failure, reason: failed.kind.reason(), told_by }
            }
            _ => Unanswered { failure: Failure::deadline(attempts), reason: "deadline", told_by: None },
        }
    }
}
