//! What is answered when something is down: what was answered before, then the other leg, then a failure; never nothing.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use chassis::{
    admin::{Readiness, Verdict},
    clock,
    config::Environment,
    shutdown::Drain,
};
use context_core::scope::Scope;
use context_sidecar::{
    answer::CacheUse,
    breaker::Policy,
    config,
    failure::Kind,
    health::{self, Details, Pace},
    http::Call,
    ingest::{Outcome, Target},
    pipeline::{Pipeline, Settings},
    question::{Mode, Question},
};

use crate::{
    call, document,
    doubles::{Embeds, Fails, Shaky, Turns},
    pipeline, put, question, scope, settings,
};

struct Rig {
    store: Arc<Shaky>,
    embedder: Arc<Embeds>,
    reranker: Arc<Turns>,
    pipeline: Pipeline,
    scope: Scope,
}

async fn rig(settings: Settings) -> Rig {
    let (store, embedder, reranker) = (Shaky::new(), Embeds::new("m"), Arc::new(Turns::default()));
    let pipeline = pipeline(store.clone(), Some(embedder.clone()), Some(reranker.clone()), settings);
    let scope = scope("a", "docs");
    put(&pipeline, &scope, vec![document("one", "Foxes are red."), document("two", "Hares are brown.")]).await;
    Rig { store, embedder, reranker, pipeline, scope }
}

#[tokio::test]
async fn without_the_embedder_it_is_words_and_it_is_said_and_not_remembered() {
    let rig = rig(settings()).await;
    rig.embedder.is_down.store(true, Ordering::SeqCst);
    for _ in 0..2 {
        let answer = rig.pipeline.retrieve(&rig.scope, &question("red foxes"), &call()).await.unwrap();
        assert_eq!((answer.mode, answer.cache), (Mode::Lexical, CacheUse::Miss));
        assert_eq!(answer.degraded, ["dense"]);
        assert_eq!(answer.results[0].document_id, "one");
        assert_eq!(answer.results[0].scores.dense, None);
    }
    rig.embedder.is_down.store(false, Ordering::SeqCst);
    let answer = rig.pipeline.retrieve(&rig.scope, &question("red foxes"), &call()).await.unwrap();
    assert_eq!((answer.mode, answer.cache, answer.degraded.len()), (Mode::Hybrid, CacheUse::Miss, 0));
}

#[tokio::test]
async fn without_the_embedder_what_was_answered_before_comes_first() {
    let rig = rig(settings()).await;
    for mode in [None, Some(Mode::Dense)] {
        let asked = Question { mode, ..question("red foxes") };
        let before = rig.pipeline.retrieve(&rig.scope, &asked, &call()).await.unwrap();
        put(
            &rig.pipeline,
            &rig.scope,
            vec![document(&format!("three {mode:?}"), &format!("Foxes are red, too. {mode:?}"))],
        )
        .await;
        rig.embedder.is_down.store(true, Ordering::SeqCst);
        let answer = rig.pipeline.retrieve(&rig.scope, &asked, &call()).await.unwrap();
        assert_eq!((answer.cache, answer.degraded.as_slice()), (CacheUse::Stale, &["dense", "cache_only"][..]));
        assert!(answer.stale.is_some());
        assert_eq!(answer.results.len(), before.results.len());
        rig.embedder.is_down.store(false, Ordering::SeqCst);
        let after = rig.pipeline.retrieve(&rig.scope, &asked, &call()).await.unwrap();
        assert_eq!((after.cache, after.results.len()), (CacheUse::Miss, before.results.len() + 1));
    }
}

#[tokio::test]
async fn who_asks_for_meaning_gets_no_words_instead() {
    let rig = rig(settings()).await;
    rig.embedder.is_down.store(true, Ordering::SeqCst);
    let asked = Question { mode: Some(Mode::Dense), ..question("red foxes") };
    let failure = rig.pipeline.retrieve(&rig.scope, &asked, &call()).await.unwrap_err();
    assert_eq!(failure.kind, Kind::Unavailable);
    assert!(failure.message.contains("embedder"), "{failure}");
}

#[tokio::test]
async fn without_the_store_it_is_what_was_answered_before_or_a_failure() {
    let rig = rig(settings()).await;
    let known = rig.pipeline.retrieve(&rig.scope, &question("red foxes"), &call()).await.unwrap();
    put(&rig.pipeline, &rig.scope, vec![document("three", "Foxes are red, too.")]).await;
    for how in [Fails::Always, Fails::Hangs] {
        rig.store.fail(how);
        let soon = Call::until(clock::now() + Duration::from_millis(300));
        let answer = rig.pipeline.retrieve(&rig.scope, &question("red foxes"), &soon).await.unwrap();
        assert_eq!((answer.cache, answer.degraded.as_slice()), (CacheUse::Stale, &["cache_only"][..]));
        assert_eq!(answer.results.len(), known.results.len());
        let soon = Call::until(clock::now() + Duration::from_millis(300));
        let failure = rig.pipeline.retrieve(&rig.scope, &question("brown hares"), &soon).await.unwrap_err();
        let due = if how == Fails::Hangs { Kind::Late } else { Kind::Unavailable };
        assert_eq!(failure.kind, due);
    }
    rig.store.fail(Fails::Never);
    let answer = rig.pipeline.retrieve(&rig.scope, &question("red foxes"), &call()).await.unwrap();
    assert_eq!((answer.cache, answer.stale.is_none()), (CacheUse::Miss, true));
}

