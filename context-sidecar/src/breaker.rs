//! Leaves alone what fails, and tries it again later: a circuit breaker. [`Breaker`] decides and has no clock;
//! [`Gate`] is one that many share.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use chassis::clock;

/// The window of the rate is looked at in so many parts.
const PARTS: usize = 8;

/// When enough is enough.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// So many failures in a row open it.
    pub in_a_row: u32,
    /// Or such a share of failures within the window, 0 to 1 ...
    pub rate: f64,
    /// ... of at least so many calls.
    pub calls: u32,
    /// What is looked at for the rate.
    pub window: Duration,
    /// How long it stays open at first; each probe that fails doubles it ...
    pub open: Duration,
    /// ... up to this.
    pub longest: Duration,
    /// A probe that has not come back after this is taken for lost.
    pub patience: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            in_a_row: 5,
            rate: 0.5,
            calls: 20,
            window: Duration::from_secs(10),
            open: Duration::from_millis(500),
            longest: Duration::from_secs(30),
            patience: Duration::from_secs(10),
        }
    }
}

/// How a call ended, as far as the other side is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// There was an answer; a refusal is one.
    Answered,
    /// It failed, or was too slow.
    Failed,
    /// It says nothing: the caller went away.
    Nothing,
}

/// What the metrics show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Calls go through.
    Closed,
    /// Calls do not.
    Open,
    /// One call goes through, as a probe.
    HalfOpen,
}

/// Leave for one call. It belongs to one state of the breaker: what is told after that has ended is not heeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Permit(u64);

/// Decides whether a call is worth it.
#[derive(Debug, Clone)]
pub struct Breaker {
    policy: Policy,
    phase: Phase,
    /// Counts the phases, and so the permits that are worth something.
    era: u64,
}

#[derive(Debug, Clone)]
#[allow(clippy::large_enum_variant, reason = "it is the usual one")]
enum Phase {
    Closed { row: u32, window: Box<Window> },
    Open { until: Instant, wait: Duration },
    Probing { since: Instant, wait: Duration },
}

impl Breaker {
    /// A closed one.
    #[must_use]
    pub fn new(policy: Policy) -> Self {
        Self { policy, phase: Phase::Closed { row: 0, window: Box::default() }, era: 0 }
    }

    /// Leave for a call, or how long to wait.
    ///
    /// # Errors
    /// How long it is worth waiting.
    pub fn ask(&mut self, now: Instant) -> Result<Permit, Duration> {
        let wait = match &self.phase {
            Phase::Closed { .. } => return Ok(Permit(self.era)),
            Phase::Open { until, .. } if *until > now => return Err(until.saturating_duration_since(now)),
            Phase::Probing { since, .. } if now.saturating_duration_since(*since) < self.policy.patience => {
                return Err(self.policy.patience.saturating_sub(now.saturating_duration_since(*since)));
            }
            Phase::Open { wait, .. } | Phase::Probing { wait, .. } => *wait,
        };
        self.enter(Phase::Probing { since: now, wait });
        Ok(Permit(self.era))
    }

    /// How the call ended that there was leave for.
    pub fn tell(&mut self, permit: Permit, outcome: Outcome, now: Instant) {
        if permit.0 != self.era {
            return;
        }
        match (&mut self.phase, outcome) {
            (Phase::Closed { row, window }, Outcome::Answered) => {
                *row = 0;
                window.count(false, now, self.policy.window);
            }
            (Phase::Closed { row, window }, Outcome::Failed) => {
                *row += 1;
                let (failed, all) = window.count(true, now, self.policy.window);
                let too_many = all >= self.policy.calls && f64::from(failed) >= self.policy.rate * f64::from(all);
                if *row >= self.policy.in_a_row || too_many {
                    self.open(self.policy.open, now);
                }
            }
            (Phase::Probing { .. }, Outcome::Answered) => {
                self.enter(Phase::Closed { row: 0, window: Box::default() });
            }
            (Phase::Probing { wait, .. }, Outcome::Failed) => {
                let wait = wait.saturating_mul(2);
                self.open(wait, now);
            }
            // The next one may probe, at once.
            (Phase::Probing { wait, .. }, Outcome::Nothing) => {
                let wait = *wait;
                self.enter(Phase::Open { until: now, wait });
            }
            // While it is open nothing has leave.
            (Phase::Open { .. }, _) | (Phase::Closed { .. }, Outcome::Nothing) => {}
        }
    }

