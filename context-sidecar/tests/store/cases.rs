//! What a store does, case by case.

use context_core::{
    filter::Filter,
    point::{Point, Sparse},
    scope::Scope,
};
use context_sidecar::store::{Fault, Found, Kind, Legs, Store, Which};
use serde_json::json;

use crate::data::{DIMENSION, Names, Random, kind, point, points, with};
use crate::naive::{self, assert_alike};

/// A collection with a tenant's points in it.
pub(crate) async fn filled(store: &dyn Store, scope: &Scope, points: &[Point]) {
    store.create(&scope.collection, &kind()).await.unwrap();
    store.put(scope, points).await.unwrap();
}

pub(crate) fn both(random: &mut Random, limit: usize) -> Legs {
    Legs { dense: Some((random.vector(), limit)), lexical: Some((random.words(6), limit)) }
}

pub(crate) fn dense(vector: &[f32], limit: usize) -> Legs {
    Legs { dense: Some((vector.to_vec(), limit)), lexical: None }
}

pub(crate) async fn a_collection_is_what_it_was_made_for(store: &dyn Store, names: &Names) {
    let name = names.collection("one");
    assert_eq!(store.collection(&name).await.unwrap(), None);
    let due = kind();
    let (one, other) = tokio::join!(store.create(&name, &due), store.create(&name, &due));
    one.and(other).unwrap();
    assert_eq!(store.collection(&name).await.unwrap(), Some(kind()));
    store.create(&name, &kind()).await.unwrap();
    for (model, dimension) in [("another-model", DIMENSION), ("test-model", DIMENSION + 1)] {
        let other = Kind { dense: Some((model.to_owned(), dimension)) };
        let fault = store.create(&name, &other).await.unwrap_err();
        let Fault::Mismatch(told) = &fault else { panic!("{fault:?}") };
        for says in ["test-model", model, name.as_str(), "EMBEDDINGS_MODEL"] {
            assert!(told.contains(says), "`{told}` does not say `{says}`");
        }
    }
    let words_only = Kind { dense: None };
    assert!(matches!(store.create(&name, &words_only).await, Err(Fault::Mismatch(_))));
    let second = names.collection("two");
    store.create(&second, &words_only).await.unwrap();
    assert_eq!(store.collection(&second).await.unwrap(), Some(words_only));
    assert!(matches!(store.create(&second, &kind()).await, Err(Fault::Mismatch(_))));
    store.ping().await.unwrap();
}

pub(crate) async fn what_is_not_there_is_said_not_to_be_there(store: &dyn Store, names: &Names) {
    let scope = names.scope("acme");
    let mut random = Random::new(1);
    let missing = |fault: Fault| assert_eq!(fault, Fault::NoCollection(scope.collection.clone()));
    missing(store.search(&scope, &both(&mut random, 5), None, 0).await.unwrap_err());
    missing(store.get(&scope, &[], false, 0).await.unwrap_err());
    missing(store.chunks(&scope, &["a".to_owned()], 0).await.unwrap_err());
    missing(store.documents(&scope, None, None, 5, 0).await.unwrap_err());
    missing(store.put(&scope, &points(&scope, 1, &mut random)).await.unwrap_err());
    missing(store.delete(&scope, &Which::All).await.unwrap_err());
    missing(store.expire(&scope.collection, 1).await.unwrap_err());
    // A collection without points is there, and has nothing.
    store.create(&scope.collection, &kind()).await.unwrap();
    let nothing = Found { dense: Some(vec![]), lexical: Some(vec![]) };
    assert_eq!(store.search(&scope, &both(&mut random, 5), None, 0).await.unwrap(), nothing);
    assert_eq!(store.documents(&scope, None, None, 5, 0).await.unwrap(), []);
    assert_eq!(store.chunks(&scope, &["a".to_owned()], 0).await.unwrap(), []);
    assert_eq!(store.get(&scope, &[points(&scope, 1, &mut random)[0].id], true, 0).await.unwrap(), []);
    assert_eq!(store.delete(&scope, &Which::All).await.unwrap(), 0);
    store.put(&scope, &[]).await.unwrap();
}

