//! What a search finds, and what is no search.

use context_core::{
    point::{Point, Sparse},
    scope::Scope,
};
use context_sidecar::store::{Fault, Found, Kind, Legs, Store};

use crate::cases::{both, dense, filled};
use crate::data::{DIMENSION, Names, Random, kind, point, points};
use crate::naive::{self, assert_alike};

fn ids(points: &[Point]) -> Vec<String> {
    let mut ids: Vec<String> = points.iter().map(|point| point.id.to_string()).collect();
    ids.sort();
    ids
}

pub(crate) async fn both_legs_score_as_they_should(store: &dyn Store, names: &Names) {
    let scope = names.scope("acme");
    let mut random = Random::new(5);
    let all = points(&scope, 400, &mut random);
    filled(store, &scope, &all).await;
    for limit in [1, 5, 50, 1_000] {
        let legs = both(&mut random, limit);
        let expected = naive::search(&all, &legs, None);
        assert!(expected.lexical.as_ref().is_some_and(|hits| hits.len() > limit.min(20) / 2), "{expected:?}");
        assert_alike(&store.search(&scope, &legs, None, 0).await.unwrap(), &expected);
        for half in [Legs { dense: None, ..legs.clone() }, Legs { lexical: None, ..legs.clone() }] {
            assert_alike(&store.search(&scope, &half, None, 0).await.unwrap(), &naive::search(&all, &half, None));
        }
    }
    // A vector counts by its direction only.
    let (vector, limit) = both(&mut random, 9).dense.unwrap();
    let longer: Vec<f32> = vector.iter().map(|number| number * 4.0).collect();
    assert_alike(
        &store.search(&scope, &dense(&longer, limit), None, 0).await.unwrap(),
        &store.search(&scope, &dense(&vector, limit), None, 0).await.unwrap(),
    );
}

pub(crate) async fn ties_go_by_id(store: &dyn Store, names: &Names) {
    let scope = names.scope("acme");
    let mut random = Random::new(6);
    let twin = point(&scope, "twin", 0, &mut random);
    let mut all = points(&scope, 9, &mut random);
    for point in all.iter_mut().take(8) {
        (point.dense, point.lexical) = (twin.dense.clone(), twin.lexical.clone());
    }
    let mut first: Vec<_> = all.iter().take(8).map(|point| point.id).collect();
    first.sort();
    filled(store, &scope, &all).await;
    for limit in [3, 8] {
        let legs = Legs {
            dense: twin.dense.clone().map(|vector| (vector, limit)),
            lexical: Some((twin.lexical.clone(), limit)),
        };
        let found = store.search(&scope, &legs, None, 0).await.unwrap();
        for hits in [found.dense.unwrap(), found.lexical.unwrap()] {
            assert_eq!(hits.iter().map(|hit| hit.id).collect::<Vec<_>>(), first[..limit]);
        }
    }
}

pub(crate) async fn a_leg_finds_only_what_it_can(store: &dyn Store, names: &Names) {
    let scope = names.scope("acme");
    let mut random = Random::new(7);
    let mut all = points(&scope, 12, &mut random);
    for (number, point) in all.iter_mut().enumerate() {
        if number % 3 == 0 {
            point.dense = None;
        }
        if number % 4 == 0 {
            point.lexical = Sparse::default();
        }
    }
    filled(store, &scope, &all).await;
    let legs = both(&mut random, 20);
    let found = store.search(&scope, &legs, None, 0).await.unwrap();
    assert_eq!(found.dense.as_ref().unwrap().len(), 8);
    assert_alike(&found, &naive::search(&all, &legs, None));
    let nothing = Found { dense: Some(vec![]), lexical: Some(vec![]) };
    let none = Legs { dense: Some((random.vector(), 0)), lexical: Some((Sparse::default(), 5)) };
    assert_eq!(store.search(&scope, &none, None, 0).await.unwrap(), nothing);
    let unheard_of = Legs { dense: None, lexical: Some((Sparse { indices: vec![u32::MAX], values: vec![1.0] }, 5)) };
    assert_eq!(store.search(&scope, &unheard_of, None, 0).await.unwrap().lexical, Some(vec![]));
    assert_eq!(
        ids(&store.get(&scope, &all.iter().map(|point| point.id).collect::<Vec<_>>(), false, 0).await.unwrap()),
        ids(&all)
    );
}

pub(crate) async fn a_thousand_can_be_found(store: &dyn Store, names: &Names) {
    let scope = names.scope("acme");
    let mut random = Random::new(8);
    let all = points(&scope, 1_203, &mut random);
    filled(store, &scope, &all).await;
    let legs = both(&mut random, 1_000);
    let found = store.search(&scope, &legs, None, 0).await.unwrap();
    assert_eq!(found.dense.as_ref().unwrap().len(), 1_000);
    assert_alike(&found, &naive::search(&all, &legs, None));
    let found: Vec<_> = found.dense.unwrap().iter().map(|hit| hit.id).collect();
    let fetched = store.get(&scope, &found, false, 0).await.unwrap();
    assert_eq!(fetched.len(), 1_000);
    assert!(fetched.iter().all(|point| found.contains(&point.id)));
}

pub(crate) async fn vectors_that_are_none_are_refused(store: &dyn Store, names: &Names) {
    let scope = names.scope("acme");
    let mut random = Random::new(12);
    let good = points(&scope, 3, &mut random);
    store.create(&scope.collection, &kind()).await.unwrap();
    let short = vec![0.5; DIMENSION - 1];
    let mut nan = random.vector();
    nan[3] = f32::NAN;
    let unsorted = Sparse { indices: vec![2, 1], values: vec![1.0, 1.0] };
    let uneven = Sparse { indices: vec![1], values: vec![1.0, 1.0] };
    let infinite = Sparse { indices: vec![1], values: vec![f32::INFINITY] };
    let spoil = |spoil: &dyn Fn(&mut Point)| {
        let mut points = good.clone();
        spoil(&mut points[1]);
        points
    };
    for (points, mismatch) in [
        (spoil(&|point| point.dense = Some(short.clone())), true),
        (spoil(&|point| point.dense = Some(vec![])), true),
        (spoil(&|point| point.dense = Some(nan.clone())), false),
        (spoil(&|point| point.lexical = unsorted.clone()), false),
        (spoil(&|point| point.lexical = uneven.clone()), false),
        (spoil(&|point| point.lexical = infinite.clone()), false),
    ] {
        let fault = store.put(&scope, &points).await.unwrap_err();
        assert!(matches!((&fault, mismatch), (Fault::Mismatch(_), true) | (Fault::Refused(_), false)), "{fault:?}");
    }
    // Nothing of it was written.
    assert_eq!(store.documents(&scope, None, None, 9, 0).await.unwrap(), []);
    for (vector, mismatch) in [(&short, true), (&nan, false)] {
        let fault = store.search(&scope, &dense(vector, 5), None, 0).await.unwrap_err();
        assert!(matches!((&fault, mismatch), (Fault::Mismatch(_), true) | (Fault::Refused(_), false)), "{fault:?}");
    }
    let words_only = Scope { collection: names.collection("words"), ..scope.clone() };
    store.create(&words_only.collection, &Kind { dense: None }).await.unwrap();
    assert!(matches!(store.put(&words_only, &good).await, Err(Fault::Mismatch(_))));
    assert!(matches!(store.search(&words_only, &dense(&random.vector(), 5), None, 0).await, Err(Fault::Mismatch(_))));
}
