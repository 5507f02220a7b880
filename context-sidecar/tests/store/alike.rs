//! Both stores rank alike, for a collection of one tenant.

use context_core::filter::Filter;
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
        let one = embedded.search(&scope, &legs, filter).await.unwrap();
        let other = qdrant.search(&scope, &legs, filter).await.unwrap();
        assert_alike(&one, &other);
        let ids =
            |hits: Option<Vec<context_core::point::Hit>>| hits.unwrap().iter().map(|hit| hit.id).collect::<Vec<_>>();
        assert_eq!(ids(one.dense), ids(other.dense));
        assert_eq!(ids(one.lexical), ids(other.lexical));
    }
    server.tidy(&names).await;
}