pub(crate) async fn what_was_put_is_there_as_it_was_put(store: &dyn Store, names: &Names) {
    let scope = names.scope("acme");
    let mut random = Random::new(2);
    let mut first = point(&scope, "a/b c?\u{e4}\u{1f980}", 7, &mut random);
    first.chunk.title = Some("A \"title\"".to_owned());
    first.chunk.url = Some("https://a.example/?b=c#d".to_owned());
    first.expires = Some(u64::from(u32::MAX) + 7);
    let first =
        with(first, json!({"a.b[0]": "x", "q\"uote": 1.5, "%22": true, "back\\slash": ["y", 2], "tenant": "other"}));
    let mut second = point(&scope, "plain", 0, &mut random);
    second.dense = None;
    second.lexical = Sparse::default();
    filled(store, &scope, &[first.clone(), second.clone()]).await;
    let of = |points: Vec<Point>, wanted: &Point| points.into_iter().find(|point| point.id == wanted.id).unwrap();
    let found = store.get(&scope, &[first.id, second.id, first.id], false, 0).await.unwrap();
    let plain = |point: &Point| Point { dense: None, lexical: Sparse::default(), ..point.clone() };
    assert_eq!(of(found.clone(), &first), plain(&first));
    assert_eq!(of(found, &second), plain(&second));
    let whole = of(store.get(&scope, &[first.id], true, 0).await.unwrap(), &first);
    let (vector, put) = (whole.dense.unwrap(), first.dense.unwrap());
    let length = put.iter().map(|number| number * number).sum::<f32>().sqrt();
    for (kept, put) in vector.iter().zip(&put) {
        assert!((kept - put / length).abs() < 1e-5, "{kept} is not {put} / {length}");
    }
    assert_eq!(of(store.get(&scope, &[second.id], true, 0).await.unwrap(), &second).dense, None);
}

pub(crate) async fn what_has_the_same_id_is_replaced(store: &dyn Store, names: &Names) {
    let scope = names.scope("acme");
    let mut random = Random::new(3);
    let mut all = points(&scope, 30, &mut random);
    filled(store, &scope, &all).await;
    for round in 0..3 {
        for (number, point) in all.iter_mut().enumerate().filter(|(number, _)| number % 3 == round) {
            point.dense = Some(random.vector());
            point.lexical = random.words(12);
            point.chunk.text = format!("round {round}, {number}");
        }
        store.put(&scope, &all).await.unwrap();
        let legs = both(&mut random, 50);
        assert_alike(&store.search(&scope, &legs, None, 0).await.unwrap(), &naive::search(&all, &legs, None));
    }
    let found = store.get(&scope, &[all[1].id], false, 0).await.unwrap();
    assert_eq!(found[0].chunk.text, all[1].chunk.text);
    assert_eq!(
        store.documents(&scope, None, None, 100, 0).await.unwrap().iter().map(|(_, chunks)| chunks).sum::<u32>(),
        30
    );
}

pub(crate) async fn what_is_deleted_is_gone_and_counted(store: &dyn Store, names: &Names) {
    let scope = names.scope("acme");
    let mut random = Random::new(4);
    let mut left: Vec<Point> = points(&scope, 60, &mut random)
        .into_iter()
        .enumerate()
        .map(|(number, point)| with(point, json!({"even": number % 2 == 0})))
        .collect();
    filled(store, &scope, &left).await;
    let unknown = point(&scope, "never-put", 0, &mut random).id;
    let (one, two) = (left[0].id, left[7].id);
    let even = Filter::parse(&json!({"type": "eq", "key": "even", "value": true})).unwrap();
    type Goes = Box<dyn Fn(&Point) -> bool + Send + Sync>;
    let steps: [(Which, Goes); 4] = [
        (Which::Points(vec![one, two, unknown]), Box::new(move |point| point.id == one || point.id == two)),
        (
            Which::Documents(vec!["doc-001".to_owned(), "doc-004".to_owned(), "no-such".to_owned()]),
            Box::new(|point| ["doc-001", "doc-004"].contains(&point.chunk.document_id.as_str())),
        ),
        (Which::Where(even.clone()), Box::new(move |point| even.holds(&point.chunk.metadata))),
        (Which::All, Box::new(|_| true)),
    ];
    for (which, goes) in steps {
        let before = left.len();
        left.retain(|point| !goes(point));
        assert_eq!(store.delete(&scope, &which).await.unwrap(), (before - left.len()) as u64, "{which:?}");
        assert_eq!(store.delete(&scope, &which).await.unwrap(), 0, "{which:?}");
        let legs = both(&mut random, 100);
        assert_alike(&store.search(&scope, &legs, None, 0).await.unwrap(), &naive::search(&left, &legs, None));
    }
    assert_eq!(store.documents(&scope, None, None, 9, 0).await.unwrap(), []);
    assert_eq!(store.delete(&scope, &Which::Points(vec![])).await.unwrap(), 0);
    // What was emptied can be filled again.
    let again = points(&scope, 6, &mut random);
    store.put(&scope, &again).await.unwrap();
    let legs = both(&mut random, 100);
    assert_alike(&store.search(&scope, &legs, None, 0).await.unwrap(), &naive::search(&again, &legs, None));
}

