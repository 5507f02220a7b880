//! Fetching all of a set at the same time, each source as often as it takes, all within one deadline.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use backon::{BackoffBuilder, ExponentialBuilder};
use chassis::{clock, exit::Code, task};
use tokio::time::{sleep, timeout_at};

use crate::{
    failure::{Failure, Retry},
    source::{Fetched, Limits, Source},
};

/// The first pause between two tries, and the longest. The deadline bounds how many there are.
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// What a source gave, and at which try.
#[derive(Debug)]
pub struct Outcome {
    /// What came, or why nothing did.
    pub result: Result<Fetched, Failure>,
    /// How many tries there were.
    pub tries: u32,
}

/// Fetches from all of them at once, each until it succeeds, fails for good, or `until` has come. In their order.
///
/// `seed` decides the jitter: pods that start together do not come back together.
pub async fn fetch_all(sources: Vec<Arc<dyn Source>>, limits: Limits, until: Instant, seed: u64) -> Vec<Outcome> {
    let started: Vec<_> = sources
        .into_iter()
        .zip(0_u64..)
        .map(|(source, index)| {
            task::spawn(async move { fetch(&*source, limits, until, seed.wrapping_add(index)).await })
        })
        .collect();
    let mut outcomes = Vec::with_capacity(started.len());
    for fetching in started {
        outcomes.push(fetching.await.unwrap_or_else(|_panicked| Outcome {
            result: Err(Failure::new(Code::Software, "the config-loader has a bug, and this source has found it")),
            tries: 1,
        }));
    }
    outcomes
}

/// Fetches from one, again and again where that may help.
async fn fetch(source: &dyn Source, limits: Limits, until: Instant, seed: u64) -> Outcome {
    let mut pauses = ExponentialBuilder::default()
        .with_min_delay(FIRST_PAUSE)
        .with_max_delay(LONGEST_PAUSE)
        .with_jitter()
        .with_jitter_seed(seed)
        .without_max_times()
        .build();
    let mut tries = 0;
    let mut last: Option<Failure> = None;
    loop {
        tries += 1;
        let Ok(result) = timeout_at(until.into(), source.fetch(limits)).await else {
            return Outcome { result: Err(out_of_time(last)), tries };
        };
        let failure = match result {
            Ok(fetched) => {
                tracing::info!(source = source.location(), version = fetched.version, tries, "fetched");
                return Outcome { result: Ok(fetched), tries };
            }
            Err(failure) => failure,
        };
        let Some(pause) = pause(failure.retry, pauses.next()) else {
            return Outcome { result: Err(failure), tries };
        };
        tracing::warn!(source = source.location(), tries, pause = ?pause, "{failure}; trying again");
        if clock::now() + pause >= until {
            return Outcome { result: Err(out_of_time(Some(failure))), tries };
        }
        last = Some(failure);
        sleep(pause).await;
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

/// The deadline came first. What was found until then says more than that.
fn out_of_time(last: Option<Failure>) -> Failure {
    match last {
        Some(last) => Failure {
            message: format!("{}, and went on until the deadline", last.message),
            ..last.with_retry(Retry::Never)
        },
        None => Failure::new(Code::Deadline, "no answer before the deadline")
            .with_hint("look at the source, or raise the deadline (CONFIG_LOADER_DEADLINE)"),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use async_trait::async_trait;
    use bytes::Bytes;

    use super::*;
    use crate::source::Content;

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
            Ok(Fetched { content: Content::File(Bytes::from_static(b"x")), version: None, media_type: None })
        }
    }

    fn run(sources: Vec<Scripted>, within: Duration) -> Vec<Outcome> {
        let sources = sources.into_iter().map(|source| Arc::new(source) as Arc<dyn Source>).collect();
        let limits = Limits { file: 10, files: 10, set: 10 };
        task::block_on(fetch_all(sources, limits, clock::now() + within, 1)).unwrap()
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
            LONG,
        );
        let told: Vec<(bool, u32)> = outcomes.iter().map(|outcome| (outcome.result.is_ok(), outcome.tries)).collect();
        assert_eq!(told, [(true, 1), (true, 3), (false, 1), (true, 2)]);
    }

    #[test]
    fn the_deadline_ends_it_and_the_last_reason_is_told() {
        let hangs = Scripted { hangs: true, ..Scripted::default() };
        let late = failing(vec![Failure::unavailable("busy").with_retry(Retry::After(LONG * 2))]);
        let outcomes = run(vec![hangs, late], Duration::from_millis(50));
        let told: Vec<(Code, String)> = outcomes
            .into_iter()
            .map(|outcome| outcome.result.map_err(|failure| (failure.code, failure.message)).unwrap_err())
            .collect();
        assert_eq!(told[0], (Code::Deadline, "no answer before the deadline".to_owned()));
        assert_eq!(told[1], (Code::Unavailable, "busy, and went on until the deadline".to_owned()));
    }
}
