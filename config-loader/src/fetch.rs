//! Fetching all of a set at the same time, each source as often as it takes, all within one deadline.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use backon::{BackoffBuilder, ExponentialBuilder};
use chassis::{clock, exit::Code, task};
use tokio::time::{sleep, timeout_at};

use crate::{
    failure::{Failure, Retry},
    progress::{Event, Progress},
    settings::Identity,
    source::{Fetched, Limits, Source},
};

/// The first pause between two tries, and the longest. The deadline bounds how many there are.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// How long before its time is up a source is tried for the last time.
const LAST_TRY: Duration = Duration::from_secs(1);

/// A source, and what is asked of it.
#[derive(Debug)]
pub struct Asked {
    /// The source.
    pub source: Arc<dyn Source>,
    /// How much may come.
    pub limits: Limits,
    /// What it gave the last time: it may answer that this is still so.
    pub known: Option<Fetched>,
    /// When it is given up.
    pub until: Instant,
}

/// What each source gave, or why it gave nothing.
pub type Gathered = BTreeMap<Identity, Result<Fetched, Failure>>;

/// Fetches from all of them at once, each until it succeeds, fails for good, or its time has come. In their order.
///
/// `seed` decides the jitter: pods that start together do not come back together.
pub async fn fetch_all(asked: Vec<Asked>, seed: u64, progress: &Arc<dyn Progress>) -> Vec<Result<Fetched, Failure>> {
    let started: Vec<_> = asked
        .into_iter()
        .zip(0_u64..)
        .map(|(asked, index)| {
            let progress = Arc::clone(progress);
            task::spawn(async move {
                let location = asked.source.location();
                progress.tell(&location, Event::Asked);
                let tell = |event: Event<'_>| progress.tell(&location, event);
                let result = fetch(&asked, seed.wrapping_add(index), &tell).await;
                if let Err(failure) = &result {
                    tell(Event::Failed(failure));
                }
                result
            })
        })
        .collect();
    let mut outcomes = Vec::with_capacity(started.len());
    for fetching in started {
        outcomes.push(fetching.await.unwrap_or_else(|_panicked| {
            Err(Failure::new(Code::Software, "the config-loader has a bug, and this source has found it"))
        }));
    }
    outcomes
}

