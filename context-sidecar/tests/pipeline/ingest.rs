//! Documents get there, whoever interrupts, and whoever else puts them in at the same time.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use chassis::{clock, task};
use context_core::{document::Document, point::Point, scope::Scope};
use context_sidecar::{
    embed::{Embedder, Purpose},
    failure::Kind,
    http::{Call, Trouble},
    ingest::{ItemFailure, Outcome},
    pipeline::{Pipeline, Settings},
    question::Question,
    store::Store as _,
};
use serde_json::json;

use crate::{
    call, document,
    doubles::{Embeds, Fails, Shaky},
    long, pipeline, put, question, scope, settings,
};

fn hybrid(store: &Arc<Shaky>, embedder: &Arc<Embeds>) -> Pipeline {
    pipeline(store.clone(), Some(embedder.clone()), None, settings())
}

/// All that is kept of some documents.
async fn kept(store: &Shaky, scope: &Scope, ids: &[&str]) -> Vec<Point> {
    let ids: Vec<String> = ids.iter().map(ToString::to_string).collect();
    let points = store.chunks(scope, &ids, 0).await.unwrap();
    points.into_iter().map(|point| Point { written: 0, ..point }).collect()
}

/// The same, as it would be if nothing had ever gone wrong.
async fn clean(scope: &Scope, documents: &[Document]) -> Vec<Point> {
    let (store, embedder) = (Shaky::new(), Embeds::new("m"));
    put(&hybrid(&store, &embedder), scope, documents.to_vec()).await;
    let ids: Vec<&str> = documents.iter().map(|document| document.id.as_str()).collect();
    kept(&store, scope, &ids).await
}

#[tokio::test]
async fn each_item_is_told_what_became_of_it() {
    let (store, embedder, scope) = (Shaky::new(), Embeds::new("m"), scope("a", "docs"));
    let pipeline = hybrid(&store, &embedder);
    put(&pipeline, &scope, vec![document("same", "Foxes."), document("other", "Hares.")]).await;
    let unread = ItemFailure { id: None, message: "line 3 is no JSON".to_owned() };
    let given = vec![
        Ok(document("same", "Foxes.")),
        Err(unread),
        Ok(document("other", "Owls.")),
        Ok(document("empty", " ")),
        Ok(document("new", &long("foxes", 60))),
        Ok(document("same", "Foxes?")),
        Ok(document("binary", "\0")),
    ];
    let outcomes = pipeline.put(&scope, given, None, &call()).await.unwrap();
    let told = serde_json::to_value(&outcomes).unwrap();
    let chunks = pipeline.get(&scope, "new", &call()).await.unwrap().chunks;
    assert!(chunks > 3);
    assert_eq!(
        told,
        json!([
            {"id": "same", "status": "unchanged", "chunks": 1},
            {"id": null, "status": "failed", "type": "invalid_request_error", "message": "line 3 is no JSON"},
            {"id": "other", "status": "replaced", "chunks": 1},
            {"id": "empty", "status": "failed", "type": "invalid_request_error", "message": "text: is empty"},
            {"id": "new", "status": "created", "chunks": chunks},
            {"id": "same", "status": "failed", "type": "invalid_request_error", "message": "documents[0] has the same id: put one of them in"},
            {"id": "binary", "status": "failed", "type": "invalid_request_error", "message": "text: has a NUL at byte 0: it is binary, and not text"},
        ])
    );
    let listed = pipeline.list(&scope, None, None, 2, &call()).await.unwrap();
    assert_eq!((listed.documents[0].id.as_str(), listed.next.as_deref()), ("new", Some("other")));
    let rest = pipeline.list(&scope, None, Some("other"), 2, &call()).await.unwrap();
    assert_eq!((rest.documents[0].id.as_str(), rest.documents.len(), rest.next), ("same", 1, None));
    assert_eq!(pipeline.get(&scope, "gone", &call()).await.unwrap_err().kind, Kind::NotFound);
    let many = (0..1_001).map(|id| Ok(document(&id.to_string(), "x"))).collect();
    assert_eq!(pipeline.put(&scope, many, None, &call()).await.unwrap_err().kind, Kind::TooLarge);
}

