//! What is told by a file and by the environment, and all that can be wrong with it.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail by panicking")]

use std::time::Duration;

use chassis::config::Environment;
use context_sidecar::config::{self, Loaded, Settings, Store};
use serde_json::Value;

const ALONE: [(&str, &str); 2] = [("CONTEXT_TENANT", "acme"), ("CONTEXT_DATA_DIR", "/data")];

fn environment(more: &[(&str, &str)]) -> Environment {
    Environment::from_pairs(more.iter().copied())
}

fn good(file: &str, variables: &[(&str, &str)]) -> Loaded {
    config::from_text(file, &environment(variables)).map_err(|problems| problems.to_string()).unwrap()
}

fn settings(file: &str) -> Settings {
    good(file, &ALONE).settings
}

fn problems(file: &str, variables: &[(&str, &str)]) -> Vec<String> {
    let problems = config::from_text(file, &environment(variables)).unwrap_err();
    problems.to_string().lines().map(str::to_owned).collect()
}

#[test]
fn the_environment_is_enough() {
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("key");
    std::fs::write(&key, "secret-key").unwrap();
    let key = key.to_str().unwrap();
    let loaded = good(
        "",
        &[
            ("CONTEXT_LISTEN", "127.0.0.1:1090"),
            ("CONTEXT_ADMIN_LISTEN", ":1091"),
            ("CONTEXT_TENANT", "acme"),
            ("CONTEXT_COLLECTION", "docs"),
            ("CONTEXT_TOKEN_FILE", key),
            ("QDRANT_URL", "http://qdrant:6333/"),
            ("QDRANT_API_KEY_FILE", key),
            ("EMBEDDINGS_MODEL", "mini"),
            ("RERANK_URL", "http://tei/rerank"),
            ("DRAIN_TIMEOUT", "7s"),
        ],
    );
    let settings = loaded.settings;
    assert_eq!(loaded.warnings, []);
    assert_eq!((settings.listen.data.as_str(), settings.listen.admin.as_str()), ("127.0.0.1:1090", ":1091"));
    assert_eq!(settings.listen.drain, Duration::from_secs(7));
    assert_eq!((settings.tenant.unwrap().as_str(), settings.collection.as_str()), ("acme", "docs"));
    let Store::Qdrant(qdrant) = settings.store else { panic!() };
    assert_eq!((qdrant.url.as_str(), qdrant.api_key_file.unwrap().to_str()), ("http://qdrant:6333", Some(key)));
    let embeddings = settings.embeddings.unwrap();
    assert_eq!((embeddings.url.as_str(), embeddings.settings.model.as_str()), ("http://127.0.0.1:7070/v1", "mini"));
    assert_eq!(settings.rerank.unwrap().url, "http://tei/rerank");
}

