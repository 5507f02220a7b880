//! Which attempt comes next: a state machine over one request.
//!
//! One budget of attempts and one deadline hold for the whole request, across keys and providers. The shell asks
//! [`Failover::next`], carries the attempt out and reports how it failed; an attempt that succeeds ends the matter.

use std::time::{Duration, Instant};

/// How many attempts one request may cost, unless configured.
pub const DEFAULT_ATTEMPTS: u32 = 4;

/// A candidate, as far as failover cares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leg {
    /// How many keys its provider has; a provider without keys counts as one.
    pub keys: usize,
    /// Which of them is tried first.
    pub first_key: usize,
    /// How long one attempt may take.
    pub total: Option<Duration>,
}

/// How an attempt failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    /// The provider answered with a status other than 200.
    Status(u16),
    /// No connection came about.
    Connect,
    /// A phase took too long.
    Timeout(Phase),
    /// The connection broke before the first content.
    Broken,
    /// The answer was not one, whatever its status.
    Malformed,
    /// The provider reported a failure inside a 200, with the status that it would have had, where it says so.
    InBand(Option<u16>),
    /// The request cannot be said in the provider's dialect; nothing was sent.
    Inexpressible,
}

/// What took too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Name look-up, TCP and TLS.
    Connect,
    /// Waiting for the response's headers.
    Headers,
    /// Waiting for the first content.
    FirstContent,
    /// Waiting for more content.
    Idle,
    /// The attempt as a whole.
    Total,
}

impl Failure {
    /// A name for metrics and logs, of a bounded set.
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Self::Status(401 | 403) => "auth",
            Self::Status(402) => "billing",
            Self::Status(408) => "upstream_timeout",
            Self::Status(429) => "rate_limit",
            Self::Status(529) => "overloaded",
            Self::Status(500..) => "server_error",
            Self::Status(_) => "refused",
            Self::Connect => "connect",
            Self::Timeout(Phase::Connect) => "timeout_connect",
            Self::Timeout(Phase::Headers) => "timeout_headers",
            Self::Timeout(Phase::FirstContent) => "timeout_first_content",
            Self::Timeout(Phase::Idle) => "timeout_idle",
            Self::Timeout(Phase::Total) => "timeout_total",
            Self::Broken => "broken",
            Self::Malformed => "malformed",
            Self::InBand(_) => "error_in_answer",
            Self::Inexpressible => "inexpressible",
        }
    }

    /// Where the next attempt may go.
    fn scope(self) -> Scope {
        match self {
            // The key is at fault: another one may do.
            Self::Status(401 | 402 | 403 | 429) | Self::InBand(Some(401 | 402 | 403 | 429)) => Scope::Key,
            // The provider leads back to where the request came from: each further attempt would go around, too.
            Self::Status(508) => Scope::Caller,
            // The provider is at fault, perhaps for the moment only.
            Self::Status(408 | 500..) | Self::InBand(Some(408)) | Self::Connect | Self::Broken | Self::Malformed => {
                Scope::Provider
            }
            // What has been silent once is not waited for again while there is anyone else.
            Self::Timeout(_) => Scope::Silent,
            Self::Inexpressible => Scope::Unsuitable,
            // What else a provider refuses is the caller's mistake and would be refused anywhere.
            Self::Status(_) | Self::InBand(Some(400..=499)) => Scope::Caller,
            Self::InBand(_) => Scope::Provider,
        }
    }
}

/// What is to blame for a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scope {
    Key,
    Provider,
    Silent,
    Unsuitable,
    Caller,
}

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Try this candidate with this key, until then at the latest.
    Attempt {
        /// Index of the [`Leg`].
        leg: usize,
        /// Index of the key.
        key: usize,
        /// When the attempt has taken too long.
        until: Instant,
    },
    /// Nothing more will be tried.
    Stop(Stop),
}

/// Why nothing more is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// The caller's mistake: nobody else would answer it.
    Refused,
    /// Every candidate has failed, or the budget is spent: the primary's failure is the answer.
    Exhausted,
    /// The deadline has passed.
    Deadline,
}

/// One request's way through its candidates.
#[derive(Debug, Clone)]
pub struct Failover {
    legs: Vec<Leg>,
    budget: u32,
    deadline: Instant,
    attempts: u32,
    /// The leg that is next, and how many of its keys have been tried.
    leg: usize,
    keys_tried: usize,
    /// Failures of the current leg that were the provider's and not a key's.
    provider_failures: u32,
    stop: Option<Stop>,
    /// An attempt is under way and has not been reported.
    in_flight: bool,
}

impl Failover {
    /// The way through `legs`, best first, with at most `budget` attempts before `deadline`.
    #[must_use]
    pub fn new(legs: Vec<Leg>, budget: u32, deadline: Instant) -> Self {
        let stop = (legs.is_empty() || budget == 0).then_some(Stop::Exhausted);
        Self {
            legs,
            budget,
            deadline,
            attempts: 0,
            leg: 0,
            keys_tried: 0,
            provider_failures: 0,
            stop,
            in_flight: false,
        }
    }

    /// How many attempts were made, those that could not be sent not counted.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    /// Whether another attempt would follow at `now`.
    #[must_use]
    pub fn goes_on(&self, now: Instant) -> bool {
        self.stop.is_none() && now < self.deadline && self.leg < self.legs.len() && self.attempts < self.budget
    }

    /// What to do at `now`. Asked again before a report, it gives the attempt up as lost with its budget.
    pub fn next(&mut self, now: Instant) -> Step {
        if let Some(stop) = self.stop {
            return Step::Stop(stop);
        }
        if now >= self.deadline {
            return self.stop(Stop::Deadline);
        }
        let Some(leg) = self.legs.get(self.leg).copied() else { return self.stop(Stop::Exhausted) };
        if self.attempts >= self.budget {
            return self.stop(Stop::Exhausted);
        }
        self.attempts += 1;
        self.in_flight = true;
        let key = (leg.first_key + self.keys_tried) % leg.keys.max(1);
        self.keys_tried += 1;
        let until =
            leg.total.and_then(|total| now.checked_add(total)).map_or(self.deadline, |end| end.min(self.deadline));
        Step::Attempt { leg: self.leg, key, until }
    }

    /// Takes note of how the attempt failed.
    pub fn report(&mut self, failure: Failure) {
        if !std::mem::take(&mut self.in_flight) {
            return;
        }
        let Some(leg) = self.legs.get(self.leg) else { return };
        let keys_left = self.keys_tried < leg.keys.max(1);
        let others_left = self.leg + 1 < self.legs.len();
        // The last attempt of the budget is for a provider that has not been asked: a pool of bad keys must not eat
        // up the way to the fallback.
        let last_is_for_others = others_left && self.attempts + 1 >= self.budget;
        let stay = match failure.scope() {
            Scope::Caller => {
                self.stop = Some(Stop::Refused);
                return;
            }
            Scope::Unsuitable => {
                self.attempts -= 1;
                false
            }
            Scope::Key => keys_left && !last_is_for_others,
            Scope::Provider => {
                self.provider_failures += 1;
                keys_left && !last_is_for_others && self.provider_failures < 2
            }
            Scope::Silent => keys_left && !others_left,
        };
        if !stay {
            self.leg += 1;
            self.keys_tried = 0;
            self.provider_failures = 0;
        }
    }

    fn stop(&mut self, stop: Stop) -> Step {
        self.stop = Some(stop);
        Step::Stop(stop)
    }
}