#[tokio::test]
async fn what_has_a_vector_is_not_embedded_again() {
    let (store, embedder, scope) = (Shaky::new(), Embeds::new("m"), scope("a", "docs"));
    let pipeline = hybrid(&store, &embedder);
    let text = long("foxes", 100);
    let cost = async |document: Document| {
        let before = embedder.embedded.load(Ordering::SeqCst);
        put(&pipeline, &scope, vec![document]).await;
        embedder.embedded.load(Ordering::SeqCst) - before
    };
    let chunks = cost(document("one", &text)).await;
    assert!(chunks > 6, "{chunks}");
    assert_eq!(cost(document("one", &text)).await, 0, "unchanged");
    let mut about = document("one", &text);
    about.metadata.insert("lang".to_owned(), json!("en"));
    assert_eq!(cost(about.clone()).await, 0, "what is known of it has changed, and not what it says");
    about.text = format!("\n\n\n{text}");
    assert_eq!(cost(about.clone()).await, 0, "it has moved");
    about.text = format!("{text} And that is all that there is to say about it, in the end.");
    assert!((1..3).contains(&cost(about.clone()).await), "something was added at its end");
    let title = Some("Foxes".to_owned());
    let renamed = Document { title, ..about };
    assert_eq!(cost(renamed.clone()).await, kept(&store, &scope, &["one"]).await.len(), "the title is indexed");
    assert_eq!(kept(&store, &scope, &["one"]).await, clean(&scope, &[renamed]).await);
    let ids: Vec<_> = kept(&store, &scope, &["one"]).await.iter().map(|point| point.id).collect();
    assert!(store.get(&scope, &ids, true, 0).await.unwrap().iter().all(|point| point.dense.is_some()));
}

#[tokio::test]
async fn what_fits_into_a_full_store_is_put_in() {
    let (store, embedder, scope) = (Shaky::with_ceiling(10), Embeds::new("m"), scope("a", "docs"));
    let pipeline = hybrid(&store, &embedder);
    let given = [document("one", "Foxes."), document("large", &long("hares", 300)), document("two", "Owls.")];
    let outcomes = pipeline.put(&scope, given.into_iter().map(Ok).collect(), None, &call()).await.unwrap();
    assert_eq!(outcomes[0].outcome, Outcome::Created { chunks: 1 });
    let Outcome::Failed { kind, message } = &outcomes[1].outcome else { panic!("{outcomes:?}") };
    assert!(*kind == Kind::Full && message.contains("beyond its 10"), "{message}");
    assert_eq!(outcomes[2].outcome, Outcome::Created { chunks: 1 });
}

/// Whatever call is the last one, done or not: the old or the new one is there, and the next try does the rest.
#[tokio::test]
async fn interrupted_anywhere_it_gets_there_the_next_time() {
    let scope = scope("a", "docs");
    let before = [document("one", &long("foxes", 40)), document("two", "Owls are grey birds.")];
    let after = [
        document("one", &long("hares", 60)),
        document("two", "Owls are birds of the night."),
        document("three", "Bats."),
    ];
    let due = clean(&scope, &after).await;
    let mut interrupted = 0;
    for call_number in 0..12 {
        for how in [Fails::Before(call_number), Fails::After(call_number)] {
            let (store, embedder) = (Shaky::new(), Embeds::new("m"));
            put(&hybrid(&store, &embedder), &scope, before.to_vec()).await;
            let pipeline = hybrid(&store, &embedder);
            store.fail(how);
            let outcome = pipeline.put(&scope, after.iter().cloned().map(Ok).collect(), None, &call()).await;
            let is_whole = outcome
                .as_ref()
                .is_ok_and(|items| items.iter().all(|item| !matches!(item.outcome, Outcome::Failed { .. })));
            interrupted += usize::from(!is_whole);
            store.fail(Fails::Never);
            if is_whole {
                assert_eq!(kept(&store, &scope, &["one", "two", "three"]).await, due, "{how:?}: said to be whole");
            }
            let answer = hybrid(&store, &embedder).retrieve(&scope, &question("owls birds"), &call()).await.unwrap();
            assert_eq!(answer.results[0].document_id, "two", "{how:?}");
            put(&hybrid(&store, &embedder), &scope, after.to_vec()).await;
            assert_eq!(kept(&store, &scope, &["one", "two", "three"]).await, due, "{how:?}");
        }
    }
    assert!(interrupted >= 8, "{interrupted}");
}

