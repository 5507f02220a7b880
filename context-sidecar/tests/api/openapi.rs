//! The OpenAPI document is true: each route is asked, and what is sent and what comes has the shapes that it tells.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::{Sidecar, library};

/// A schema of the document, by itself.
fn validator(document: &Value, schema: &Value) -> jsonschema::Validator {
    let mut whole = schema.clone();
    whole["components"] = document["components"].clone();
    jsonschema::draft202012::new(&whole).unwrap()
}

#[track_caller]
fn fits(document: &Value, schema: &Value, value: &Value, what: &str) {
    let validator = validator(document, schema);
    let errors: Vec<String> =
        validator.iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{what}: {errors:#?}\n{value:#}");
}

struct Example {
    operation: &'static str,
    path: &'static str,
    body: Value,
}

fn example(operation: &'static str, path: &'static str, body: Value) -> Example {
    Example { operation, path, body }
}

/// One for each operation, in an order in which they work; those that remove come last.
fn examples() -> Vec<Example> {
    let everything = json!({
        "query": "cats", "collection": "default", "filter": {"type": "eq", "key": "lang", "value": "en"}, "top_k": 5,
        "mode": "hybrid", "fusion": {"method": "rrf", "weights": {"dense": 1, "lexical": 2}, "k": 60},
        "min_score": {"dense": 0.1, "lexical": 0.1, "rerank": 0.1}, "rerank": true, "mmr": 1, "expand": {"window": 1},
        "freshness": {"field": "year", "half_life": "30d"}, "max_tokens": 300, "timeout_ms": 5000, "explain": true,
    });
    let rpc = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"});
    let search = json!({"query": "cats", "max_num_results": 2, "ranking_options": {
            "ranker": "auto", "score_threshold": 0, "hybrid_search": {"embedding_weight": 1, "text_weight": 0.5}}});
    vec![
        example("put_documents", "/v1/documents", json!({"documents": library(), "collection": "default"})),
        example("put_documents", "/v1/documents", json!({"documents": library(), "ttl_seconds": 1_000})),
        example("list_documents", "/v1/documents?limit=2", Value::Null),
        example("list_collections", "/v1/collections", Value::Null),
        example("get_document", "/v1/documents/cats", Value::Null),
        example("get_document", "/v1/documents/fish%2F1", Value::Null),
        example("retrieve", "/v1/retrieve", json!({"query": "cats"})),
        example(
            "retrieve",
            "/v1/retrieve",
            json!({"messages": [{"role": "user", "content": "cats", "name": "x"}], "expand": "parent"}),
        ),
        example("retrieve", "/v1/retrieve", everything),
        example(
            "context",
            "/v1/context",
            json!({"messages": [{"role": "user", "content": [{"type": "text", "text": "cats"}]}], "explain": true}),
        ),
        example(
            "context",
            "/v1/context",
            json!({"model": "m", "temperature": 0.5, "messages": [{"role": "user", "content": "cats"}], "max_tokens": 9,
                "context": {"collection": "default", "max_tokens": 300}}),
        ),
        example(
            "add_messages",
            "/v1/conversations/talk/messages",
            json!({"messages": [{"role": "assistant", "content": null, "tool_calls": [{"id": "1", "type": "function"}]},
                {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}], "name": "n"}]}),
        ),
        example(
            "add_messages",
            "/v1/conversations/talk/messages",
            json!({"messages": [{"id": "1", "role": "user", "content": "cats"}, {"role": "assistant", "content": [{"type": "text", "text": "yes"}]}]}),
        ),
        example("conversation_context", "/v1/conversations/talk/context?max_tokens=1000", Value::Null),
        example("list_conversations", "/v1/conversations?limit=1", Value::Null),
        example("search_vector_store", "/v1/vector_stores/default/search", search),
        example("mcp", "/mcp", rpc),
        example("openapi", "/openapi.json", Value::Null),
        example("delete_conversation", "/v1/conversations/talk", Value::Null),
        example("delete_document", "/v1/documents/cats", Value::Null),
        example("delete_documents", "/v1/documents", json!({"ids": ["dogs"]})),
        example("delete_documents", "/v1/documents", json!({"all": true})),
    ]
}

/// Operations by their ids, with their methods.
fn operations(document: &Value) -> BTreeMap<String, (String, Value)> {
    let mut operations = BTreeMap::new();
    for methods in document["paths"].as_object().unwrap().values() {
        for (method, operation) in methods.as_object().unwrap() {
            let id = operation["operationId"].as_str().unwrap().to_owned();
            operations.insert(id, (method.to_uppercase(), operation.clone()));
        }
    }
    operations
}

#[tokio::test]
async fn what_is_sent_and_what_comes_is_as_it_says() {
    let sidecar = Sidecar::start("");
    let document = sidecar.good("GET", "/openapi.json", &Value::Null).await;
    let operations = operations(&document);
    let mut asked: Vec<&str> = Vec::new();
    for Example { operation, path, body } in examples() {
        asked.push(operation);
        let (method, about) = &operations[operation];
        let takes = &about["requestBody"]["content"]["application/json"]["schema"];
        assert_eq!(takes.is_null(), body.is_null(), "{operation}");
        if !takes.is_null() {
            fits(&document, takes, &body, operation);
        }
        let accept = [("accept", "application/json, text/event-stream"), ("content-type", "application/json")];
        let sent = if body.is_null() { String::new() } else { body.to_string() };
        let answer = sidecar.send(method, path, &accept, sent).await;
        assert_eq!(answer.status, 200, "{operation}: {}", answer.text());
        let gives = &about["responses"]["200"]["content"]["application/json"]["schema"];
        if operation == "mcp" {
            assert!(gives.is_null());
        } else {
            fits(&document, gives, &answer.json(), operation);
        }
    }
    for operation in operations.keys() {
        assert!(asked.contains(&operation.as_str()), "{operation} has no example");
    }
}

