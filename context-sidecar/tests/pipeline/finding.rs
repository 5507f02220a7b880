//! What is found, in which order, and how it is shown.

use std::sync::Arc;

use context_core::{filter::Filter, freshness::Freshness, fuse::Fusion, merge::Expand, threshold::Minimum};
use context_sidecar::{
    answer::CacheUse,
    failure::Kind,
    ingest::Target,
    question::{Marks, Mode, Question},
};
use serde_json::json;

use crate::{
    call, document,
    doubles::{Embeds, Shaky, Turns},
    long, pipeline, put, question, scope, settings,
};

fn hybrid(store: &Arc<Shaky>) -> context_sidecar::pipeline::Pipeline {
    pipeline(store.clone(), Some(Embeds::new("m")), None, settings())
}

#[tokio::test]
async fn a_question_is_remembered_until_somebody_writes() {
    let (store, scope) = (Shaky::new(), scope("a", "docs"));
    let pipeline = hybrid(&store);
    put(&pipeline, &scope, vec![document("one", "Foxes are red.")]).await;
    let first = pipeline.retrieve(&scope, &question("red foxes"), &call()).await.unwrap();
    assert_eq!((first.cache, first.mode), (CacheUse::Miss, Mode::Hybrid));
    store.calls();
    let again = pipeline.retrieve(&scope, &question("  red\n foxes "), &call()).await.unwrap();
    assert_eq!((again.cache, again.results.len()), (CacheUse::Hit, 1));
    assert_eq!(store.calls(), [""; 0]);
    for other in [
        Question { top_k: 9, ..question("red foxes") },
        Question { mode: Some(Mode::Lexical), ..question("red foxes") },
        Question { max_tokens: Some(0), ..question("red foxes") },
        Question { marks: Marks::Delimited, ..question("red foxes") },
        Question { explain: true, ..question("red foxes") },
        Question { rerank: Some(false), ..question("red foxes") },
        Question { mmr: Some(1.0), ..question("red foxes") },
        Question { expand: Some(Expand::Window(0)), ..question("red foxes") },
        Question { min_score: Minimum { dense: Some(0.0), ..Minimum::default() }, ..question("red foxes") },
        Question { min_score: Minimum { rerank: Some(0.0), ..Minimum::default() }, ..question("red foxes") },
        question("red fox"),
    ] {
        let answer = pipeline.retrieve(&scope, &other, &call()).await.unwrap();
        assert_eq!(answer.cache, CacheUse::Miss, "{other:?}");
    }
    put(&pipeline, &scope, vec![document("one", "Foxes are red.")]).await;
    let same = pipeline.retrieve(&scope, &question("red foxes"), &call()).await.unwrap();
    assert_eq!(same.cache, CacheUse::Hit, "nothing was changed");
    put(&pipeline, &scope, vec![document("two", "Red foxes run.")]).await;
    let after = pipeline.retrieve(&scope, &question("red foxes"), &call()).await.unwrap();
    assert_eq!((after.cache, after.results.len()), (CacheUse::Miss, 2));
    pipeline.delete(&scope, &Target::Documents(vec!["two".to_owned()]), &call()).await.unwrap();
    assert_eq!(pipeline.retrieve(&scope, &question("red foxes"), &call()).await.unwrap().results.len(), 1);
}

#[tokio::test]
async fn what_is_no_question_says_why() {
    let scope = scope("a", "docs");
    let pipeline = hybrid(&Shaky::new());
    put(&pipeline, &scope, vec![document("one", "Foxes are red.")]).await;
    let huge = "x".repeat(10 << 20);
    for (asked, kind, param) in [
        (question(" \n"), Kind::Invalid, "query"),
        (question(&huge), Kind::TooLarge, "query"),
        (question("a\0b"), Kind::Invalid, "query"),
        (Question { top_k: 0, ..question("a") }, Kind::Invalid, "top_k"),
        (Question { top_k: 1_001, ..question("a") }, Kind::Invalid, "top_k"),
        (Question { mmr: Some(f32::NAN), ..question("a") }, Kind::Invalid, "mmr"),
        (
            Question { min_score: Minimum { dense: Some(f32::NAN), ..Minimum::default() }, ..question("a") },
            Kind::Invalid,
            "min_score",
        ),
    ] {
        let failure = pipeline.retrieve(&scope, &asked, &call()).await.unwrap_err();
        assert_eq!((failure.kind, failure.param.as_deref()), (kind, Some(param)), "{failure}");
    }
    let unknown = crate::scope("a", "other");
    let failure = pipeline.retrieve(&unknown, &question("foxes"), &call()).await.unwrap_err();
    assert_eq!(failure.kind, Kind::NotFound);
    let ours = crate::scope("a", "Context-Sidecar.conversations");
    assert_eq!(pipeline.retrieve(&ours, &question("foxes"), &call()).await.unwrap_err().kind, Kind::Forbidden);
}