/// Fetches from one, again and again where that may help.
async fn fetch(asked: &Asked, seed: u64, tell: &(dyn Fn(Event<'_>) + Sync)) -> Result<Fetched, Failure> {
    let mut pauses = ExponentialBuilder::default()
        .with_min_delay(FIRST_PAUSE)
        .with_max_delay(LONGEST_PAUSE)
        .with_jitter()
        .with_jitter_seed(seed)
        .without_max_times()
        .build();
    let (since, until) = (clock::now(), asked.until);
    let mut tries = 0_u32;
    let mut last: Option<Failure> = None;
    let mut is_last = false;
    loop {
        tries = tries.saturating_add(1);
        let took = || clock::now().saturating_duration_since(since);
        let Ok(result) = timeout_at(until.into(), ask(asked)).await else {
            return Err(out_of_time(last, tries, took()));
        };
        let failure = match result {
            Ok((fetched, changed)) => {
                tell(Event::Fetched { fetched: &fetched, tries, took: took(), changed });
                return Ok(fetched);
            }
            Err(failure) => failure,
        };
        let Some(pause) = pause(failure.retry, pauses.next()) else { return Err(failure) };
        let left = until.saturating_duration_since(clock::now());
        let pause = if pause < left {
            pause
        } else if let Retry::After(told) = failure.retry {
            return Err(too_late(failure, told));
        } else if is_last {
            return Err(out_of_time(Some(failure), tries, took()));
        } else {
            // It may have come back since: as late as there is still time for an answer.
            is_last = true;
            left - LAST_TRY.min(left / 2)
        };
        tell(Event::Again { failure: &failure, tries, pause });
        last = Some(failure);
        sleep(pause).await;
    }
}

/// Asks once. What is known already and has not changed need not come again.
async fn ask(asked: &Asked) -> Result<(Fetched, bool), Failure> {
    let Asked { source, limits, known, until: _ } = asked;
    let version = known.as_ref().and_then(|known| Some((known, known.version.as_deref()?)));
    match version {
        None => Ok((source.fetch(limits.clone()).await?, true)),
        Some((known, version)) => match source.fetch_unless(version, limits.clone()).await? {
            Some(fetched) => Ok((fetched, true)),
            None => Ok((known.clone(), false)),
        },
    }
}

/// How long to wait before the next try; `None` where there is none.
fn pause(retry: Retry, next: Option<Duration>) -> Option<Duration> {
    match retry {
        Retry::Never => None,
        Retry::Soon => next,
        Retry::After(told) => next.map(|next| next.max(told)),
    }
}

/// The source says when to come back, and that is after the deadline: there is no use in waiting for it.
fn too_late(failure: Failure, told: Duration) -> Failure {
    let message = format!("{}, and asks to come back in {told:.0?}, after the deadline", failure.message);
    Failure { message, ..failure.with_retry(Retry::Never) }
}

/// The deadline came first. What was found until then says more than that.
fn out_of_time(last: Option<Failure>, tries: u32, took: Duration) -> Failure {
    match last {
        Some(last) => Failure {
            message: format!("{}; so it was at each of {tries} tries in {took:.1?}", last.message),
            ..last.with_retry(Retry::Never)
        },
        None => Failure::new(Code::Deadline, "did not come to its end before the deadline")
            .with_hint("look at the source, or raise the deadline (CONFIG_LOADER_DEADLINE)"),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use async_trait::async_trait;
    use bytes::Bytes;

    use super::*;
    use crate::{
        progress::Log,
        source::{Budget, Content},
    };

    /// Fails in these ways, then succeeds; hangs once at its end if told to.
    #[derive(Debug, Default)]
    struct Scripted {
        failures: Mutex<Vec<Failure>>,
        hangs: bool,
    }

    #[async_trait]
    impl Source for Scripted {
        fn location(&self) -> String {
            "scripted".to_owned()
        }

        async fn fetch(&self, _: Limits) -> Result<Fetched, Failure> {
            if let Some(failure) = self.failures.lock().unwrap().pop() {
                return Err(failure);
            }
            if self.hangs {
                std::future::pending::<()>().await;
            }
            Ok(fetched(None))
        }

        async fn fetch_unless(&self, known: &str, limits: Limits) -> Result<Option<Fetched>, Failure> {
            if known == "same" { Ok(None) } else { self.fetch(limits).await.map(Some) }
        }
    }

    fn fetched(version: Option<&str>) -> Fetched {
        let version = version.map(str::to_owned);
        Fetched { content: Content::File(Bytes::from_static(b"x")), version, resolved: None, media_type: None }
    }

    fn run(sources: Vec<Scripted>, known: Option<Fetched>, within: Duration) -> Vec<Result<Fetched, Failure>> {
        let limits = Limits { file: 10, files: 10, set: 10, budget: Budget::NONE };
        let until = clock::now() + within;
        let asked = sources.into_iter().map(|source| Asked {
            source: Arc::new(source),
            limits: limits.clone(),
            known: known.clone(),
            until,
        });
        let progress: Arc<dyn Progress> = Arc::new(Log);
        task::block_on(async { fetch_all(asked.collect(), 1, &progress).await }).unwrap()
    }

    fn failing(failures: Vec<Failure>) -> Scripted {
        Scripted { failures: Mutex::new(failures), hangs: false }
    }

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn what_may_succeed_is_tried_again_and_what_cannot_is_not() {
        let down = || Failure::unavailable("refused");
        let outcomes = run(
            vec![
                failing(vec![]),
                failing(vec![down(), down()]),
                failing(vec![Failure::denied("401")]),
                failing(vec![down().with_retry(Retry::After(Duration::from_millis(1)))]),
            ],
            None,
            LONG,
        );
        let told: Vec<bool> = outcomes.iter().map(Result::is_ok).collect();
        assert_eq!(told, [true, true, false, true]);
    }

    #[test]
    fn what_has_not_changed_is_what_was_known() {
        let broken = || failing(vec![Failure::denied("this one would have been asked")]);
        assert_eq!(run(vec![broken()], Some(fetched(Some("same"))), LONG), [Ok(fetched(Some("same")))]);
        assert!(run(vec![broken()], Some(fetched(Some("older"))), LONG)[0].is_err());
        // Without a version there is nothing to ask by.
        assert!(run(vec![broken()], Some(fetched(None)), LONG)[0].is_err());
    }

    #[test]
    fn the_deadline_ends_it_and_the_last_reason_is_told() {
        let hangs = Scripted { hangs: true, ..Scripted::default() };
        let late = failing(vec![Failure::unavailable("busy").with_retry(Retry::After(LONG * 2))]);
        let outcomes = run(vec![hangs, late], None, Duration::from_millis(50));
        let told: Vec<(Code, String)> = outcomes
            .into_iter()
            .map(|outcome| outcome.map_err(|failure| (failure.code, failure.message)).unwrap_err())
            .collect();
        assert_eq!(told[0], (Code::Deadline, "did not come to its end before the deadline".to_owned()));
        assert_eq!(told[1], (Code::Unavailable, "busy, and asks to come back in 120s, after the deadline".to_owned()));
    }
}