/// What is wrong is wrong for both: a schema that takes anything would be true, too.
#[tokio::test]
async fn what_it_does_not_take_is_refused_and_errors_are_as_it_says() {
    let sidecar = Sidecar::start("");
    sidecar.put(&library()).await;
    let document = sidecar.good("GET", "/openapi.json", &Value::Null).await;
    let operations = operations(&document);
    for Example { operation, path, body } in examples() {
        let Value::Object(mut fields) = body else { continue };
        // A protocol of its own; and what goes on to a model has whatever fields that has.
        if operation == "mcp" || fields.contains_key("model") {
            continue;
        }
        fields.insert("surplus".to_owned(), json!(1));
        let body = Value::Object(fields);
        let (method, about) = &operations[operation];
        let takes = &about["requestBody"]["content"]["application/json"]["schema"];
        assert!(!validator(&document, takes).is_valid(&body), "{operation} takes anything");
        let answer = sidecar.ask(method, path, &body).await;
        assert_eq!((answer.status, &answer.json()["error"]["param"]), (400, &json!("surplus")), "{operation}");
        fits(&document, &about["responses"]["4XX"]["content"]["application/json"]["schema"], &answer.json(), operation);
    }
}

/// Of what may stand behind the `?` it says which kind it is, and both ends of a number hold.
#[tokio::test]
async fn parameters_are_of_the_kind_that_it_says() {
    let sidecar = Sidecar::start("");
    sidecar.put(&library()).await;
    let document = sidecar.good("GET", "/openapi.json", &Value::Null).await;
    let message = json!({"messages": [{"role": "user", "content": "cats"}]});
    sidecar.good("POST", "/v1/conversations/talk/messages", &message).await;
    let paths = [
        ("put_documents", "/v1/documents"),
        ("list_documents", "/v1/documents"),
        ("conversation_context", "/v1/conversations/talk/context"),
        ("list_conversations", "/v1/conversations"),
    ];
    let mut numbers = 0;
    for (id, (method, about)) in operations(&document) {
        let parameters = about["parameters"].as_array().unwrap();
        for parameter in parameters.iter().filter(|parameter| parameter["in"] == "query") {
            let (name, schema) = (parameter["name"].as_str().unwrap(), &parameter["schema"]);
            if schema["type"] != "integer" {
                assert_eq!(schema["type"], "string", "{id} {name}");
                continue;
            }
            let path = paths.iter().find(|(name, _)| *name == id).unwrap().1;
            let status = async |value: &str| {
                let path = format!("{path}?{name}={value}");
                let answer = if id == "put_documents" {
                    // They are about a file.
                    sidecar.send(&method, &format!("{path}&id=x"), &[("content-type", "text/markdown")], "text").await
                } else {
                    sidecar.ask(&method, &path, &Value::Null).await
                };
                (answer.status, answer.text())
            };
            numbers += 1;
            let (least, most) = (schema["minimum"].as_u64().unwrap(), schema["maximum"].as_u64().unwrap());
            for good in [least, most] {
                assert_eq!(status(&good.to_string()).await.0, 200, "{id} {name} {good}");
            }
            for bad in [(least - 1).to_string(), (most + 1).to_string(), "x".to_owned(), "1.5".to_owned()] {
                let (status, told) = status(&bad).await;
                assert!(status == 400 && told.contains(&format!("\"message\":\"{name}: ")), "{id} {name}: {told}");
            }
        }
    }
    assert_eq!(numbers, 4);
}

/// Those that have no answer are answered so, and the document knows it.
#[tokio::test]
async fn what_is_only_taken_is_202() {
    let sidecar = Sidecar::start("");
    let document = sidecar.good("GET", "/openapi.json", &Value::Null).await;
    let knows: Vec<String> = operations(&document)
        .into_iter()
        .filter_map(|(id, (_, about))| about["responses"].get("202").map(|_| id))
        .collect();
    assert_eq!(knows, ["mcp"]);
    let told = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
    let accept = [("accept", "application/json, text/event-stream"), ("content-type", "application/json")];
    assert_eq!(sidecar.send("POST", "/mcp", &accept, told).await.status, 202);
}

#[tokio::test]
async fn what_it_says_about_answers_is_not_nothing() {
    let sidecar = Sidecar::start("");
    let document = sidecar.good("GET", "/openapi.json", &Value::Null).await;
    for (id, (_, about)) in operations(&document) {
        if id == "mcp" || id == "openapi" {
            continue;
        }
        let gives = &about["responses"]["200"]["content"]["application/json"]["schema"];
        let validator = validator(&document, gives);
        assert!(
            !validator.is_valid(&json!({"surplus": 1})) && !validator.is_valid(&json!({})),
            "{id} may answer anything"
        );
        assert!(!about["summary"].as_str().unwrap().is_empty());
    }
    assert_eq!(document["openapi"], "3.1.0");
}
