//! The failover state machine against its promises, over random candidates and failures. No IO, no clock.

#![allow(clippy::expect_used, clippy::indexing_slicing, reason = "a test fails by panicking")]
#![allow(clippy::disallowed_methods, reason = "any instant will do: the time of these tests is made up")]

use std::time::{Duration, Instant};

use ambassador_core::failover::{Failover, Failure, Leg, Phase, Step, Stop};
use proptest::prelude::*;

fn failures() -> impl Strategy<Value = Failure> {
    prop_oneof![
        prop::sample::select(vec![401_u16, 402, 403, 408, 429, 500, 502, 503, 504, 529]).prop_map(Failure::Status),
        prop::sample::select(vec![400_u16, 404, 413, 422]).prop_map(Failure::Status),
        prop::sample::select(vec![
            Failure::Connect,
            Failure::Broken,
            Failure::Malformed,
            Failure::InBand(None),
            Failure::InBand(Some(400)),
            Failure::InBand(Some(429)),
            Failure::InBand(Some(503)),
            Failure::Inexpressible,
            Failure::Timeout(Phase::Connect),
            Failure::Timeout(Phase::Headers),
            Failure::Timeout(Phase::FirstContent),
            Failure::Timeout(Phase::Total),
        ]),
    ]
}

fn legs() -> impl Strategy<Value = Vec<Leg>> {
    let total = proptest::option::of((1_u64..30).prop_map(Duration::from_secs));
    let leg = (0_usize..5, 0_usize..9, total).prop_map(|(keys, first_key, total)| Leg { keys, first_key, total });
    proptest::collection::vec(leg, 0..5)
}

#[derive(Debug)]
struct Run {
    attempts: Vec<(usize, usize, Failure)>,
    stop: Stop,
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn promises_hold(
        legs in legs(),
        budget in 0_u32..8,
        limit in 1_u64..120,
        script in proptest::collection::vec((failures(), 0_u64..20), 40),
    ) {
        let start = Instant::now();
        let deadline = start + Duration::from_secs(limit);
        let mut now = start;
        let mut failover = Failover::new(legs.clone(), budget, deadline);
        let mut attempts = Vec::new();
        let mut script = script.into_iter();
        let stop = loop {
            match failover.next(now) {
                Step::Stop(stop) => break stop,
                Step::Attempt { leg, key, until } => {
                    // Nothing is started after the deadline, and nothing may run past it.
                    prop_assert!(now < deadline && until <= deadline && until > now);
                    prop_assert!(legs[leg].total.is_none_or(|total| until <= now + total));
                    prop_assert!(key < legs[leg].keys.max(1));
                    let (failure, took) = script.next().expect("more attempts than any budget allows");
                    attempts.push((leg, key, failure));
                    now += Duration::from_secs(took);
                    failover.report(failure);
                }
            }
        };
        let run = Run { attempts, stop };
        let sent: Vec<_> = run.attempts.iter().filter(|attempt| attempt.2 != Failure::Inexpressible).collect();

        // The budget holds for the whole request, and counts what was sent.
        prop_assert!(sent.len() <= budget as usize);
        prop_assert_eq!(failover.attempts() as usize, sent.len());
        // The order of preference is kept: no way back to an earlier candidate.
        prop_assert!(run.attempts.windows(2).all(|pair| pair[0].0 <= pair[1].0));
        // No key is tried twice.
        let mut keys: Vec<_> = run.attempts.iter().map(|attempt| (attempt.0, attempt.1)).collect();
        keys.sort_unstable();
        keys.dedup();
        prop_assert_eq!(keys.len(), run.attempts.len());
        // The caller's mistake ends the matter, and nothing else is called one.
        let mistake = |failure: &Failure| {
            matches!(failure, Failure::Status(400 | 404 | 413 | 422) | Failure::InBand(Some(400)))
        };
        for (i, (_, _, failure)) in run.attempts.iter().enumerate() {
            prop_assert_eq!(mistake(failure), run.stop == Stop::Refused && i + 1 == run.attempts.len());
        }
        // Asked again, the answer is the same.
        prop_assert_eq!(failover.next(now + Duration::from_secs(1)), Step::Stop(run.stop));
    }

    #[test]
    fn the_fallback_is_asked_before_the_budget_is_gone(
        keys in 1_usize..9,
        budget in 2_u32..8,
        failure in prop::sample::select(vec![Failure::Status(401), Failure::Status(429), Failure::Status(503), Failure::Connect,
            Failure::Timeout(Phase::Headers)]),
    ) {
        let leg = |keys| Leg { keys, first_key: 0, total: None };
        let now = Instant::now();
        let mut failover = Failover::new(vec![leg(keys), leg(1)], budget, now + Duration::from_secs(60));
        let mut asked = Vec::new();
        while let Step::Attempt { leg, .. } = failover.next(now) {
            asked.push(leg);
            failover.report(failure);
        }
        prop_assert_eq!(asked.last(), Some(&1));
    }
}

#[test]
fn every_key_then_the_next_provider() {
    let now = Instant::now();
    let legs = vec![Leg { keys: 2, first_key: 1, total: None }, Leg { keys: 0, first_key: 5, total: None }];
    for failure in
        [401, 402, 403, 408, 429, 500, 502, 503, 504, 529].map(Failure::Status).into_iter().chain([Failure::Connect])
    {
        let mut failover = Failover::new(legs.clone(), 4, now + Duration::from_secs(9));
        let mut tried = Vec::new();
        while let Step::Attempt { leg, key, .. } = failover.next(now) {
            tried.push((leg, key));
            failover.report(failure);
        }
        assert_eq!(tried, [(0, 1), (0, 0), (1, 0)], "{failure:?}");
        assert_eq!(failover.next(now), Step::Stop(Stop::Exhausted));
    }
}

#[test]
fn the_deadline_ends_it() {
    let now = Instant::now();
    let mut failover =
        Failover::new(vec![Leg { keys: 1, first_key: 0, total: None }; 3], 9, now + Duration::from_secs(1));
    assert!(matches!(failover.next(now), Step::Attempt { .. }));
    failover.report(Failure::Timeout(Phase::Total));
    assert_eq!(failover.next(now + Duration::from_secs(1)), Step::Stop(Stop::Deadline));
}