/// Wherever in the middle it goes down, there is no answer with less in it.
#[tokio::test]
async fn no_failure_looks_like_nothing_found() {
    for calls in 0..8 {
        for how in [Fails::Before(calls), Fails::After(calls)] {
            let rig = rig(settings()).await;
            rig.store.fail(how);
            let asked = Question {
                max_tokens: Some(200),
                expand: Some(context_core::merge::Expand::Window(1)),
                mmr: Some(0.5),
                ..question("red foxes")
            };
            match rig.pipeline.retrieve(&rig.scope, &asked, &call()).await {
                Ok(answer) => assert_eq!((answer.results.len(), calls > 1), (2, true), "{how:?}"),
                Err(failure) => assert_eq!(failure.kind, Kind::Unavailable, "{how:?}"),
            }
        }
    }
}

#[tokio::test]
async fn without_the_reranker_it_is_the_ranking_there_was() {
    let rig = rig(settings()).await;
    let reranked = rig.pipeline.retrieve(&rig.scope, &question("red foxes"), &call()).await.unwrap();
    assert_eq!((reranked.results[0].document_id.as_str(), reranked.results[0].scores.rerank), ("two", Some(1.0)));
    rig.reranker.is_down.store(true, Ordering::SeqCst);
    let asked = Question { top_k: 9, ..question("red foxes") };
    let answer = rig.pipeline.retrieve(&rig.scope, &asked, &call()).await.unwrap();
    assert_eq!((answer.results[0].document_id.as_str(), answer.degraded.as_slice()), ("one", &["rerank"][..]));
}

