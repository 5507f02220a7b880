//! What a collection is made of: vectors, indexes, and a record of what it is for.
//!
//! Which model the vectors are of is no part of a Qdrant collection (its metadata has it from 1.16 on). It is kept in a
//! point that has no tenant and no vectors, so that no search finds it, and every snapshot has it. It is written last: a
//! collection without it is not finished yet, and whoever creates it next, finishes it.

use context_core::scope::Collection;
use reqwest::{Method, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{
    client::{About, Does, Server},
    conditions,
    settings::Settings,
};
use crate::store::{Fault, Kind};

/// `outrigger` `kind`, in letters.
const RECORD: Uuid = Uuid::from_u128(0x6f75_7472_6967_8765_8000_0000_6b69_6e64);

const NOTHING: Option<&()> = None;

#[derive(Serialize, Deserialize)]
struct Recorded {
    model: String,
    dimension: usize,
}

#[derive(Deserialize)]
struct RecordPoint {
    payload: Option<Value>,
}

/// What is known of a collection; `None` where there is none, or one that is not finished.
pub(super) async fn look(server: &Server, name: &Collection) -> Result<Option<Kind>, Fault> {
    match recorded(server, name).await {
        Ok(None) | Err(Fault::NoCollection(_)) => Ok(None),
        Ok(Some(kind)) => {
            check(server, name, &kind).await?;
            Ok(Some(kind))
        }
        Err(fault) => Err(fault),
    }
}

/// Makes a collection, or finishes one that is there.
pub(super) async fn create(server: &Server, settings: &Settings, name: &Collection, kind: &Kind) -> Result<(), Fault> {
    let path = ["collections", name.as_str()];
    let body = serde_json::to_vec(&plan(settings, kind)).unwrap_or_default();
    let (status, answer) = server.send(Method::PUT, &path, Does::Admin, Some(body)).await?;
    let there = status == StatusCode::CONFLICT || (status == StatusCode::BAD_REQUEST && says_it_exists(&answer));
    if there {
        if let Some(found) = recorded(server, name).await? {
            found.same_as(kind, name)?;
        }
        check(server, name, kind).await?;
    } else {
        server.read::<Value>(status, &answer, About::Server)?;
    }
    let mut indexes = vec![
        ("tenant".to_owned(), json!({ "type": "keyword", "is_tenant": true })),
        ("document_id".to_owned(), json!("keyword")),
        ("expires".to_owned(), json!("integer")),
    ];
    indexes.extend(settings.indexes.iter().map(|(key, kind)| (conditions::path(key), json!(kind.schema()))));
    let path = ["collections", name.as_str(), "index"];
    for (field, schema) in indexes {
        let body = json!({ "field_name": field, "field_schema": schema });
        server.ask::<Value>(Method::PUT, &path, Does::Write, Some(&body), About::Collection(name)).await?;
    }
    if recorded(server, name).await?.is_none() {
        record(server, name, kind).await?;
    }
    // Another may have been quicker.
    match recorded(server, name).await? {
        Some(found) => found.same_as(kind, name),
        None => Err(Fault::NoCollection(name.clone())),
    }
}

fn plan(settings: &Settings, kind: &Kind) -> Value {
    let dense = kind.dense.as_ref().map(|(_, size)| json!({ "dense": { "size": size, "distance": "Cosine" } }));
    let mut plan = json!({
        "vectors": dense.unwrap_or_else(|| json!({})),
        "sparse_vectors": { "bm25": { "modifier": "idf" } },
    });
    let numbers = [
        ("shard_number", settings.shards),
        ("replication_factor", settings.replicas),
        ("write_consistency_factor", settings.write_consistency),
    ];
    if let Some(plan) = plan.as_object_mut() {
        plan.extend(numbers.into_iter().filter_map(|(name, number)| Some((name.to_owned(), json!(number?.get())))));
    }
    plan
}

fn says_it_exists(answer: &[u8]) -> bool {
    String::from_utf8_lossy(answer).contains("already exists")
}

async fn recorded(server: &Server, name: &Collection) -> Result<Option<Kind>, Fault> {
    let path = ["collections", name.as_str(), "points"];
    let body = json!({ "ids": [RECORD], "with_payload": true });
    let found: Vec<RecordPoint> =
        server.ask(Method::POST, &path, Does::Read, Some(&body), About::Collection(name)).await?;
    let Some(payload) = found.into_iter().next().and_then(|point| point.payload) else { return Ok(None) };
    let recorded: Recorded = serde_json::from_value(payload).map_err(|_| {
        let at = &server.at;
        Fault::Corrupt(format!(
            "{at}: the collection `{name}` does not say which model it is for: ingest into a new collection"
        ))
    })?;
    let Recorded { model, dimension } = recorded;
    Ok(Some(Kind { dense: (dimension > 0).then_some((model, dimension)) }))
}

async fn record(server: &Server, name: &Collection, kind: &Kind) -> Result<(), Fault> {
    let (model, dimension) = kind.dense.clone().unwrap_or_default();
    let point = json!({ "id": RECORD, "vector": {}, "payload": Recorded { model, dimension } });
    let path = ["collections", name.as_str(), "points"];
    let body = json!({ "points": [point] });
    server.ask::<Value>(Method::PUT, &path, Does::Write, Some(&body), About::Collection(name)).await.map(|_| ())
}

/// Whether the vectors are what they have to be for `kind`.
async fn check(server: &Server, name: &Collection, kind: &Kind) -> Result<(), Fault> {
    let path = ["collections", name.as_str()];
    let found: Value = server.ask(Method::GET, &path, Does::Admin, NOTHING, About::Collection(name)).await?;
    let at = |pointer: &str| found.pointer(&format!("/config/params/{pointer}"));
    let mut wrong = Vec::new();
    if let Some((_, dimension)) = &kind.dense {
        match at("vectors/dense/size").and_then(Value::as_u64) {
            Some(size) if size == *dimension as u64 => {}
            Some(size) => wrong.push(format!("vectors of {size} numbers instead of {dimension}")),
            None => wrong.push("no vectors named `dense`".to_owned()),
        }
        match at("vectors/dense/distance").and_then(Value::as_str) {
            Some("Cosine") | None => {}
            Some(other) => wrong.push(format!("distance {other} instead of Cosine")),
        }
    }
    if at("sparse_vectors/bm25").is_none() {
        wrong.push("no sparse vectors named `bm25`".to_owned());
    } else if at("sparse_vectors/bm25/modifier").and_then(Value::as_str) != Some("idf") {
        wrong.push("sparse vectors `bm25` without the modifier `idf`".to_owned());
    }
    if wrong.is_empty() {
        return Ok(());
    }
    let (at, wrong) = (&server.at, wrong.join(", "));
    Err(Fault::Mismatch(format!(
        "{at}: the collection `{name}` has {wrong}: name another collection, or drop this one"
    )))
}