#[tokio::test]
async fn another_model_is_a_conflict_and_no_model_is_words() {
    let (store, scope) = (Shaky::new(), scope("a", "docs"));
    put(&hybrid(&store), &scope, vec![document("one", "Foxes are red.")]).await;
    let other = pipeline(store.clone(), Some(Embeds::new("other")), None, settings());
    for failure in [
        other.retrieve(&scope, &question("foxes"), &call()).await.unwrap_err(),
        other.put(&scope, vec![Ok(document("two", "Hares."))], None, &call()).await.unwrap_err(),
    ] {
        assert_eq!(failure.kind, Kind::Conflict);
        assert!(failure.message.contains("`m`") && failure.message.contains("EMBEDDINGS_MODEL"), "{failure}");
    }
    let words = Question { mode: Some(Mode::Lexical), ..question("foxes") };
    assert_eq!(other.retrieve(&scope, &words, &call()).await.unwrap().results.len(), 1);

    let none = pipeline(store, None, None, settings());
    let answer = none.retrieve(&scope, &question("foxes"), &call()).await.unwrap();
    assert_eq!((answer.mode, answer.degraded.len(), answer.results.len()), (Mode::Lexical, 0, 1));
    let both = Question { mode: Some(Mode::Hybrid), ..question("foxes") };
    let answer = none.retrieve(&scope, &both, &call()).await.unwrap();
    assert_eq!((answer.mode, answer.degraded.as_slice()), (Mode::Lexical, &["dense"][..]));
    let dense = Question { mode: Some(Mode::Dense), ..question("foxes") };
    assert_eq!(none.retrieve(&scope, &dense, &call()).await.unwrap_err().kind, Kind::Invalid);
}

/// It was replaced between the search and the look at its text.
#[tokio::test]
async fn what_vanishes_in_between_is_looked_for_again() {
    let (store, scope) = (Shaky::new(), scope("a", "docs"));
    let pipeline = hybrid(&store);
    put(&pipeline, &scope, vec![document("one", "Foxes are red.")]).await;
    let known = pipeline.retrieve(&scope, &question("foxes"), &call()).await.unwrap();
    store.vanishing.lock().unwrap().insert(known.results[0].id);
    let fresh = hybrid(&store);
    assert_eq!(fresh.retrieve(&scope, &question("foxes"), &call()).await.unwrap().results.len(), 1);
    store.vanish_always();
    let failure = hybrid(&store).retrieve(&scope, &question("foxes"), &call()).await.unwrap_err();
    assert_eq!(failure.kind, Kind::Unavailable);
}

#[tokio::test]
async fn chunks_that_touch_are_one_result_and_a_budget_is_kept() {
    let (store, scope) = (Shaky::new(), scope("a", "docs"));
    let pipeline = hybrid(&store);
    let documents = (0..30).map(|n| document(&format!("d{n}"), &long(&format!("foxes and {n}"), 60)));
    put(&pipeline, &scope, documents.collect()).await;
    for top_k in [1, 7, 25, 1_000] {
        let asked = Question { top_k, ..question("foxes") };
        let answer = pipeline.retrieve(&scope, &asked, &call()).await.unwrap();
        assert_eq!(answer.results.len(), top_k.min(30));
        assert!(answer.results.iter().zip(1..).all(|(found, rank)| found.rank == rank));
        let ids: std::collections::HashSet<_> = answer.results.iter().map(|found| found.id).collect();
        assert_eq!(ids.len(), answer.results.len());
    }
    for max_tokens in [0, 50, 777, 4_000] {
        let asked = Question { max_tokens: Some(max_tokens), marks: Marks::Delimited, ..question("foxes") };
        let context = pipeline.retrieve(&scope, &asked, &call()).await.unwrap().context.clone().unwrap();
        assert!(context.tokens <= max_tokens && context.citations.is_empty() == (max_tokens < 100));
    }
    let whole = Question { expand: Some(Expand::Parent), top_k: 1, ..question("foxes") };
    let answer = pipeline.retrieve(&scope, &whole, &call()).await.unwrap();
    let id = &answer.results[0].document_id;
    let stored = pipeline.get(&scope, id, &call()).await.unwrap();
    assert_eq!(stored.document.text, long(&format!("foxes and {}", &id[1..]), 60).trim_end());
    assert_eq!(answer.results[0].text, stored.document.text);
}

