//! Whatever is written and asked, nobody gets what is not theirs, nor what was true once.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;
use crate::cache::Epochs;

const TTL: Duration = Duration::from_secs(60);

fn results<V: Send + Sync + 'static>() -> Results<V> {
    Results::of(1 << 20, TTL, TTL * 60)
}

fn scope(tenant: u8, collection: u8) -> Scope {
    Scope { tenant: format!("t{tenant}").parse().unwrap(), collection: format!("c{collection}").parse().unwrap() }
}

fn question(tenant: u8, text: u8) -> Question {
    Question::of(scope(tenant, 0), &[text])
}

#[test]
fn an_answer_is_good_until_it_is_old_or_somebody_writes_and_then_for_outages() {
    let (results, epochs, start) = (results(), Epochs::default(), chassis::clock::now());
    let (question, scope) = (question(1, 1), scope(1, 0));
    let epoch = epochs.now(&scope);
    results.put(question.clone(), epoch, Arc::new(7), 8, start);
    assert_eq!(results.fresh(&question, epoch, start + TTL / 2).as_deref(), Some(&7));
    assert_eq!(results.fresh(&question, epoch, start + TTL), None);
    epochs.bump(&scope);
    assert_eq!(results.fresh(&question, epochs.now(&scope), start), None);
    assert_eq!(results.stale(&question, start + TTL * 2), Some(Stale { value: Arc::new(7), age: TTL * 2 }));
    results.forget(&scope);
    assert_eq!(results.stale(&question, start), None);
}

/// Between the look at the epoch and the putting in somebody deletes, and forgets what is not there yet.
#[test]
fn what_is_put_in_while_somebody_forgets_is_not_kept_for_outages() {
    let (results, epochs, start) = (results(), Epochs::default(), chassis::clock::now());
    let (question, scope) = (question(1, 1), scope(1, 0));
    let epoch = epochs.now(&scope);
    let is_true = || {
        let was = epochs.now(&scope) == epoch;
        epochs.bump(&scope);
        results.forget(&scope);
        was
    };
    results.put_while(question.clone(), epoch, Arc::new(7), 8, start, is_true);
    assert_eq!(results.stale(&question, start), None);
    let epoch = epochs.now(&scope);
    results.put_while(question.clone(), epoch, Arc::new(7), 8, start, || epochs.now(&scope) == epoch);
    assert_eq!(results.fresh(&question, epoch, start).as_deref(), Some(&7));
}

#[test]
fn what_was_asked_before_a_write_and_answered_after_it_is_not_kept_as_true() {
    let (results, epochs, now) = (results(), Epochs::default(), chassis::clock::now());
    let (question, scope) = (question(1, 1), scope(1, 0));
    let before = epochs.now(&scope);
    epochs.bump(&scope);
    results.put(question.clone(), before, Arc::new(7), 8, now);
    assert_eq!(results.fresh(&question, epochs.now(&scope), now), None);
}

#[test]
fn it_is_bounded_and_shows_nothing() {
    let results = Results::of(100_000, TTL, TTL);
    let (epoch, now) = (Epochs::default().now(&scope(1, 0)), chassis::clock::now());
    for index in 0..1_000_u32 {
        results.put(Question::of(scope(1, 0), &index.to_be_bytes()), epoch, Arc::new(()), 1_000, now);
    }
    assert!((1..=100_000).contains(&results.bytes()), "{}", results.bytes());
    let shown = format!("{results:?} {:?}", Question::of(scope(1, 0), b"secret"));
    assert!(!shown.contains("secret") && !shown.contains("digest"), "{shown}");
}

#[derive(Debug, Clone)]
enum Event {
    Ask(u8, u8, u8),
    Write(u8, u8),
    Pass(u64),
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let event = prop_oneof![
        4 => (0..3_u8, 0..2_u8, 0..3_u8).prop_map(|(tenant, collection, text)| Event::Ask(tenant, collection, text)),
        1 => (0..3_u8, 0..2_u8).prop_map(|(tenant, collection)| Event::Write(tenant, collection)),
        1 => (0..50_u64).prop_map(Event::Pass),
    ];
    prop::collection::vec(event, 0..120)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn a_hit_is_the_scopes_own_and_of_now(events in events(), most in 1..8_usize) {
        let (results, epochs) = (results(), Epochs::of(most));
        let mut now = chassis::clock::now();
        // How often each scope was written to: what a store would answer from.
        let mut written: HashMap<(u8, u8), u64> = HashMap::new();
        for event in events {
            match event {
                Event::Ask(tenant, collection, text) => {
                    let scope = scope(tenant, collection);
                    let question = Question::of(scope.clone(), &[text]);
                    let epoch = epochs.now(&scope);
                    let version = *written.entry((tenant, collection)).or_default();
                    let truth = (tenant, collection, text, version);
                    if let Some(stale) = results.stale(&question, now) {
                        let (of, from, asked, at): (u8, u8, u8, u64) = *stale.value;
                        prop_assert_eq!((of, from, asked), (tenant, collection, text));
                        prop_assert!(at <= version);
                    }
                    match results.fresh(&question, epoch, now) {
                        Some(found) => prop_assert_eq!(*found, truth),
                        None => results.put(question, epoch, Arc::new(truth), 32, now),
                    }
                }
                Event::Write(tenant, collection) => {
                    *written.entry((tenant, collection)).or_default() += 1;
                    epochs.bump(&scope(tenant, collection));
                }
                Event::Pass(seconds) => now += Duration::from_secs(seconds),
            }
        }
    }
}
