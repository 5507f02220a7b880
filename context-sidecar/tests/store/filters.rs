//! Filters find what they hold for: the same in every store.

use std::collections::BTreeSet;

use context_core::{filter::Filter, point::Point};
use context_sidecar::store::{Legs, Store, Which};
use serde_json::{Value, json};

use crate::cases::filled;
use crate::data::{Names, Random, point, with};

fn zoo() -> Vec<Value> {
    vec![
        json!({}),
        json!({"lang": "en", "year": 2021, "draft": false}),
        json!({"lang": "de", "year": 2021.5, "draft": true}),
        json!({"lang": "EN", "year": "2021"}),
        json!({"lang": ["en", "fr"], "year": [1999, 2030]}),
        json!({"lang": 7, "year": -3, "draft": "false"}),
        json!({"lang": true, "year": 7.0}),
        json!({"lang": "", "year": 0, "odd.key[0]": "x", "q\"%": 1}),
        json!({"odd": {}, "lang": []}),
        json!({"year": [7, "en", true, 2021]}),
        json!({"lang": "en fr", "year": 9_007_199_254_740_991_i64}),
        json!({"tenant": "umbrella", "document_id": "other", "lang": "\u{e4}\"\\"}),
    ]
}

fn animals(names: &Names) -> (context_core::scope::Scope, Vec<Point>) {
    let scope = names.scope("acme");
    let mut random = Random::new(20);
    let points = zoo().into_iter().enumerate();
    let points =
        points.map(|(number, metadata)| with(point(&scope, &format!("doc-{number:02}"), 0, &mut random), metadata));
    let points = points.collect();
    (scope, points)
}

/// Which documents are found with a filter, and whether they are those for which it holds.
async fn look(store: &dyn Store, scope: &context_core::scope::Scope, points: &[Point], filter: &Value) {
    let filter = Filter::parse(filter).unwrap();
    let expected: BTreeSet<_> =
        points.iter().filter(|point| filter.holds(&point.chunk.metadata)).map(|point| point.id).collect();
    let legs = Legs { dense: Some((vec![0.25; crate::data::DIMENSION], 100)), lexical: None };
    let found = store.search(scope, &legs, Some(&filter), 0).await.unwrap();
    let found: BTreeSet<_> = found.dense.unwrap().iter().map(|hit| hit.id).collect();
    assert_eq!(found, expected, "{filter:?}");
    let documents = store.documents(scope, Some(&filter), None, 100, 0).await.unwrap();
    assert_eq!(documents.len(), expected.len(), "{filter:?}");
}

pub(crate) async fn filters_hold_as_they_should(store: &dyn Store, names: &Names) {
    let (scope, points) = animals(names);
    filled(store, &scope, &points).await;
    let condition = |kind: &str, key: &str, value: Value| json!({"type": kind, "key": key, "value": value});
    let values = [
        json!("en"),
        json!("EN"),
        json!(""),
        json!(7),
        json!(2021),
        json!(2021.5),
        json!(true),
        json!(false),
        json!("2021"),
    ];
    for kind in ["eq", "ne"] {
        for key in ["lang", "year", "draft", "gone", "tenant", "document_id"] {
            for value in &values {
                look(store, &scope, &points, &condition(kind, key, value.clone())).await;
            }
        }
    }
    for kind in ["in", "nin"] {
        for (key, value) in [
            ("lang", json!(["en", "de"])),
            ("lang", json!(["en", 7, true])),
            ("year", json!([7, 2021, "2021"])),
            ("odd.key[0]", json!(["x"])),
            ("q\"%", json!([1])),
            ("lang", json!(["\u{e4}\"\\"])),
        ] {
            look(store, &scope, &points, &condition(kind, key, value)).await;
        }
    }
    for kind in ["gt", "gte", "lt", "lte"] {
        for bound in [json!(2021), json!(2021.5), json!(0), json!(-3), json!(1e300), json!(9_007_199_254_740_991_i64)] {
            look(store, &scope, &points, &condition(kind, "year", bound)).await;
        }
    }
    let gone = store
        .delete(&scope, &Which::Where(Filter::parse(&condition("ne", "lang", json!("en"))).unwrap()))
        .await
        .unwrap();
    assert_eq!(gone as usize, points.len() - 2);
}

fn random_filter(random: &mut Random, depth: usize) -> Value {
    let kinds = ["eq", "ne", "in", "nin", "gt", "gte", "lt", "lte", "and", "or"];
    let kind = kinds[random.below(if depth == 0 { 8 } else { 10 })];
    if matches!(kind, "and" | "or") {
        let filters: Vec<Value> = (0..=random.below(3)).map(|_| random_filter(random, depth - 1)).collect();
        return json!({"type": kind, "filters": filters});
    }
    let key = ["lang", "year", "draft", "gone", "odd.key[0]", "q\"%"][random.below(6)];
    let value = |random: &mut Random| {
        [
            json!("en"),
            json!("de"),
            json!(7),
            json!(2021),
            json!(2021.5),
            json!(true),
            json!(false),
            json!("x"),
            json!(1),
        ][random.below(9)]
        .clone()
    };
    let value = match kind {
        "in" | "nin" => (0..=random.below(4)).map(|_| value(random)).collect(),
        "eq" | "ne" => value(random),
        _ => [json!(7), json!(2021), json!(-3.5)][random.below(3)].clone(),
    };
    json!({"type": kind, "key": key, "value": value})
}

pub(crate) async fn whatever_the_filter_the_same_is_found(store: &dyn Store, names: &Names) {
    let (scope, points) = animals(names);
    filled(store, &scope, &points).await;
    let mut random = Random::new(21);
    // The stand-in takes its time.
    let rounds = if store.describe().starts_with("embedded") { 1_000 } else { 60 };
    for _ in 0..rounds {
        look(store, &scope, &points, &random_filter(&mut random, 3)).await;
    }
}
