//! Both stores rank alike, for a collection of one tenant.

use context_core::{filter::Filter, point::Hit};
use context_sidecar::store::{Legs, Store as _, embedded::Embedded};
use serde_json::json;

use crate::cases::filled;
use crate::data::{Names, Random, points, with};
use crate::naive::assert_alike;
use crate::server;

#[tokio::test]
async fn what_one_finds_the_other_finds_in_the_same_order() {
    let Some(server) = server::Server::start() else { e2e::skip!("{}", server::ABSENT) };
    let directory = tempfile::tempdir().unwrap();
    let (embedded, qdrant) = (Embedded::open(directory.path()).unwrap(), server.store());
    let names = Names::new("alike");
    let scope = names.scope("acme");
    let mut random = Random::new(40);
    let all: Vec<_> = points(&scope, 600, &mut random)
        .into_iter()
        .enumerate()
        .map(|(number, point)| with(point, json!({"year": 2000 + number % 20})))
        .collect();
    filled(&embedded, &scope, &all).await;
    filled(&qdrant, &scope, &all).await;
    let filter = Filter::parse(&json!({"type": "gte", "key": "year", "value": 2012})).unwrap();
    for round in 0..20 {
        let legs = Legs { dense: Some((random.vector(), 50)), lexical: Some((random.words(8), 50)) };
        let filter = (round % 2 == 0).then_some(&filter);
        let one = embedded.search(&scope, &legs, filter, 0).await.unwrap();
        let other = qdrant.search(&scope, &legs, filter, 0).await.unwrap();
        assert_alike(&one, &other);
        let ids = |hits: Option<Vec<Hit>>| hits.unwrap().iter().map(|hit| hit.id).collect::<Vec<_>>();
        assert_eq!(ids(one.dense), ids(other.dense));
        assert_eq!(ids(one.lexical), ids(other.lexical));
    }
    server.tidy(&names).await;
}

/// More chunks than any limit are equal: which of them are found is not the store's to choose.
#[tokio::test]
async fn of_many_that_are_equal_both_find_the_same() {
    let Some(server) = server::Server::start() else { e2e::skip!("{}", server::ABSENT) };
    let directory = tempfile::tempdir().unwrap();
    let (embedded, qdrant) = (Embedded::open(directory.path()).unwrap(), server.store());
    let names = Names::new("equal");
    let scope = names.scope("acme");
    let mut random = Random::new(41);
    let mut all = points(&scope, 300, &mut random);
    let twin = all[0].clone();
    // Some are better, so that the tie is cut in the middle of the list.
    for point in all.iter_mut().skip(20) {
        (point.dense, point.lexical) = (twin.dense.clone(), twin.lexical.clone());
    }
    filled(&embedded, &scope, &all).await;
    filled(&qdrant, &scope, &all).await;
    for limit in [1, 10, 100, 250] {
        for (vector, words) in
            [(twin.dense.clone().unwrap(), twin.lexical.clone()), (random.vector(), random.words(30))]
        {
            let legs = Legs { dense: Some((vector, limit)), lexical: Some((words, limit)) };
            let one = embedded.search(&scope, &legs, None, 0).await.unwrap();
            let other = qdrant.search(&scope, &legs, None, 0).await.unwrap();
            for (one, other) in [(one.dense, other.dense), (one.lexical, other.lexical)] {
                let ids = |hits: Option<Vec<Hit>>| hits.unwrap().iter().map(|hit| hit.id).collect::<Vec<_>>();
                assert_eq!(ids(one), ids(other), "{limit}");
            }
        }
    }
    server.tidy(&names).await;
}
