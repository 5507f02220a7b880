//! What only the embedded store does.

use context_core::scope::Scope;
use context_sidecar::store::{Fault, Legs, Store as _, Which, embedded::Embedded};

use crate::data::{Random, kind, point, points};
use crate::durable::scope;
use crate::naive::{self, assert_alike};

#[tokio::test]
async fn beyond_its_ceiling_it_takes_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let store = Embedded::with_ceiling(directory.path(), 10).unwrap();
    let (one, other) = (scope(), Scope { tenant: "umbrella".parse().unwrap(), collection: "more".parse().unwrap() });
    store.create(&one.collection, &kind()).await.unwrap();
    store.create(&other.collection, &kind()).await.unwrap();
    let mut random = Random::new(53);
    let all = points(&one, 8, &mut random);
    store.put(&one, &all).await.unwrap();
    let Err(Fault::Full(told)) = store.put(&other, &points(&other, 3, &mut random)).await else {
        panic!("it is too much")
    };
    assert!(told.contains("8 chunks") && told.contains("beyond its 10") && told.contains("QDRANT_URL"), "{told}");
    assert_eq!(store.documents(&other, None, None, 9, 0).await.unwrap(), []);
    store.put(&other, &points(&other, 2, &mut random)).await.unwrap();
    // What is replaced is no more than it was.
    store.put(&one, &all).await.unwrap();
    store.delete(&one, &Which::Documents(vec!["doc-000".to_owned()])).await.unwrap();
    store.put(&other, &points(&other, 5, &mut random)).await.unwrap();
}

#[tokio::test]
async fn a_word_weighs_what_it_does_among_the_tenants_own() {
    let directory = tempfile::tempdir().unwrap();
    let store = Embedded::open(directory.path()).unwrap();
    let other = Scope { tenant: "umbrella".parse().unwrap(), ..scope() };
    store.create(&scope().collection, &kind()).await.unwrap();
    let mut random = Random::new(54);
    let (all, theirs) = (points(&scope(), 30, &mut random), points(&other, 300, &mut random));
    store.put(&scope(), &all).await.unwrap();
    store.put(&other, &theirs).await.unwrap();
    for (scope, all) in [(&scope(), &all), (&other, &theirs)] {
        let legs = Legs { dense: None, lexical: Some((random.words(6), 50)) };
        assert_alike(&store.search(scope, &legs, None, 0).await.unwrap(), &naive::search(all, &legs, None));
    }
}

#[tokio::test]
async fn nothing_of_what_is_in_it_is_in_its_debug_output() {
    let directory = tempfile::tempdir().unwrap();
    let store = Embedded::open(directory.path()).unwrap();
    store.create(&scope().collection, &kind()).await.unwrap();
    let secret = point(&scope(), "a-secret-document", 0, &mut Random::new(55));
    store.put(&scope(), &[secret]).await.unwrap();
    let shown = format!("{store:?}");
    assert!(shown.contains("chunks.redb") && !shown.contains("secret") && shown.len() < 200, "{shown}");
}