    /// What it is at `now`.
    #[must_use]
    pub fn state(&self, now: Instant) -> State {
        match &self.phase {
            Phase::Closed { .. } => State::Closed,
            Phase::Open { until, .. } if *until > now => State::Open,
            Phase::Open { .. } | Phase::Probing { .. } => State::HalfOpen,
        }
    }

    /// It was heard of from elsewhere that the other side answers: nobody needs to wait any longer.
    pub fn close(&mut self) {
        if !matches!(self.phase, Phase::Closed { .. }) {
            self.enter(Phase::Closed { row: 0, window: Box::default() });
        }
    }

    fn open(&mut self, wait: Duration, now: Instant) {
        let wait = wait.min(self.policy.longest);
        self.enter(Phase::Open { until: now + wait, wait });
    }

    fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.era += 1;
    }
}

/// Failures and calls of the last time, in parts of it.
#[derive(Debug, Clone, Default)]
struct Window {
    began: Option<Instant>,
    parts: [(u128, u32, u32); PARTS],
}

impl Window {
    /// Counts one, and says how many failed of how many.
    fn count(&mut self, failed: bool, now: Instant, length: Duration) -> (u32, u32) {
        let began = *self.began.get_or_insert(now);
        let part = (length.as_nanos() / PARTS as u128).max(1);
        let index = now.saturating_duration_since(began).as_nanos() / part;
        let slot = usize::try_from(index % PARTS as u128).unwrap_or_default();
        if let Some(slot) = self.parts.get_mut(slot) {
            if slot.0 != index {
                *slot = (index, 0, 0);
            }
            slot.1 += u32::from(failed);
            slot.2 += 1;
        }
        let lately = self.parts.iter().filter(|(at, ..)| *at + PARTS as u128 > index);
        lately.fold((0, 0), |(failed, all), part| (failed + part.1, all + part.2))
    }
}

/// Why there is no leave for a call.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("failed too often and is left alone for {} ms more; last: {last}", .wait.as_millis())]
pub struct Resting {
    /// How long it is worth waiting.
    pub wait: Duration,
    /// How the last call failed that did.
    pub last: Arc<str>,
}

/// A breaker that many share, and how the last call failed that did.
#[derive(Debug)]
pub struct Gate {
    breaker: Mutex<Breaker>,
    last: Mutex<Arc<str>>,
}

impl Gate {
    /// A closed one.
    #[must_use]
    pub fn new(policy: Policy) -> Self {
        Self { breaker: Mutex::new(Breaker::new(policy)), last: Mutex::new("nothing is known".into()) }
    }

    /// Leave for a call.
    ///
    /// # Errors
    /// How long it is worth waiting, and for what.
    pub fn enter(&self) -> Result<Pass<'_>, Resting> {
        let asked = self.with(|breaker| breaker.ask(clock::now()));
        let permit = asked.map_err(|wait| Resting { wait, last: Arc::clone(&self.last()) })?;
        Ok(Pass { gate: self, permit, outcome: Outcome::Nothing })
    }

    /// It was heard of from elsewhere that the other side answers. Says whether that was news.
    pub fn close(&self) -> bool {
        self.with(|breaker| {
            let was_open = breaker.state(clock::now()) != State::Closed;
            breaker.close();
            was_open
        })
    }

    /// What it is now.
    #[must_use]
    pub fn state(&self) -> State {
        self.with(|breaker| breaker.state(clock::now()))
    }

    fn with<T>(&self, work: impl FnOnce(&mut Breaker) -> T) -> T {
        work(&mut self.breaker.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn last(&self) -> MutexGuard<'_, Arc<str>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Leave for one call. When it is dropped untold (the caller went away), it says nothing about the other side.
#[derive(Debug)]
#[must_use = "the breaker wants to know how the call ended"]
pub struct Pass<'g> {
    gate: &'g Gate,
    permit: Permit,
    outcome: Outcome,
}

impl Pass<'_> {
    /// How the call ended.
    pub fn tell(mut self, outcome: Outcome) {
        self.outcome = outcome;
    }

    /// It failed, or was too slow: in these words, which others are told while it is left alone.
    pub fn failed(self, why: &str) {
        *self.gate.last() = why.into();
        self.tell(Outcome::Failed);
    }
}

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        self.gate.with(|breaker| breaker.tell(self.permit, self.outcome, clock::now()));
    }
}

#[cfg(test)]
mod tests;
