//! Two tenants of one collection do whatever they like: each sees its own and nothing else.

use std::collections::BTreeMap;

use context_core::{
    filter::Filter,
    point::{Point, PointId},
    scope::Scope,
};
use context_sidecar::store::{Legs, Store, Which};
use serde_json::json;

use crate::data::{Names, Random, kind, point, with};

/// What a tenant has.
struct Own {
    scope: Scope,
    points: BTreeMap<PointId, Point>,
}

impl Own {
    fn written(&mut self, points: Vec<Point>) {
        self.points.extend(points.into_iter().map(|point| (point.id, point)));
    }
}

pub(crate) async fn tenants_see_their_own_and_nothing_else(store: &dyn Store, names: &Names) {
    let mut random = Random::new(30);
    // Names that are each other's beginning, or look like something else.
    let mut both = ["acme", "acme:2"].map(|tenant| Own { scope: names.scope(tenant), points: BTreeMap::new() });
    store.create(&both[0].scope.collection, &kind()).await.unwrap();
    let red = Filter::parse(&json!({"type": "eq", "key": "colour", "value": "red"})).unwrap();
    // The stand-in takes its time.
    let rounds = if store.describe().starts_with("embedded") { 400 } else { 25 };
    for round in 0..rounds {
        let (own, others) = {
            let [one, other] = &mut both;
            if random.below(2) == 0 { (one, other) } else { (other, one) }
        };
        let others: Vec<PointId> = others.points.keys().copied().collect();
        let document = format!("doc-{}", random.below(6));
        let which = match random.below(12) {
            0..=6 => {
                let many = 1 + random.below(4) as u32;
                let colour = ["red", "blue"][random.below(2)];
                // Metadata that claims to be another's.
                let metadata = json!({"colour": colour, "tenant": "acme"});
                let points: Vec<_> = (0..many)
                    .map(|chunk| with(point(&own.scope, &document, chunk, &mut random), metadata.clone()))
                    .collect();
                store.put(&own.scope, &points).await.unwrap();
                own.written(points);
                None
            }
            7 | 8 => Some(Which::Documents(vec![document.clone()])),
            // Another's ids are nobody's.
            9 => Some(Which::Points(own.points.keys().take(2).chain(&others).copied().collect())),
            10 => Some(Which::Where(red.clone())),
            _ => Some(Which::All),
        };
        if let Some(which) = which {
            let before = own.points.len();
            let two: Vec<PointId> = own.points.keys().take(2).copied().collect();
            own.points.retain(|id, point| match &which {
                Which::Points(_) => !two.contains(id),
                Which::Documents(_) => point.chunk.document_id != document,
                Which::Where(filter) => !filter.holds(&point.chunk.metadata),
                Which::All => false,
            });
            assert_eq!(store.delete(&own.scope, &which).await.unwrap() as usize, before - own.points.len(), "{round}");
        }
        for own in &both {
            sees(store, own, &both, &red, &mut random).await;
        }
    }
    assert!(both.iter().any(|own| !own.points.is_empty()));
}

async fn sees(store: &dyn Store, own: &Own, both: &[Own; 2], red: &Filter, random: &mut Random) {
    let scope = &own.scope;
    let everybodys: Vec<PointId> = both.iter().flat_map(|own| own.points.keys().copied()).collect();
    let mut got: Vec<PointId> =
        store.get(scope, &everybodys, false, 0).await.unwrap().iter().map(|point| point.id).collect();
    got.sort();
    assert_eq!(got, own.points.keys().copied().collect::<Vec<_>>());
    let mut documents: BTreeMap<String, u32> = BTreeMap::new();
    for point in own.points.values() {
        *documents.entry(point.chunk.document_id.clone()).or_default() += 1;
    }
    assert_eq!(store.documents(scope, None, None, 100, 0).await.unwrap(), documents.into_iter().collect::<Vec<_>>());
    let all: Vec<String> = (0..6).map(|number| format!("doc-{number}")).collect();
    assert_eq!(store.chunks(scope, &all, 0).await.unwrap().len(), own.points.len());
    let legs = Legs { dense: Some((random.vector(), 100)), lexical: Some((random.words(30), 100)) };
    for filter in [None, Some(red)] {
        let found = store.search(scope, &legs, filter, 0).await.unwrap();
        let due = own.points.values().filter(|point| filter.is_none_or(|filter| filter.holds(&point.chunk.metadata)));
        let (meant, worded) = (found.dense.unwrap(), found.lexical.unwrap());
        assert_eq!(meant.len(), due.count());
        assert!(meant.iter().chain(&worded).all(|hit| own.points.contains_key(&hit.id)));
    }
}
