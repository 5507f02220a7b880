//! The three questions a kubelet asks: has it started, does it live, can it take work?

use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::time::{MissedTickBehavior, interval};

use crate::{clock, task};

/// The answer to one of the questions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Yes.
    Yes,
    /// No, and why.
    No(Cow<'static, str>),
}

/// Whether the process has started and can take work. Clones share one state.
///
/// It begins as not started and not ready.
#[derive(Clone, Debug, Default)]
pub struct Readiness(Arc<State>);

#[derive(Debug, Default)]
struct State {
    started: AtomicBool,
    ready: AtomicBool,
    draining: AtomicBool,
    /// Only looked at when the answer is no, so the usual probe takes no lock.
    reason: Mutex<Cow<'static, str>>,
}

impl Readiness {
    /// Not started, not ready.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The start is over: the startup probe succeeds from now on. Readiness is a matter of its own.
    pub fn started(&self) {
        self.0.started.store(true, Ordering::Release);
    }

    /// Work can be taken, or not, and then why not. The reason is ignored when it can.
    pub fn ready(&self, ready: bool, reason: impl Into<Cow<'static, str>>) {
        if !ready {
            *self.0.reason.lock().unwrap_or_else(PoisonError::into_inner) = reason.into();
        }
        self.0.ready.store(ready, Ordering::Release);
    }

    /// The process is going to stop: never ready again.
    pub fn draining(&self) {
        self.0.draining.store(true, Ordering::Release);
    }

    /// Whether the start is over.
    #[must_use]
    pub fn has_started(&self) -> bool {
        self.0.started.load(Ordering::Acquire)
    }

    /// Whether work can be taken; if not, `draining` outweighs `starting`, and that any other
    /// reason.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        if self.0.draining.load(Ordering::Acquire) {
            return Verdict::No("draining".into());
        }
        if !self.has_started() {
            return Verdict::No("starting".into());
        }
        if self.0.ready.load(Ordering::Acquire) {
            return Verdict::Yes;
        }
        let reason = self.0.reason.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Verdict::No(if reason.is_empty() { "not ready yet".into() } else { reason })
    }
}

/// The sign of life of the data plane. Clones share one heart.
///
/// Until the first beat it counts as alive: a start that hangs is for the startup probe to notice.
#[derive(Clone, Debug)]
pub struct Heartbeat {
    origin: Instant,
    /// Milliseconds from `origin` to the last beat, or [`NEVER`].
    last: Arc<AtomicU64>,
}

const NEVER: u64 = u64::MAX;

/// How often [`Heartbeat::keep`] beats.
const PERIOD: Duration = Duration::from_secs(1);

impl Heartbeat {
    /// A last beat older than this means that the data plane no longer turns.
    pub const STALE: Duration = Duration::from_secs(10);

    /// A heart that has not beaten yet.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self { origin: now, last: Arc::new(AtomicU64::new(NEVER)) }
    }

    /// Beats once.
    pub fn beat(&self, now: Instant) {
        let millis = now.saturating_duration_since(self.origin).as_millis();
        self.last.store(u64::try_from(millis).unwrap_or(NEVER - 1), Ordering::Release);
    }

    /// Beats every second on a task of the current runtime, which must be that of the data plane.
    pub fn keep(&self) {
        let heart = self.clone();
        task::spawn(async move {
            let mut period = interval(PERIOD);
            period.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                period.tick().await;
                heart.beat(clock::now());
            }
        });
    }

    /// How long ago the last beat was; `None` before the first.
    #[must_use]
    pub fn age(&self, now: Instant) -> Option<Duration> {
        let last = match self.last.load(Ordering::Acquire) {
            NEVER => return None,
            millis => Duration::from_millis(millis),
        };
        Some(now.saturating_duration_since(self.origin).saturating_sub(last))
    }

    /// Whether the data plane lives.
    #[must_use]
    pub fn verdict(&self, now: Instant) -> Verdict {
        match self.age(now) {
            Some(age) if age > Self::STALE => {
                Verdict::No(format!("the last heartbeat was {} s ago", age.as_secs()).into())
            }
            _ => Verdict::Yes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn no(reason: &'static str) -> Verdict {
        Verdict::No(reason.into())
    }

    #[test]
    fn readiness_from_start_to_end() {
        let readiness = Readiness::new();
        assert_eq!(readiness.verdict(), no("starting"));
        readiness.ready(true, "");
        assert_eq!(readiness.verdict(), no("starting"));
        readiness.started();
        assert_eq!(readiness.verdict(), Verdict::Yes);
        readiness.clone().ready(false, "no key is usable");
        assert_eq!(readiness.verdict(), no("no key is usable"));
        readiness.ready(true, "");
        assert_eq!(readiness.verdict(), Verdict::Yes);
        readiness.draining();
        readiness.ready(true, "");
        assert_eq!(readiness.verdict(), no("draining"));
    }

    #[test]
    fn a_heart_that_stops_is_noticed_after_ten_seconds() {
        let start = clock::now();
        let after = |seconds| start + Duration::from_secs(seconds);
        let heart = Heartbeat::new(start);
        assert_eq!(heart.verdict(after(3600)), Verdict::Yes);
        heart.clone().beat(after(5));
        assert_eq!(heart.age(after(7)), Some(Duration::from_secs(2)));
        assert_eq!(heart.verdict(after(15)), Verdict::Yes);
        assert_eq!(heart.verdict(after(16)), no("the last heartbeat was 11 s ago"));
        heart.beat(after(17));
        assert_eq!(heart.verdict(after(18)), Verdict::Yes);
    }
}