/// Whoever asks goes away in the middle of it.
#[tokio::test]
async fn a_caller_that_hangs_up_leaves_nothing_half_done_for_good() {
    let scope = scope("a", "docs");
    let after = [document("one", &long("hares", 60)), document("two", "Owls.")];
    let due = clean(&scope, &after).await;
    for polls in 0..40 {
        let (store, embedder) = (Shaky::new(), Embeds::new("m"));
        let pipeline = hybrid(&store, &embedder);
        put(&pipeline, &scope, vec![document("one", &long("foxes", 40))]).await;
        {
            let call = call();
            let mut work = Box::pin(pipeline.put(&scope, after.iter().cloned().map(Ok).collect(), None, &call));
            for _ in 0..polls {
                if futures_util::poll!(&mut work).is_ready() {
                    break;
                }
                tokio::time::sleep(Duration::from_micros(500)).await;
            }
        }
        put(&pipeline, &scope, after.to_vec()).await;
        assert_eq!(kept(&store, &scope, &["one", "two"]).await, due, "{polls}");
    }
}

/// Two processes put in what differs: in the end it is one of both, whole, and nothing of the other.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_at_once_agree_on_one() {
    let scope = scope("a", "docs");
    let versions = [long("foxes", 40), format!("{}{}", long("foxes", 20), long("hares", 10)), long("owls", 30)];
    let mut due = Vec::new();
    for text in &versions {
        due.push(clean(&scope, &[document("one", text)]).await);
    }
    for round in 0..25 {
        let (store, embedder) = (Shaky::new(), Embeds::new("m"));
        if round % 2 == 0 {
            put(&hybrid(&store, &embedder), &scope, vec![document("one", &long("bats", 30))]).await;
        } else {
            put(&hybrid(&store, &embedder), &scope, vec![document("zero", "Bats.")]).await;
        }
        let writers: Vec<_> = versions
            .iter()
            .map(|text| {
                // Each with locks of its own.
                let (pipeline, scope, document) =
                    (hybrid(&store.twin(), &embedder), scope.clone(), document("one", text));
                task::spawn(async move { pipeline.put(&scope, vec![Ok(document)], None, &call()).await })
            })
            .collect();
        for writer in writers {
            let outcomes = writer.await.unwrap().unwrap();
            assert!(!matches!(outcomes[0].outcome, Outcome::Failed { .. }), "{outcomes:?}");
        }
        let there = kept(&store, &scope, &["one"]).await;
        assert!(due.contains(&there), "round {round}: {} chunks", there.len());
    }
}

/// Of two in one process the one is done when the other begins.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_at_once_in_one_process_take_turns() {
    let (store, embedder, scope) = (Shaky::new(), Embeds::new("m"), scope("a", "docs"));
    let pipeline = Arc::new(hybrid(&store, &embedder));
    let writers: Vec<_> = (0..20)
        .map(|n| {
            let (pipeline, scope) = (Arc::clone(&pipeline), scope.clone());
            let given = [format!("d{}", n % 3), format!("d{}", (n + 1) % 3)];
            let given = given.map(|id| Ok(document(&id, &long(&format!("foxes {}", n % 4), 20))));
            task::spawn(async move { pipeline.put(&scope, given.into(), None, &call()).await })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap().unwrap();
    }
    for id in ["d0", "d1", "d2"] {
        let stored = pipeline.get(&scope, id, &call()).await.unwrap();
        let text = stored.document.text;
        assert_eq!(kept(&store, &scope, &[id]).await, clean(&scope, &[document(id, &text)]).await);
        assert!((0..4).any(|n| long(&format!("foxes {n}"), 20).trim_end() == text));
    }
}