#[test]
fn a_file_says_the_rest_and_the_environment_holds() {
    let file = "
listen: { data: 127.0.0.1:1, admin: 127.0.0.1:2 }
tenant: globex
collection: papers
store: { embedded: { path: /elsewhere } }
embeddings: { url: http://tei:8080, model: e5, api: tei, batch: 8, timeout: 5s, prefixes: { query: 'query: ' } }
rerank: { url: http://r/v1/rerank, model: m, api: cohere, candidates: 20, timeout: 1s }
retrieval: { top_k: 3, fusion: { method: rrf }, mmr: 0.5, expand: { window: 2 }, freshness: { field: at, half_life: 30d } }
ingest: { chunk: { tokens: 100 }, language: german, max_document: 1MiB, allow_write: false }
collections: { papers: { fields: { year: number }, language: french } }
conversations: { ttl: 1d, summary: { model: small } }
caches: { results: 1MiB, ttl: 1s, outage: 2s }
limits: { max_body: 1MiB, max_bodies: 2MiB, body_timeout: 4s, max_query: 1KiB, max_in_flight: 7, timeout: 3s }
mcp: { store: true }
";
    let settings = settings(file);
    assert_eq!(settings.tenant.as_ref().unwrap().as_str(), "acme");
    assert!(matches!(&settings.store, Store::Embedded(path) if path.to_str() == Some("/data")));
    assert_eq!(settings.embeddings.as_ref().unwrap().settings.items, 8);
    assert_eq!(settings.rerank.as_ref().unwrap().candidates, 20);
    assert_eq!((settings.ingest.chunk.tokens(), settings.ingest.chunk.overlap()), (100, 25));
    let papers = "papers".parse().unwrap();
    assert_eq!(
        format!("{:?}", (settings.collections[&papers].language, settings.ingest.language)),
        "(Some(French), German)"
    );
    assert!(settings.fields(&papers).unwrap().contains_key("year"));
    assert_eq!(settings.conversations.summary.unwrap().url, "http://127.0.0.1:7070/v1");
    assert_eq!((settings.limits.max_query, settings.limits.max_in_flight), (1_024, 7));
    assert!(settings.mcp_store && !settings.ingest.allow_write);
}

#[test]
fn all_problems_are_told_at_once() {
    let file = "
tennant: x
tenant: 'a b'
collection: ../etc
store: { qdrant: { url: 'http://me:canary@q', shards: 0 }, embedded: { path: /data } }
embeddings: { batch: 0, api: grpc, key_file: sk-canary-canary }
rerank: { url: nowhere, candidates: 1000 }
retrieval: { top_k: 0, mmr: 7, mode: magic, expand: { window: 0 } }
ingest: { chunk: { tokens: 3 }, max_document: 0, language: klingon }
collections: { 'a/b': {}, c: { fields: { x: date } } }
conversations: { ttl: 0s, summary: {} }
caches: { ttl: 2h }
limits: { max_body: 0, max_in_flight: 0, timeout: soon }
mcp: { store: maybe }
";
    let told = problems(file, &[("CONTEXT_LISTEN", "nowhere"), ("DRAIN_TIMEOUT", "soon")]).join("\n");
    for place in [
        "tennant: unknown key",
        "tenant: has a character",
        "collection: has a character",
        "store: must have one of",
        "embeddings.batch: ",
        "embeddings.api: ",
        "embeddings.key_file: ",
        "rerank.url: ",
        "rerank.candidates: must be from 1 to 200",
        "retrieval.top_k: must be from 1 to 1000",
        "retrieval.mmr: ",
        "retrieval.mode: ",
        "retrieval.expand.window: ",
        "ingest.chunk: ",
        "ingest.max_document: ",
        "ingest.language: ",
        "collections.a/b: has a character",
        "collections.c.fields.x: ",
        "conversations.ttl: ",
        "conversations.summary.model: missing",
        "caches.outage: ",
        "limits.max_body: must be above 0",
        "limits.max_in_flight: ",
        "limits.timeout: ",
        "mcp.store: ",
        "CONTEXT_LISTEN: ",
        "DRAIN_TIMEOUT: ",
    ] {
        assert!(told.contains(place), "{place} is not told:\n{told}");
    }
    assert!(!told.contains("canary"), "{told}");
}

#[test]
fn what_is_missing_or_odd_is_told_with_a_remedy() {
    let told = problems("", &[("CONTEXT_TENANT", "acme")]);
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].starts_with("QDRANT_URL: ") && told[0].contains("CONTEXT_DATA_DIR=/data"), "{told:?}");
    let warnings = |variables: &[(&str, &str)]| -> Vec<String> {
        good("", variables).warnings.iter().map(ToString::to_string).collect()
    };
    let nobody = warnings(&[("CONTEXT_DATA_DIR", "/data")]);
    assert!(nobody.len() == 1 && nobody[0].contains("every request is refused (403)"), "{nobody:?}");
    let both = warnings(&[("CONTEXT_TENANT", "a"), ("CONTEXT_DATA_DIR", "/data"), ("QDRANT_URL", "http://q:6333")]);
    assert!(both.len() == 1 && both[0].starts_with("CONTEXT_DATA_DIR: is not used"), "{both:?}");
    let model = warnings(&[("CONTEXT_TENANT", "a"), ("CONTEXT_DATA_DIR", "/d"), ("EMBEDDINGS_URL", "http://e/v1")]);
    assert!(model.len() == 1 && model[0].contains("EMBEDDINGS_MODEL"), "{model:?}");
    let mistyped = warnings(&[("CONTEXT_TENANT", "a"), ("CONTEXT_DATA_DIR", "/d"), ("EMBEDDING_MODEL", "e")]);
    assert!(mistyped.len() == 1 && mistyped[0].contains("did you mean EMBEDDINGS_MODEL?"), "{mistyped:?}");
    let both = [("CONTEXT_TENANT", "a"), ("CONTEXT_DATA_DIR", "/d"), ("CONTEXT_TENNANT", "b")];
    assert!(warnings(&both)[0].contains("CONTEXT_TENNANT: ") && warnings(&both)[0].contains("is CONTEXT_TENANT"));
    let told = problems("", &[("CONTEXT_DATA_DIR", "/d"), ("CONTEXT_TOKEN_FILE", "/no/such/file")]);
    assert!(told[0].starts_with("CONTEXT_TOKEN_FILE: /no/such/file: "), "{told:?}");
    let ports = [("CONTEXT_TENANT", "a"), ("CONTEXT_DATA_DIR", "/d"), ("CONTEXT_LISTEN", ":9091")];
    assert!(problems("", &ports)[0].contains("the two need one each"));
}

