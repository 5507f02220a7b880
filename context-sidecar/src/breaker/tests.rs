//! What a breaker never does, whatever happens.

use proptest::prelude::*;

use super::*;

const MS: Duration = Duration::from_millis(1);

fn policy() -> Policy {
    Policy {
        in_a_row: 3,
        rate: 0.5,
        calls: 10,
        window: MS * 1_000,
        open: MS * 100,
        longest: MS * 450,
        patience: MS * 50,
    }
}

fn opened(start: Instant) -> Breaker {
    let mut breaker = Breaker::new(policy());
    for _ in 0..3 {
        let permit = breaker.ask(start).unwrap();
        breaker.tell(permit, Outcome::Failed, start);
    }
    assert_eq!(breaker.state(start), State::Open);
    breaker
}

#[test]
fn it_opens_for_twice_as_long_each_time_up_to_a_limit_and_from_the_beginning_after_an_answer() {
    let mut now = clock::now();
    let mut breaker = opened(now);
    for wait in [100, 200, 400, 450, 450] {
        assert_eq!(breaker.ask(now).unwrap_err(), MS * wait);
        now += MS * wait;
        let probe = breaker.ask(now).unwrap();
        assert_eq!(breaker.state(now), State::HalfOpen);
        breaker.tell(probe, Outcome::Failed, now);
    }
    now += MS * 450;
    let probe = breaker.ask(now).unwrap();
    breaker.tell(probe, Outcome::Answered, now);
    assert_eq!(breaker.state(now), State::Closed);
    for _ in 0..3 {
        let permit = breaker.ask(now).unwrap();
        breaker.tell(permit, Outcome::Failed, now);
    }
    assert_eq!(breaker.ask(now).unwrap_err(), MS * 100);
}

#[test]
fn every_second_failure_opens_it_too_but_not_those_of_long_ago() {
    for (pause, opens) in [(MS * 10, true), (MS * 300, false)] {
        let mut now = clock::now();
        let mut breaker = Breaker::new(policy());
        for call in 0..40 {
            now += pause;
            let Ok(permit) = breaker.ask(now) else { break };
            let outcome = if call % 2 == 0 { Outcome::Failed } else { Outcome::Answered };
            breaker.tell(permit, outcome, now);
        }
        assert_eq!(breaker.state(now) == State::Open, opens, "{pause:?}");
    }
}

#[test]
fn a_probe_that_is_lost_is_followed_by_another() {
    let start = clock::now();
    let mut breaker = opened(start);
    let lost = breaker.ask(start + MS * 100).unwrap();
    assert_eq!(breaker.ask(start + MS * 120).unwrap_err(), MS * 30);
    let second = breaker.ask(start + MS * 150).unwrap();
    // Nobody waits for the first any more.
    breaker.tell(lost, Outcome::Answered, start + MS * 160);
    assert_eq!(breaker.state(start + MS * 160), State::HalfOpen);
    breaker.tell(second, Outcome::Nothing, start + MS * 170);
    let third = breaker.ask(start + MS * 170).unwrap();
    breaker.tell(third, Outcome::Answered, start + MS * 170);
    assert_eq!(breaker.state(start + MS * 170), State::Closed);
}

#[test]
fn a_caller_that_goes_away_says_nothing() {
    let gate = Gate::new(Policy { in_a_row: 1, ..policy() });
    drop(gate.enter().unwrap());
    assert_eq!(gate.state(), State::Closed);
    gate.enter().unwrap().failed("it answers 502");
    assert_eq!(gate.state(), State::Open);
    let resting = gate.enter().unwrap_err();
    assert!(resting.to_string().ends_with("; last: it answers 502"), "{resting}");
}

#[derive(Debug, Clone)]
enum Event {
    Ask,
    /// One of the permits that are out, and how it ended.
    Tell(usize, Outcome),
    Pass(u64),
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let outcome = prop_oneof![Just(Outcome::Answered), Just(Outcome::Failed), Just(Outcome::Nothing)];
    let event = prop_oneof![
        Just(Event::Ask),
        (any::<usize>(), outcome).prop_map(|(which, outcome)| Event::Tell(which, outcome)),
        (0..200_u64).prop_map(Event::Pass),
    ];
    prop::collection::vec(event, 0..200)
}

proptest! {
    #[test]
    fn it_never_stays_shut_never_lets_two_probes_out_and_never_opens_without_a_failure(events in events()) {
        let policy = policy();
        let mut now = clock::now();
        let mut breaker = Breaker::new(policy.clone());
        let mut out = Vec::new();
        let mut probing: Option<(Permit, Instant)> = None;
        for event in events {
            let before = breaker.state(now);
            match event {
                Event::Ask => match breaker.ask(now) {
                    Ok(permit) => {
                        prop_assert_ne!(before, State::Open);
                        if before == State::HalfOpen {
                            if let Some((_, since)) = probing {
                                prop_assert!(now - since >= policy.patience, "two probes at once");
                            }
                            probing = Some((permit, now));
                        }
                        out.push(permit);
                    }
                    Err(wait) => {
                        prop_assert_ne!(before, State::Closed);
                        prop_assert!(wait > Duration::ZERO && wait <= policy.longest.max(policy.patience));
                    }
                },
                Event::Tell(which, outcome) if !out.is_empty() => {
                    let permit = out.swap_remove(which % out.len());
                    breaker.tell(permit, outcome, now);
                    let after = breaker.state(now);
                    if probing.is_some_and(|(probe, _)| probe == permit) {
                        probing = None;
                    }
                    if before != State::Open && after == State::Open {
                        prop_assert_eq!(outcome, Outcome::Failed);
                    }
                    if before != State::Closed && after == State::Closed {
                        prop_assert_eq!(outcome, Outcome::Answered);
                    }
                }
                Event::Tell(..) => {}
                Event::Pass(ms) => now += MS * u32::try_from(ms).unwrap(),
            }
        }
        // However it stands, after the longest wait there is leave again.
        prop_assert!(breaker.ask(now + policy.longest.max(policy.patience)).is_ok());
    }
}