#[tokio::test]
async fn what_has_expired_is_swept_away() {
    let (store, embedder, scope) = (Shaky::new(), Embeds::new("m"), scope("a", "docs"));
    let settings = Settings { document_ttl: Some(Duration::from_secs(1_000)), ..settings() };
    let pipeline = pipeline(store.clone(), Some(embedder.clone()), None, settings);
    put(&pipeline, &scope, vec![document("short", "Foxes.")]).await;
    let day = Some(Duration::from_secs(86_400));
    pipeline.put(&scope, vec![Ok(document("long", "Foxes, too."))], day, &call()).await.unwrap();
    let now = clock::unix().as_secs();
    pipeline.sweep(now + 10, &call()).await;
    assert_eq!(pipeline.list(&scope, None, None, 9, &call()).await.unwrap().documents.len(), 2);
    // What is put in again is kept for longer, and costs no embedding.
    let cost = embedder.embedded.load(Ordering::SeqCst);
    let again = pipeline.put(&scope, vec![Ok(document("short", "Foxes."))], day, &call()).await.unwrap();
    assert_eq!(again[0].outcome, Outcome::Unchanged { chunks: 1 });
    assert_eq!(embedder.embedded.load(Ordering::SeqCst), cost);
    pipeline.sweep(now + 2_000, &call()).await;
    assert_eq!(pipeline.list(&scope, None, None, 9, &call()).await.unwrap().documents.len(), 2);
    assert_eq!(pipeline.retrieve(&scope, &question("foxes"), &call()).await.unwrap().results.len(), 2);
    pipeline.sweep(now + 90_000, &call()).await;
    store.fail(Fails::Always);
    assert!(pipeline.retrieve(&scope, &question("foxes"), &call()).await.is_err(), "it is kept for outages");
    store.fail(Fails::Never);
    assert_eq!(pipeline.list(&scope, None, None, 9, &call()).await.unwrap().documents.len(), 0);
    let answer = pipeline.retrieve(&scope, &question("foxes"), &call()).await.unwrap();
    assert_eq!(answer.results.len(), 0);
    // One that has just been started sweeps what it never used.
    pipeline.put(&scope, vec![Ok(document("short", "Foxes."))], day, &call()).await.unwrap();
    hybrid(&store, &embedder).sweep(now + 90_000, &call()).await;
    assert_eq!(store.count(&scope, 0).await.unwrap(), 0);
}

/// Knows how many numbers its vectors have when it has made one, and remembers what it was asked.
#[derive(Debug)]
struct Shy {
    embeds: Arc<Embeds>,
    asked: std::sync::Mutex<Vec<String>>,
}

#[async_trait::async_trait]
impl Embedder for Shy {
    fn model(&self) -> &str {
        self.embeds.model
    }

    fn dimension(&self) -> Option<usize> {
        (!self.asked.lock().unwrap().is_empty()).then_some(64)
    }

    fn describe(&self) -> String {
        "shy".to_owned()
    }

    async fn embed(&self, texts: &[&str], purpose: Purpose, call: &Call) -> Result<Vec<Vec<f32>>, Trouble> {
        self.asked.lock().unwrap().extend(texts.iter().map(|text| (*text).to_owned()));
        self.embeds.embed(texts, purpose, call).await
    }
}

