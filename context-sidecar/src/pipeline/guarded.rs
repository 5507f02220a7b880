//! How the store is asked: within the deadline, not while it is being left alone, counted, and with a failure that any
//! door can tell.

use std::{future::Future, time::Duration};

use chassis::clock;
use tracing::Instrument as _;

use super::{Pipeline, retrieve::traced};
use crate::{
    breaker::{Outcome, State},
    failure::{Failure, Kind},
    http::{Call, Trouble},
    store::Fault,
};

/// A call with less time than this that comes too late says nothing about the store.
const FAIR: Duration = Duration::from_secs(1);

impl Pipeline {
    /// Asks the store.
    pub(crate) async fn ask<T>(
        &self,
        what: &'static str,
        call: &Call,
        work: impl Future<Output = Result<T, Fault>>,
    ) -> Result<T, Failure> {
        let was = self.gates.store.state();
        let pass = self.gates.store.enter().map_err(|resting| {
            self.series.called("store", "resting");
            let mut failure = Failure::new(Kind::Unavailable, format!("{}: {resting}", self.store.describe()));
            failure.retry_after = Some(resting.wait);
            failure
        })?;
        let started = clock::now();
        let span = traced(|| tracing::info_span!("store", what));
        let answer = call.within(work.instrument(span)).await;
        let took = clock::now().saturating_duration_since(started);
        let (outcome, counted) = match &answer {
            None if took < FAIR => (Outcome::Nothing, "late"),
            None => (Outcome::Failed, "late"),
            Some(Err(Fault::Unavailable(_))) => (Outcome::Failed, "unavailable"),
            Some(Err(Fault::Refused(_))) => (Outcome::Answered, "refused"),
            Some(Err(Fault::Full(_))) => (Outcome::Answered, "full"),
            Some(Err(Fault::Corrupt(_))) => (Outcome::Answered, "corrupt"),
            Some(Ok(_) | Err(Fault::NoCollection(_) | Fault::Mismatch(_))) => (Outcome::Answered, "answered"),
        };
        match (&answer, outcome) {
            (None, Outcome::Failed) => pass.failed(&late(&self.store.describe(), took).message),
            (Some(Err(fault)), Outcome::Failed) => pass.failed(&fault.to_string()),
            _ => pass.tell(outcome),
        }
        self.series.called("store", counted);
        if outcome == Outcome::Answered && was != State::Closed {
            self.is_back();
        }
        if let Some(Err(Fault::NoCollection(name))) = &answer
            && self.kinds.forget(name)
        {
            // It was there: somebody has dropped it, and with it all that was answered from it.
            self.caches.epochs.bump_all();
        }
        match answer {
            Some(answer) => answer.map_err(Failure::from),
            None => Err(late(&self.store.describe(), took)),
        }
    }

    /// The store has answered somebody who asks it all the time: nobody needs to leave it alone any longer.
    pub(crate) fn store_answers(&self) {
        if self.gates.store.close() {
            self.is_back();
        }
    }

    /// While the store was away others may have written to it, or somebody has put another one in its place.
    fn is_back(&self) {
        self.caches.epochs.bump_all();
        self.kinds.forget_all();
    }
}

/// Something has not answered in time.
pub(crate) fn late(place: &str, took: Duration) -> Failure {
    let took = took.as_millis();
    Failure::new(
        Kind::Late,
        format!("{place}: no answer within {took} ms; look whether it is overloaded, or give more time"),
    )
}

impl Failure {
    /// Whether it is one that passes, so that what was answered before is better than nothing.
    #[must_use]
    pub const fn is_outage(&self) -> bool {
        matches!(self.kind, Kind::Unavailable | Kind::Late)
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        let kind = match &fault {
            Fault::NoCollection(_) => Kind::NotFound,
            Fault::Mismatch(_) => Kind::Conflict,
            // It wants another key or other limits: for whoever asks, it is down until somebody sees to it.
            Fault::Unavailable(_) | Fault::Refused(_) => Kind::Unavailable,
            Fault::Full(_) => Kind::Full,
            Fault::Corrupt(_) => Kind::Internal,
        };
        let about = matches!(fault, Fault::NoCollection(_)).then_some("collection");
        let failure = Self::new(kind, fault.to_string());
        about.into_iter().fold(failure, Self::about)
    }
}

impl From<Trouble> for Failure {
    fn from(trouble: Trouble) -> Self {
        let kind = if matches!(trouble, Trouble::Late { .. }) { Kind::Late } else { Kind::Unavailable };
        Self { retry_after: trouble.retry_after(), ..Self::new(kind, trouble.to_string()) }
    }
}