/// What was found is in the middle of a long document, all of which is wanted, and there is room for a little.
#[tokio::test]
async fn a_context_has_what_was_found_and_not_the_beginning_of_its_document() {
    let (store, scope) = (Shaky::new(), scope("a", "docs"));
    let pipeline = hybrid(&store);
    let text = format!("{}The größte heron eats seventeen newts. {}", long("foxes", 200), long("hares", 200));
    put(&pipeline, &scope, vec![document("one", &text)]).await;
    for (expand, max_tokens) in
        [(Some(Expand::Parent), 300), (Some(Expand::Window(2)), 300), (Some(Expand::Parent), 220)]
    {
        let asked = Question { expand, max_tokens: Some(max_tokens), ..question("which heron eats newts?") };
        let answer = pipeline.retrieve(&scope, &asked, &call()).await.unwrap();
        assert_eq!(answer.degraded, [""; 0]);
        let context = answer.context.as_ref().unwrap();
        assert!(context.text.contains("The größte heron eats seventeen newts."), "{expand:?}: {}", context.text);
        assert!(context.tokens <= max_tokens && context.tokens > max_tokens / 2);
        let span = context.citations[0].span;
        let cited: String = text.chars().skip(span.start).take(span.end - span.start).collect();
        assert_eq!(context.text, format!("[1]\n{cited}\n"));
    }
}

#[tokio::test]
async fn a_budget_that_holds_nothing_is_told_and_remembered() {
    let (store, scope) = (Shaky::new(), scope("a", "docs"));
    let pipeline = hybrid(&store);
    put(&pipeline, &scope, vec![document("one", "Foxes are red.")]).await;
    let asked = Question { max_tokens: Some(3), ..question("foxes") };
    for cache in [CacheUse::Miss, CacheUse::Hit] {
        let answer = pipeline.retrieve(&scope, &asked, &call()).await.unwrap();
        assert_eq!((answer.degraded.as_slice(), answer.results.len(), answer.cache), (&["budget"][..], 1, cache));
        assert_eq!(answer.context.as_ref().unwrap().text, "");
    }
    // Where nothing was found, no budget is to blame.
    let min_score = Minimum { dense: Some(2.0), lexical: Some(1_000.0), ..Minimum::default() };
    let asked = Question { min_score, ..asked };
    assert_eq!(pipeline.retrieve(&scope, &asked, &call()).await.unwrap().degraded, [""; 0]);
}

#[tokio::test]
async fn a_wish_that_cannot_be_heeded_is_told() {
    let scope = scope("a", "docs");
    let day = std::time::Duration::from_secs(86_400);
    let min_score = |dense, lexical, rerank| Minimum { dense, lexical, rerank };
    let wishes = [
        (
            "min_score.dense",
            Question { mode: Some(Mode::Lexical), min_score: min_score(Some(0.9), None, None), ..question("foxes") },
        ),
        (
            "min_score.lexical",
            Question { mode: Some(Mode::Dense), min_score: min_score(None, Some(90.0), None), ..question("foxes") },
        ),
        ("min_score.rerank", Question { min_score: min_score(None, None, Some(0.9)), ..question("foxes") }),
        ("rerank", Question { rerank: Some(true), ..question("foxes") }),
        (
            "freshness",
            Question { freshness: Some(Freshness { field: "date".to_owned(), half_life: day }), ..question("foxes") },
        ),
        (
            "fusion.weights",
            Question {
                mode: Some(Mode::Lexical),
                fusion: Fusion { dense: 2.0, ..Fusion::default() },
                ..question("foxes")
            },
        ),
    ];
    let pipeline = hybrid(&Shaky::new());
    put(&pipeline, &scope, vec![document("one", "Foxes are red."), document("two", "Foxes run.")]).await;
    for (what, asked) in wishes {
        let answer = pipeline.retrieve(&scope, &asked, &call()).await.unwrap();
        assert_eq!((answer.degraded.as_slice(), answer.results.len()), (&[what][..], 2));
    }
    let novel = Question { mmr: Some(0.5), ..question("foxes") };
    assert_eq!(pipeline.retrieve(&scope, &novel, &call()).await.unwrap().degraded, [""; 0]);
    let words = crate::pipeline(Shaky::new(), None, None, settings());
    put(&words, &scope, vec![document("one", "Foxes are red."), document("two", "Foxes run.")]).await;
    let answer = words.retrieve(&scope, &novel, &call()).await.unwrap();
    assert_eq!((answer.degraded.as_slice(), answer.results.len()), (&["mmr"][..], 2));
}