#[test]
fn a_length_of_time_has_an_end() {
    let told = problems(
        "
embeddings: { timeout: 400000d, query_timeout: 2d }
rerank: { timeout: 2d }
conversations: { ttl: 400000d }
caches: { ttl: 400000d, outage: 400000d }
limits: { timeout: 18446744073709551615ms, header_timeout: 25h, body_timeout: 25h }
",
        &[ALONE[0], ALONE[1], ("DRAIN_TIMEOUT", "400000d")],
    );
    for says in [
        "embeddings.timeout: must be at most 1d",
        "embeddings.query_timeout: must be at most 1d",
        "rerank.timeout: must be at most 1d",
        "conversations.ttl: must be at most 36500d",
        "caches.ttl: must be at most 365d",
        "caches.outage: must be at most 365d",
        "limits.timeout: must be at most 1d",
        "limits.header_timeout: must be at most 1d",
        "limits.body_timeout: must be at most 1d",
        "DRAIN_TIMEOUT: must be at most 1d",
    ] {
        assert!(told.iter().any(|line| line.contains(says)), "{says} is not told: {told:#?}");
    }
    // The longest that there is holds.
    let longest =
        settings("caches: { ttl: 365d, outage: 365d }\nconversations: { ttl: 36500d }\nlimits: { timeout: 1d }\n");
    let _cache = context_sidecar::cache::Results::<u8>::of(1, longest.caches.ttl, longest.caches.outage);
}

#[test]
fn what_could_never_be_is_refused() {
    let told = problems("limits: { max_query: 64KiB, max_body: 2MiB, max_bodies: 1MiB }", &ALONE).join("\n");
    assert!(told.contains("limits.max_query: must be at most 16384"), "{told}");
    assert!(told.contains("limits.max_bodies: must not be below `limits.max_body`"), "{told}");
    assert_eq!(settings("limits: { max_body: 1GiB }").limits.max_bodies, 1 << 30);
    let told = problems("", &[ALONE[0], ("QDRANT_URL", "qdrant:6333")]).join("\n");
    assert!(told.contains("http://qdrant:6333") && !told.contains("vllm"), "{told}");
}

#[test]
fn the_schema_is_the_committed_one() {
    insta::with_settings!({ prepend_module_to_snapshot => false, omit_expression => true }, {
        insta::assert_snapshot!("schema", config::schema());
    });
}

/// What the file takes is what docs/configuration.md says, word for word and key for key.
#[test]
fn every_key_is_documented() {
    let text = include_str!("../../docs/configuration.md");
    let (_, section) = text.split_once("\n## The context-sidecar\n").unwrap();
    let section = section.split("\n## ").next().unwrap();
    let rows: Vec<&str> = section.lines().filter(|line| line.starts_with("| `")).collect();
    let documented: Vec<&str> =
        rows.iter().flat_map(|row| row.split('|').nth(1).unwrap().split('`').skip(1).step_by(2)).collect();
    let schema: Value = serde_json::from_str(&config::schema()).unwrap();
    let resolved = |of: &Value| -> Value {
        let named = of["$ref"].as_str().or_else(|| of["anyOf"][0]["$ref"].as_str());
        named.map_or_else(|| of.clone(), |named| schema["$defs"][named.rsplit('/').next().unwrap()].clone())
    };
    let mut keys: Vec<String> = Vec::new();
    let mut left = vec![(String::new(), schema.clone())];
    while let Some((path, of)) = left.pop() {
        let Some(properties) = of["properties"].as_object() else {
            keys.push(path);
            continue;
        };
        for (name, property) in properties {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            if path == "retrieval" {
                for name in resolved(property)["properties"].as_object().unwrap().keys() {
                    let row = rows.iter().find(|row| row.contains("`retrieval.*`")).unwrap();
                    assert!(row.contains(&format!("`{name}`")), "retrieval.{name} is not documented");
                }
                keys.push("retrieval.*".to_owned());
            } else if path == "collections" {
                left.push(("collections.NAME".to_owned(), resolved(&property["additionalProperties"])));
            } else {
                left.push((path, resolved(property)));
            }
        }
    }
    let missing: Vec<&String> = keys.iter().filter(|key| !documented.contains(&key.as_str())).collect();
    assert_eq!(missing, [] as [&String; 0], "are not in docs/configuration.md");
    let unknown: Vec<&&str> = documented.iter().filter(|key| !keys.iter().any(|known| known == *key)).collect();
    assert_eq!(unknown, [] as [&&str; 0], "are in docs/configuration.md, and are no keys");
}

#[test]
fn every_object_is_closed_and_every_field_explained() {
    fn walk(path: &str, schema: &Value, seen: &mut usize) {
        if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
            assert_eq!(schema["additionalProperties"], false, "{path} takes unknown keys");
            for (name, property) in properties {
                *seen += 1;
                // A choice of one key is explained as a whole.
                let told =
                    property["description"].is_string() || schema["description"].is_string() && path.contains("oneOf");
                assert!(told, "{path}.{name} is not explained");
            }
        }
        let children: Vec<(String, &Value)> = match schema {
            Value::Object(map) => map.iter().map(|(name, child)| (name.clone(), child)).collect(),
            Value::Array(list) => list.iter().enumerate().map(|(i, child)| (i.to_string(), child)).collect(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
        };
        for (name, child) in children {
            walk(&format!("{path}/{name}"), child, seen);
        }
    }
    let mut seen = 0;
    walk("", &serde_json::from_str(&config::schema()).unwrap(), &mut seen);
    assert!(seen > 60, "only {seen} fields");
}
