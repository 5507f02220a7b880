//! What makes no sense gets an error that says what, where, and what to do.

use serde_json::{Value, json};

use crate::{Sidecar, library};

#[tokio::test]
async fn a_question_that_makes_no_sense() {
    let sidecar = Sidecar::start("collections: { default: { fields: { lang: keyword, year: number } } }\n");
    sidecar.put(&library()).await;
    let with = |more: Value| {
        let mut body = json!({"query": "cats"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body.to_string()
    };
    let eq = |key: &str, value: Value| json!({"filter": {"type": "eq", "key": key, "value": value}});
    let many: Vec<Value> = (0..10_000).map(|_| json!({"type": "eq", "key": "lang", "value": "en"})).collect();
    let deep = (0..20).fold(
        json!({"type": "eq", "key": "lang", "value": "en"}),
        |inner, _| json!({"type": "and", "filters": [inner]}),
    );
    for (body, status, param, says) in [
        (String::new(), 400, "", "empty"),
        ("no json".to_owned(), 400, "", "no JSON"),
        ("{".to_owned(), 400, "", "too early"),
        (r#"{"query": "a"} x"#.to_owned(), 400, "", "no JSON"),
        ("[\"query\"]".to_owned(), 400, "", "a list"),
        (format!("{}1{}", "[".repeat(500), "]".repeat(500)), 400, "", ""),
        (format!(r#"{{"filter": {}{}}}"#, "[".repeat(500), "]".repeat(500)), 400, "", "too deeply"),
        ("{}".to_owned(), 400, "query", "missing"),
        (r#"{"query": ""}"#.to_owned(), 400, "query", "blank"),
        (r#"{"query": " \n\t"}"#.to_owned(), 400, "query", "blank"),
        (r#"{"query": 7}"#.to_owned(), 400, "query", "a string"),
        (r#"{"query": null}"#.to_owned(), 400, "query", "missing"),
        (json!({"query": "x".repeat(10 << 20)}).to_string(), 413, "query", "limits.max_query"),
        (with(json!({"messages": []})), 400, "query", "not both"),
        (r#"{"messages": []}"#.to_owned(), 400, "messages", "role `user`"),
        (r#"{"messages": [{"role": "user", "content": "a"}, 7]}"#.to_owned(), 400, "messages[1]", "role"),
        (with(json!({"topk": 3})), 400, "topk", "top_k"),
        (with(json!({"tenant": "globex"})), 400, "tenant", "no such field"),
        (with(json!({"top_k": 0})), 400, "top_k", "1 to 1000"),
        (with(json!({"top_k": 1_001})), 400, "top_k", "1 to 1000"),
        (with(json!({"top_k": -1})), 400, "top_k", "whole number"),
        (with(json!({"top_k": 1.5})), 400, "top_k", "whole number"),
        (with(json!({"top_k": "3"})), 400, "top_k", "whole number"),
        (r#"{"query": "a", "mmr": NaN}"#.to_owned(), 400, "", "no JSON"),
        (r#"{"query": "a", "mmr": 1e999}"#.to_owned(), 400, "", "too large"),
        (with(json!({"mmr": 2})), 400, "mmr", "0 to 1"),
        (with(json!({"min_score": {"dense": 1e300}})), 400, "min_score.dense", "too large"),
        (with(json!({"mode": "lexical", "min_score": {"dense": 0.3}})), 400, "min_score.dense", "not searched"),
        (with(json!({"rerank": false, "min_score": {"rerank": 0.3}})), 400, "min_score.rerank", "needs a reranker"),
        (with(json!({"mode": "magic"})), 400, "mode", "hybrid, dense, lexical"),
        (with(json!({"fusion": {"method": "sum"}})), 400, "fusion.method", "dbsf"),
        (with(json!({"fusion": {"weights": {"dense": -1}}})), 400, "fusion.weights.dense", "0 or more"),
        (with(json!({"fusion": {"wieghts": {}}})), 400, "fusion.wieghts", "weights"),
        (with(json!({"expand": {"window": 1_000_000}})), 400, "expand.window", "1 to 100"),
        (with(json!({"freshness": {"field": "year"}})), 400, "freshness.half_life", "missing"),
        (with(json!({"freshness": {"field": "year", "half_life": "soon"}})), 400, "freshness.half_life", ""),
        (with(json!({"max_tokens": 0})), 400, "max_tokens", "from 1"),
        (with(json!({"timeout_ms": 0})), 400, "timeout_ms", "above 0"),
        (with(json!({"collection": "../etc"})), 400, "collection", "name"),
        (with(json!({"collection": "nowhere"})), 404, "collection", ""),
        (with(json!({"filter": "lang"})), 400, "filter", "an object"),
        (with(json!({"filter": {"lang": "en"}})), 400, "filter.type", "one of eq"),
        (
            with(json!({"filter": {"lang": "en"}})),
            400,
            "filter.type",
            r#"{"type": "eq", "key": "lang", "value": "en"}"#,
        ),
        (with(json!({"filter": {"type": "and", "filters": many}})), 400, "filter", "256 conditions"),
        (with(json!({"filter": deep})), 400, "", "levels deep"),
        (with(json!({"filter": {"type": "gt", "key": "year", "value": "new"}})), 400, "filter.value", "a number"),
        (with(eq("colour", json!("red"))), 400, "filter", "its fields are: lang, year"),
        (with(eq("lang", json!({"a": 1}))), 400, "filter.value", "a string, a number or a boolean"),
    ] {
        let answer = sidecar.send("POST", "/v1/retrieve", &[], body.clone()).await;
        let shown = body.get(..200.min(body.len())).unwrap_or_default();
        assert_eq!(answer.status, status, "{shown}: {}", answer.text());
        let error = &answer.json()["error"];
        if !param.is_empty() {
            assert_eq!(error["param"], param, "{shown}: {error}");
        }
        assert!(error["message"].as_str().unwrap().contains(says), "{shown}: {error}");
        // There are SDKs that show nothing but the sentence.
        if let Some(param) = error["param"].as_str() {
            assert!(error["message"].as_str().unwrap().starts_with(param), "{shown}: {error}");
        }
        assert!(answer.body.len() < 2_000, "{shown}: an answer of {} bytes", answer.body.len());
    }
    // None of it has harmed anybody.
    assert_eq!(sidecar.ask("POST", "/v1/retrieve", &json!({"query": "cats"})).await.status, 200);
}

#[tokio::test]
async fn other_requests_that_make_no_sense() {
    let sidecar = Sidecar::start("");
    sidecar.put(&library()).await;
    let long = "x".repeat(10_000);
    for (method, path, body, status, param) in [
        ("PUT", "/v1/documents", json!({}), 400, "documents"),
        ("PUT", "/v1/documents", json!({"documents": 7}), 400, "documents"),
        ("PUT", "/v1/documents", json!({"documents": [], "tenant": "x"}), 400, "tenant"),
        ("PUT", "/v1/documents", json!({"documents": [], "ttl_seconds": 0}), 400, "ttl_seconds"),
        ("PUT", "/v1/documents", json!({"documents": [], "collection": ""}), 400, "collection"),
        (
            "PUT",
            "/v1/documents",
            json!({"documents": [], "collection": "context-sidecar.conversations"}),
            403,
            "collection",
        ),
        ("GET", "/v1/documents?limit=0", Value::Null, 400, "limit"),
        ("GET", "/v1/documents?limit=1001", Value::Null, 400, "limit"),
        ("GET", "/v1/documents?limit=x", Value::Null, 400, "limit"),
        ("GET", "/v1/documents?limit=1&limit=2", Value::Null, 400, "limit"),
        ("GET", "/v1/documents?tenant=globex", Value::Null, 400, "tenant"),
        ("GET", "/v1/documents?filter=x", Value::Null, 400, "filter"),
        ("GET", "/v1/documents/cats?collection=nowhere", Value::Null, 404, "collection"),
        ("DELETE", "/v1/documents", json!({"filter": {}}), 400, "filter.type"),
        ("POST", "/v1/context", json!({"query": "cats"}), 400, "messages"),
        (
            "POST",
            "/v1/conversations/a/messages",
            json!({"messages": [{"role": "robot", "content": "x"}]}),
            400,
            "messages[0].role",
        ),
        ("POST", "/v1/conversations/a/messages", json!({"messages": [{"role": "user"}]}), 400, "messages[0].content"),
        ("POST", "/v1/conversations/a/messages", json!({"messages": [["1", "user", "x"]]}), 400, "messages[0]"),
        (
            "POST",
            "/v1/conversations/a/messages",
            json!({"messages": [{"role": "user", "content": [{"type": "text", "text": 7}]}]}),
            400,
            "messages[0].content",
        ),
        (
            "POST",
            "/v1/conversations/a/messages",
            json!({"messages": [{"role": "user", "content": "x", "more": "y".repeat(70_000)}]}),
            413,
            "messages[0]",
        ),
        ("POST", "/v1/context", json!({"model": "m", "messages": [], "collection": "a"}), 400, "collection"),
        ("POST", "/v1/context", json!({"model": "m", "messages": [], "context": {"topk": 1}}), 400, "context.topk"),
        ("POST", "/v1/context", json!({"model": "m", "messages": [], "context": {"query": "a"}}), 400, "context.query"),
        ("POST", "/v1/context", json!({"model": "m"}), 400, "messages"),
        ("GET", "/v1/conversations/a/context?max_tokens=0", Value::Null, 400, "max_tokens"),
        ("GET", "/v1/conversations/a/context?query=", Value::Null, 400, "query"),
        (
            "POST",
            "/v1/vector_stores/default/search",
            json!({"query": "a", "max_num_results": 51}),
            400,
            "max_num_results",
        ),
        ("POST", "/v1/vector_stores/default/search", json!({"query": []}), 400, "query"),
        (
            "POST",
            "/v1/vector_stores/default/search",
            json!({"query": "a", "filters": {"type": "eq"}}),
            400,
            "filters.key",
        ),
        ("POST", "/v1/vector_stores/nowhere/search", json!({"query": "a"}), 404, ""),
        ("POST", "/v1/vector_stores/a%20b/search", json!({"query": "a"}), 400, "vector_store_id"),
        (
            "POST",
            "/v1/vector_stores/default/search",
            json!({"query": "a", "ranking_options": {"score_threshold": 2}}),
            400,
            "ranking_options.score_threshold",
        ),
    ] {
        let answer = sidecar.ask(method, path, &body).await;
        assert_eq!(answer.status, status, "{method} {path} {body}: {}", answer.text());
        if !param.is_empty() {
            assert_eq!(answer.json()["error"]["param"], param, "{method} {path} {body}: {}", answer.text());
        }
    }
    let odd = sidecar.ask("DELETE", &format!("/v1/documents/{long}"), &Value::Null).await;
    assert!(odd.status == 200 || odd.status == 400, "{}", odd.text());
    for path in
        ["/", "/v1", "/v1/documents/", "/v1/documents/a/b", "/v1/retrieve/", "/V1/retrieve", "/v1/conversations/%ff"]
    {
        assert_eq!(sidecar.ask("GET", path, &Value::Null).await.status, 404, "{path}");
    }
    let wrong = sidecar.ask("GET", "/v1/retrieve", &Value::Null).await;
    assert_eq!((wrong.status, wrong.header("allow")), (405, "POST"));
    let wrong = sidecar.ask("POST", "/v1/documents", &Value::Null).await;
    assert_eq!((wrong.status, wrong.header("allow")), (405, "PUT, GET, DELETE"));
}