#[tokio::test]
async fn filters_thresholds_age_and_novelty() {
    let (store, scope) = (Shaky::new(), scope("a", "docs"));
    let pipeline = hybrid(&store);
    let about = |id: &str, text: &str, year: u64| {
        let mut document = document(id, text);
        document.metadata.insert("year".to_owned(), json!(year));
        document.metadata.insert("date".to_owned(), json!(format!("{year}-01-01")));
        document
    };
    let documents = vec![
        about("old", "Foxes are red animals of the woods.", 1970),
        about("new", "Foxes are red animals of the wood.", 2026),
        about("other", "Foxes live in cities nowadays and eat what people leave.", 2026),
        about("far", "Engines have pistons.", 2026),
    ];
    put(&pipeline, &scope, documents).await;
    let ids = async |asked: Question| {
        let answer = pipeline.retrieve(&scope, &asked, &call()).await.unwrap();
        answer.results.iter().map(|found| found.document_id.clone()).collect::<Vec<_>>()
    };
    let filter = Filter::parse(&json!({"type": "lt", "key": "year", "value": 2000})).unwrap();
    assert_eq!(ids(Question { filter: Some(filter), ..question("red foxes of the woods") }).await, ["old"]);
    let min_score = Minimum { lexical: Some(0.01), ..Minimum::default() };
    assert!(!ids(Question { min_score, ..question("red foxes") }).await.contains(&"far".to_owned()));
    let min_score = Minimum { dense: Some(2.0), lexical: Some(1_000.0), ..Minimum::default() };
    assert_eq!(ids(Question { min_score, ..question("red foxes") }).await, [""; 0]);
    let day = std::time::Duration::from_secs(86_400);
    let freshness = Some(Freshness { field: "date".to_owned(), half_life: 3_650 * day });
    let plain = ids(question("red foxes of the woods")).await;
    assert_eq!(plain[0], "old");
    let fresh = ids(Question { freshness, ..question("red foxes of the woods") }).await;
    assert_eq!(fresh[0], "new");
    let novel = ids(Question { mmr: Some(0.3), ..question("red foxes of the woods") }).await;
    assert_eq!(novel[0], "old");
    assert_ne!(novel[1], "new", "{novel:?}");
    for nearly_all_relevance in [1.0, 0.999] {
        let asked = Question { mmr: Some(nearly_all_relevance), ..question("red foxes of the woods") };
        assert_eq!(ids(asked).await, plain);
    }
}

#[tokio::test]
async fn the_reranker_is_asked_about_a_bounded_number() {
    let (store, scope, reranker) = (Shaky::new(), scope("a", "docs"), Arc::new(Turns::default()));
    let pipeline = pipeline(store, Some(Embeds::new("m")), Some(reranker.clone()), settings());
    let documents = (0..300).map(|n| document(&format!("d{n}"), &format!("Foxes, {n} of them.")));
    put(&pipeline, &scope, documents.collect()).await;
    for (top_k, asked) in [(5, 50), (120, 120), (1_000, 200)] {
        let wanted = Question { top_k, ..question("foxes") };
        let answer = pipeline.retrieve(&scope, &wanted, &call()).await.unwrap();
        assert_eq!(reranker.asked.lock().unwrap().pop(), Some(asked));
        assert_eq!(answer.results.len(), top_k.min(300));
        assert!(answer.results.iter().skip(asked).all(|found| found.scores.rerank.is_none()));
        assert!(answer.results.iter().take(asked).is_sorted_by(|one, next| one.score >= next.score));
    }
    let min_score = Minimum { rerank: Some(45.0), ..Minimum::default() };
    let answer = pipeline.retrieve(&scope, &Question { min_score, ..question("foxes") }, &call()).await.unwrap();
    assert_eq!(answer.results.len(), 5);
    let min_score = Minimum { rerank: Some(195.0), ..Minimum::default() };
    let wanted = Question { min_score, top_k: 1_000, ..question("foxes") };
    let answer = pipeline.retrieve(&scope, &wanted, &call()).await.unwrap();
    assert_eq!(answer.results.len(), 5, "what was not looked at has not passed");
}