#[tokio::test]
async fn a_store_that_fails_is_left_alone_and_tried_again() {
    let store_breaker = Policy { in_a_row: 3, open: Duration::from_millis(100), ..Policy::default() };
    let rig = rig(Settings { store_breaker, ..settings() }).await;
    rig.pipeline.retrieve(&rig.scope, &question("brown hares"), &call()).await.unwrap();
    rig.store.fail(Fails::Always);
    rig.store.calls();
    for number in 0..10 {
        let failure = rig.pipeline.retrieve(&rig.scope, &question("red foxes"), &call()).await.unwrap_err();
        assert_eq!(failure.kind, Kind::Unavailable);
        assert_eq!(failure.retry_after.is_some(), number >= 3, "{number}: {failure}");
    }
    assert_eq!(rig.store.calls().len(), 3);
    // Somebody else writes while it is not seen from here.
    let other = pipeline(rig.store.twin(), Some(rig.embedder.clone()), None, settings());
    put(&other, &rig.scope, vec![document("three", "Brown hares run.")]).await;
    rig.store.fail(Fails::Never);
    let patience = clock::now() + Duration::from_secs(20);
    while rig.pipeline.retrieve(&rig.scope, &question("red foxes"), &call()).await.is_err() {
        assert!(clock::now() < patience);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let answer = rig.pipeline.retrieve(&rig.scope, &question("brown hares"), &call()).await.unwrap();
    assert_eq!((answer.cache, answer.results.len()), (CacheUse::Miss, 3), "who knows what was written meanwhile");
}

/// Whoever deletes wants it gone: from what is kept for outages, too.
#[tokio::test]
async fn what_was_deleted_does_not_come_back_in_an_outage() {
    let rig = rig(settings()).await;
    rig.pipeline.retrieve(&rig.scope, &question("red foxes"), &call()).await.unwrap();
    rig.pipeline.delete(&rig.scope, &Target::Documents(vec!["one".to_owned()]), &call()).await.unwrap();
    rig.store.fail(Fails::Always);
    let failure = rig.pipeline.retrieve(&rig.scope, &question("red foxes"), &call()).await.unwrap_err();
    assert_eq!(failure.kind, Kind::Unavailable);
}

/// Nor if nobody knows whether it was: the store has failed, or the caller has gone. What the store was never asked to
/// delete is there, and stays for the outage.
#[tokio::test]
async fn what_may_have_been_deleted_does_not_come_back_and_what_was_not_does() {
    let target = Target::Documents(vec!["one".to_owned()]);
    for how in [Fails::Before(0), Fails::After(0), Fails::Hangs] {
        let rig = rig(settings()).await;
        rig.pipeline.retrieve(&rig.scope, &question("red foxes"), &call()).await.unwrap();
        rig.store.fail(how);
        let patient = call();
        let deleting = rig.pipeline.delete(&rig.scope, &target, &patient);
        if how == Fails::Hangs {
            assert!(tokio::time::timeout(Duration::from_millis(50), deleting).await.is_err());
        } else {
            deleting.await.unwrap_err();
        }
        rig.store.fail(Fails::Always);
        rig.pipeline.retrieve(&rig.scope, &question("red foxes"), &call()).await.unwrap_err();
    }
    let store_breaker = Policy { in_a_row: 1, open: Duration::from_secs(600), ..Policy::default() };
    let store_breaker = Policy { longest: store_breaker.open, ..store_breaker };
    let rig = rig(Settings { store_breaker, ..settings() }).await;
    rig.pipeline.retrieve(&rig.scope, &question("red foxes"), &call()).await.unwrap();
    rig.store.fail(Fails::Always);
    rig.pipeline.retrieve(&rig.scope, &question("brown hares"), &call()).await.unwrap_err();
    rig.pipeline.delete(&rig.scope, &target, &call()).await.unwrap_err();
    // So that the answer is looked for in the store, and not fresh in the cache.
    rig.pipeline.delete(&rig.scope, &Target::All, &call()).await.unwrap_err();
    let answer = rig.pipeline.retrieve(&rig.scope, &question("red foxes"), &call()).await.unwrap();
    assert_eq!(answer.results.len(), 2);
}

#[tokio::test]
async fn documents_wait_for_the_embedder_and_say_so() {
    let rig = rig(settings()).await;
    rig.embedder.is_down.store(true, Ordering::SeqCst);
    let given = vec![Ok(document("one", "Foxes are red.")), Ok(document("new", "Owls are grey."))];
    let outcomes = rig.pipeline.put(&rig.scope, given, None, &call()).await.unwrap();
    assert_eq!(outcomes[0].outcome, Outcome::Unchanged { chunks: 1 });
    let Outcome::Failed { kind, message } = &outcomes[1].outcome else { panic!("{outcomes:?}") };
    assert_eq!((*kind, message.contains("embedder")), (Kind::Unavailable, true));
}

/// Readiness of a pipeline, as it is looked after.
async fn watched(pipeline: &Arc<Pipeline>, pace: Pace) -> (Readiness, Drain) {
    let pairs = [("CONTEXT_TENANT", "a"), ("CONTEXT_COLLECTION", "docs"), ("CONTEXT_DATA_DIR", "/unused")];
    let loaded = config::from_text("embeddings: { model: m }", &Environment::from_pairs(pairs)).unwrap();
    let (readiness, drain) = (Readiness::new(), Drain::new());
    readiness.started();
    let (shown, ending) = (readiness.clone(), drain.clone());
    health::watch(Arc::clone(pipeline), Arc::new(loaded.settings), shown, Details::default(), ending, pace).await;
    (readiness, drain)
}

async fn until(is_so: impl Fn() -> bool) {
    let patience = clock::now() + Duration::from_secs(20);
    while !is_so() {
        assert!(clock::now() < patience);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Removing what has expired takes the store its time; whether it is there is seen all the same.
#[tokio::test]
async fn readiness_does_not_wait_for_what_is_swept() {
    let rig = rig(settings()).await;
    rig.store.fail(Fails::HangsOver("expire"));
    let (store, pipeline) = (rig.store, Arc::new(rig.pipeline));
    let often = Duration::from_millis(5);
    let (readiness, drain) = watched(&pipeline, Pace { every: often, soon: often, sweep: often }).await;
    assert_eq!(readiness.verdict(), Verdict::Yes);
    let swept = std::cell::Cell::new(false);
    until(|| {
        swept.set(swept.get() || store.calls().contains(&"expire"));
        swept.get()
    })
    .await;
    store.fail(Fails::Always);
    until(|| readiness.verdict() != Verdict::Yes).await;
    drain.begin();
}

/// Whoever looks after the store finds it again first; nobody has to wait for the pause to end then.
#[tokio::test]
async fn a_store_that_answers_again_is_asked_again_at_once() {
    let store_breaker = Policy { in_a_row: 1, open: Duration::from_secs(3_600), ..Policy::default() };
    let store_breaker = Policy { longest: store_breaker.open, ..store_breaker };
    let rig = rig(Settings { store_breaker, ..settings() }).await;
    rig.store.fail(Fails::Always);
    rig.pipeline.retrieve(&rig.scope, &question("red foxes"), &call()).await.unwrap_err();
    let left_alone = rig.pipeline.retrieve(&rig.scope, &question("red foxes"), &call()).await.unwrap_err();
    assert!(left_alone.message.ends_with("; last: the store is down"), "{left_alone}");
    let (store, scope, pipeline) = (rig.store, rig.scope, Arc::new(rig.pipeline));
    let (readiness, drain) = watched(&pipeline, Pace::default()).await;
    assert!(matches!(readiness.verdict(), Verdict::No(_)));
    store.fail(Fails::Never);
    until(|| readiness.verdict() == Verdict::Yes).await;
    assert_eq!(pipeline.retrieve(&scope, &question("red foxes"), &call()).await.unwrap().results.len(), 2);
    drain.begin();
}