pub(crate) async fn documents_come_in_pages(store: &dyn Store, names: &Names) {
    let scope = names.scope("acme");
    let mut random = Random::new(9);
    let all: Vec<Point> = ["b", "a", "C", "\u{e4}", "a/b", "10", "9"]
        .iter()
        .flat_map(|document| (0..=document.len() as u32).map(|chunk| (*document, chunk)).collect::<Vec<_>>())
        .map(|(document, chunk)| with(point(&scope, document, chunk, &mut random), json!({"chunk": chunk})))
        .collect();
    filled(store, &scope, &all).await;
    let mut expected: Vec<(String, u32)> = ["10", "9", "C", "a", "a/b", "b", "\u{e4}"]
        .map(|document| (document.to_owned(), document.len() as u32 + 1))
        .to_vec();
    let mut after: Option<String> = None;
    let mut seen = Vec::new();
    loop {
        let page = store.documents(&scope, None, after.as_deref(), 3, 0).await.unwrap();
        assert!(page.len() <= 3);
        let Some((last, _)) = page.last() else { break };
        after = Some(last.clone());
        seen.extend(page);
    }
    assert_eq!(seen, expected);
    // Of a document that fits in part, that part is counted.
    let filter = Filter::parse(&json!({"type": "gte", "key": "chunk", "value": 2})).unwrap();
    expected.retain_mut(|(_, chunks)| {
        *chunks -= 2;
        *chunks > 0
    });
    assert_eq!(store.documents(&scope, Some(&filter), None, 10, 0).await.unwrap(), expected);
    assert_eq!(store.documents(&scope, Some(&filter), Some("a"), 1, 0).await.unwrap(), [("a/b".to_owned(), 2)]);
}

pub(crate) async fn chunks_come_in_order(store: &dyn Store, names: &Names) {
    let scope = names.scope("acme");
    let mut random = Random::new(10);
    let mut all = points(&scope, 9, &mut random);
    all.extend((3..140).map(|chunk| point(&scope, "doc-001", chunk, &mut random)));
    all.reverse();
    filled(store, &scope, &all).await;
    let asked = ["doc-002", "doc-001", "doc-001", "no-such"].map(str::to_owned);
    let found = store.chunks(&scope, &asked, 0).await.unwrap();
    let expected = (0..140).map(|chunk| ("doc-001", chunk)).chain((0..3).map(|chunk| ("doc-002", chunk)));
    assert!(found.iter().map(|point| (point.chunk.document_id.as_str(), point.chunk.chunk)).eq(expected));
    assert!(found.iter().all(|point| point.dense.is_none()));
    assert_eq!(store.chunks(&scope, &[], 0).await.unwrap(), []);
}