#[tokio::test]
async fn nothing_is_embedded_that_nobody_has_put_in() {
    let (store, scope) = (Shaky::new(), scope("a", "docs"));
    let shy = Arc::new(Shy { embeds: Embeds::new("m"), asked: std::sync::Mutex::default() });
    let pipeline = pipeline(store.clone(), Some(shy.clone()), None, settings());
    let text = long("foxes", 40);
    put(&pipeline, &scope, vec![document("one", &text)]).await;
    let asked = std::mem::take(&mut *shy.asked.lock().unwrap());
    let chunks = store.chunks(&scope, &["one".to_owned()], 0).await.unwrap();
    let kept: Vec<&str> = chunks.iter().map(|point| point.chunk.text.trim()).collect();
    assert!(kept.len() > 2 && asked.iter().all(|text| kept.contains(&text.as_str())), "{asked:?}");
    // The first is asked for twice, and the second time it is remembered (where it is remembered).
    assert_eq!(asked.len(), kept.len() + 1);
}

/// A replacement is broken off anywhere: what is got and what is found is of one version, whole, and of the newest that is.
#[tokio::test]
async fn two_versions_are_never_mixed() {
    let (scope, before) = (scope("a", "docs"), long("foxes", 60));
    // Some of it stays, some is another, and there is more of it, or less.
    let longer = format!("{}{}", long("foxes", 20), long("hares", 60));
    let shorter = format!("{}{}", long("foxes", 20), long("hares", 10));
    for (after, last) in [(&longer, false), (&shorter, false), (&longer, true), (&shorter, true)] {
        for landed in 0..14 {
            let (store, embedder) = (Shaky::new(), Embeds::new("m"));
            let pipeline = hybrid(&store, &embedder);
            put(&pipeline, &scope, vec![document("one", &before)]).await;
            // What is remembered is not told from what is there.
            pipeline.retrieve(&scope, &question("sentence foxes"), &call()).await.unwrap();
            if last {
                // All of it has landed, and what it replaces is still there: the third call is to remove it.
                store.fail(Fails::Before(3));
            } else {
                *store.halves.lock().unwrap() = Some(landed);
            }
            let outcome =
                pipeline.put(&scope, vec![Ok(document("one", after))], None, &call()).await.unwrap().remove(0);
            store.fail(Fails::Never);
            *store.halves.lock().unwrap() = None;
            assert!(matches!(outcome.outcome, Outcome::Failed { .. }), "{outcome:?}");
            for pipeline in [&pipeline, &hybrid(&store, &embedder)] {
                let text = pipeline.get(&scope, "one", &call()).await.unwrap().document.text;
                let due = if last { after.trim_end() } else { text.as_str() };
                let is_one = text == before.trim_end() || text == after.trim_end();
                assert!(is_one && text == due, "{landed}: {text}");
                let asked = Question { top_k: 50, ..question("sentence foxes hares") };
                let answer = pipeline.retrieve(&scope, &asked, &call()).await.unwrap();
                let of_one = |whole: &str| {
                    let points: Vec<char> = whole.chars().collect();
                    answer.results.iter().all(|found| {
                        points.get(found.span.start..found.span.end).map(|p| p.iter().collect())
                            == Some(found.text.clone())
                    })
                };
                assert!(!answer.results.is_empty() && (of_one(&before) || of_one(after)), "{landed} {last}");
            }
            put(&pipeline, &scope, vec![document("one", after)]).await;
            assert_eq!(pipeline.get(&scope, "one", &call()).await.unwrap().document.text, after.trim_end());
        }
    }
}

/// Cutting takes a thread that nobody can stop: it is not begun when there is nobody left to wait for it.
#[tokio::test]
async fn what_there_is_no_time_for_is_not_cut() {
    let (store, embedder, scope) = (Shaky::new(), Embeds::new("m"), scope("a", "docs"));
    let pipeline = hybrid(&store, &embedder);
    put(&pipeline, &scope, vec![document("one", "Foxes.")]).await;
    *store.lag.lock().unwrap() = Duration::from_secs(3);
    let short = Call::until(clock::now() + Duration::from_secs(2));
    let given = ["two", "three"].map(|id| Ok(document(id, "Hares.")));
    let outcomes = pipeline.put(&scope, given.into(), None, &short).await.unwrap();
    for item in outcomes {
        let Outcome::Failed { kind, message } = item.outcome else { panic!("it was put in") };
        assert!(kind == Kind::Late && message.contains("send fewer at once"), "{message}");
    }
}