pub(crate) async fn what_has_expired_goes_in_every_scope(store: &dyn Store, names: &Names) {
    let scopes = [names.scope("acme"), names.scope("umbrella")];
    let mut random = Random::new(11);
    let every_word = Sparse { indices: vec![3, 7], values: vec![1.0, 1.0] };
    let documents = ["doc-000", "doc-001"].map(str::to_owned);
    let ids = |scope: &Scope| points(scope, 4, &mut Random::new(0)).iter().map(|point| point.id).collect::<Vec<_>>();
    for scope in &scopes {
        let mut all = points(scope, 4, &mut random);
        for (point, expires) in all.iter_mut().zip([Some(100), Some(200), Some(201), None]) {
            point.expires = expires;
            point.lexical = every_word.clone();
        }
        all[0] = with(all[0].clone(), json!({"brief": 1}));
        filled(store, scope, &all).await;
    }
    for (now, left) in [(99, 4), (100, 3), (200, 2), (u64::from(u32::MAX), 1)] {
        // Whether it has been removed or not, what has expired is not there.
        for is_swept in [false, true] {
            if is_swept {
                let before = store.count(&scopes[0], 0).await.unwrap() as usize;
                let mut of = store.expire(&scopes[0].collection, now).await.unwrap();
                of.sort();
                let due: Vec<_> = scopes.iter().map(|scope| scope.tenant.clone()).filter(|_| before > left).collect();
                assert_eq!(of, due, "at {now}");
            }
            for scope in &scopes {
                let legs = both(&mut random, 9);
                let legs = Legs { lexical: Some((every_word.clone(), 9)), ..legs };
                let found = store.search(scope, &legs, None, now).await.unwrap();
                assert_eq!(found.dense.unwrap().len(), left, "at {now}");
                assert_eq!(found.lexical.unwrap().len(), left, "at {now}");
                assert_eq!(store.get(scope, &ids(scope), true, now).await.unwrap().len(), left);
                assert_eq!(store.chunks(scope, &documents, now).await.unwrap().len(), left);
                let listed = store.documents(scope, None, None, 9, now).await.unwrap();
                assert_eq!(listed.iter().map(|(_, chunks)| *chunks as usize).sum::<usize>(), left);
                assert_eq!(store.count(scope, now).await.unwrap() as usize, left);
                assert_eq!(store.has_key(scope, "brief", now).await.unwrap(), now < 100);
                assert_eq!(store.keys(scope, now).await.unwrap().len(), usize::from(now < 100));
            }
        }
    }
    // What is given more time lives longer, and nobody else's does.
    let again = with(point(&scopes[0], "again", 0, &mut random), json!({"talk": "a"}));
    let other = with(point(&scopes[0], "other", 0, &mut random), json!({"talk": "b"}));
    let [again, other] = [again, other].map(|point| Point { expires: Some(1_000), ..point });
    store.put(&scopes[0], &[again.clone(), other.clone()]).await.unwrap();
    let talk = Filter::parse(&json!({"type": "eq", "key": "talk", "value": "a"})).unwrap();
    store.prolong(&scopes[1], &talk, 9_000).await.unwrap();
    let (scope, ids) = (&scopes[0], [again.id, other.id]);
    let left = async |now| store.get(scope, &ids, false, now).await.unwrap();
    assert_eq!(left(1_000).await.len(), 0);
    store.prolong(&scopes[0], &talk, 2_000).await.unwrap();
    let found = left(1_999).await;
    assert_eq!(found.iter().map(|point| (point.id, point.expires)).collect::<Vec<_>>(), [(again.id, Some(2_000))]);
    assert_eq!(left(2_000).await.len(), 0);
}

pub(crate) async fn many_may_write_at_once(store: &dyn Store, names: &Names) {
    let scope = names.scope("acme");
    let mut random = Random::new(13);
    let all = points(&scope, 48, &mut random);
    store.create(&scope.collection, &kind()).await.unwrap();
    let batches: Vec<&[Point]> = all.chunks(6).collect();
    let [a, b, c, d, e, f, g, h] = batches[..] else { panic!("eight batches") };
    // Two of each: what is written twice is there once.
    let written = tokio::join!(
        store.put(&scope, a),
        store.put(&scope, b),
        store.put(&scope, c),
        store.put(&scope, d),
        store.put(&scope, e),
        store.put(&scope, f),
        store.put(&scope, g),
        store.put(&scope, h),
        store.put(&scope, a),
        store.put(&scope, b),
        store.put(&scope, c),
        store.put(&scope, d),
    );
    for one in [written.0, written.1, written.2, written.3, written.4, written.5, written.6, written.7] {
        one.unwrap();
    }
    for one in [written.8, written.9, written.10, written.11] {
        one.unwrap();
    }
    let legs = both(&mut random, 100);
    assert_alike(&store.search(&scope, &legs, None, 0).await.unwrap(), &naive::search(&all, &legs, None));
}
