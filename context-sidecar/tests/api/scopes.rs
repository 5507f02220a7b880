//! Whose a request is, on every route: nobody's is refused, and what is another one's is not there.

use serde_json::{Value, json};

use crate::{Sidecar, library};

/// A request to each route that is somebody's, as it would be good.
pub(crate) fn requests() -> Vec<(&'static str, &'static str, Value)> {
    let rpc = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": {"name": "context-find", "arguments": {"query": "cats"}}});
    vec![
        ("POST", "/v1/retrieve", json!({"query": "cats"})),
        ("POST", "/v1/context", json!({"messages": [{"role": "user", "content": "cats"}]})),
        ("PUT", "/v1/documents", json!({"documents": library()})),
        ("GET", "/v1/documents", Value::Null),
        ("GET", "/v1/collections", Value::Null),
        ("GET", "/v1/documents/cats", Value::Null),
        ("DELETE", "/v1/documents", json!({"ids": ["cats"]})),
        ("DELETE", "/v1/documents/cats", Value::Null),
        ("POST", "/v1/conversations/talk/messages", json!({"messages": [{"role": "user", "content": "cats"}]})),
        ("GET", "/v1/conversations/talk/context", Value::Null),
        ("GET", "/v1/conversations", Value::Null),
        ("DELETE", "/v1/conversations/talk", Value::Null),
        ("POST", "/v1/vector_stores/default/search", json!({"query": "cats"})),
        ("POST", "/mcp", rpc),
    ]
}

/// With the headers that MCP wants.
pub(crate) fn headers<'h>(more: &[(&'h str, &'h str)]) -> Vec<(&'h str, &'h str)> {
    let accept = [("accept", "application/json, text/event-stream"), ("content-type", "application/json")];
    accept.into_iter().chain(more.iter().copied()).collect()
}

pub(crate) fn with_token() -> Sidecar {
    Sidecar::prepared("", &[("CONTEXT_TOKEN_FILE", "{folder}/token")], |folder| {
        std::fs::write(folder.join("token"), "right").unwrap();
    })
}

/// A table that lacks a route proves nothing about it.
#[tokio::test]
async fn the_table_has_every_route() {
    let sidecar = Sidecar::start("");
    let document = sidecar.good("GET", "/openapi.json", &Value::Null).await;
    let mut served: Vec<(String, String)> = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys() {
            served.push((method.to_uppercase(), path.clone()));
        }
    }
    let fits = |pattern: &str, path: &str| {
        let (pattern, path): (Vec<_>, Vec<_>) = (pattern.split('/').collect(), path.split('/').collect());
        pattern.len() == path.len() && pattern.iter().zip(&path).all(|(p, s)| p.starts_with('{') || p == s)
    };
    for (method, pattern) in &served {
        let known = requests().iter().any(|(m, path, _)| m == method && fits(pattern, path));
        assert!(known || pattern == "/openapi.json", "{method} {pattern}");
    }
    assert_eq!(served.len(), requests().len() + 1);
}

#[tokio::test]
async fn nobodys_requests_are_refused_on_every_route() {
    let (nobody, many) = (Sidecar::with("", &[]), with_token());
    let one = Sidecar::start("");
    let (acme, right, wrong) =
        (("x-tenant-id", "acme"), ("authorization", "Bearer right"), ("authorization", "Bearer wrong"));
    let globex = ("x-tenant-id", "globex");
    for (method, path, body) in requests() {
        // Whatever a body or a query says about a tenant, it is not heard.
        let mut claims = body.clone();
        for key in ["tenant", "x-tenant-id"] {
            claims.as_object_mut().into_iter().for_each(|fields| _ = fields.insert(key.to_owned(), json!("acme")));
        }
        let claimed = format!("{path}?tenant=acme&x-tenant-id=acme");
        for (path, body) in [(path.to_owned(), body), (claimed, claims)] {
            for (sidecar, given) in [
                (&nobody, vec![]),
                (&nobody, vec![acme]),
                (&nobody, vec![acme, right]),
                (&many, vec![]),
                (&many, vec![acme]),
                (&many, vec![right]),
                (&many, vec![acme, wrong]),
                (&many, vec![acme, globex, right]),
                (&many, vec![("x-tenant-id", " "), right]),
                (&one, vec![globex]),
                (&one, vec![globex, right]),
            ] {
                let answer = sidecar.send(method, &path, &headers(&given), body.to_string()).await;
                assert_eq!(answer.status, 403, "{method} {path} {given:?}: {}", answer.text());
                assert_eq!(answer.json()["error"]["param"], "x-tenant-id");
            }
        }
    }
}

#[tokio::test]
async fn what_is_another_ones_is_not_there() {
    let sidecar = with_token();
    let proof = ("authorization", "Bearer right");
    let (acme, globex) = (headers(&[("x-tenant-id", "acme"), proof]), headers(&[("x-tenant-id", "globex"), proof]));
    let put = |documents: Value| json!({"documents": documents}).to_string();
    let good = sidecar.send("PUT", "/v1/documents", &acme, put(library())).await;
    assert_eq!(good.json()["created"], 3, "{}", good.text());
    // The collection is there for both; what is in it is not.
    let other = json!([{"id": "cats", "text": "The budget of Globex for cats."}]);
    assert_eq!(sidecar.send("PUT", "/v1/documents", &globex, put(other)).await.json()["created"], 1);
    let said = json!({"messages": [{"role": "user", "content": "Do cats sleep?"}]}).to_string();
    assert_eq!(sidecar.send("POST", "/v1/conversations/talk/messages", &acme, said).await.status, 200);

    // Twice, so that nothing comes out of a cache either.
    for _ in 0..2 {
        for (method, path, body) in requests() {
            if method == "DELETE" || method == "PUT" || path.ends_with("/messages") {
                continue;
            }
            let body = if body.is_null() { String::new() } else { body.to_string() };
            let ours = sidecar.send(method, path, &acme, body.clone()).await;
            let theirs = sidecar.send(method, path, &globex, body).await;
            assert!(ours.status == 200 && (theirs.status == 200 || theirs.status == 404), "{method} {path}");
            assert!(!ours.text().contains("Globex"), "{method} {path}: {}", ours.text());
            for secret in ["Cats sleep", "Dogs", "dogs", "fish/1", "Do cats sleep", "talk"] {
                assert!(!theirs.text().contains(secret), "{method} {path}: {}", theirs.text());
            }
        }
    }
    // Nor can it be removed.
    for (method, path, body) in requests() {
        if method == "DELETE" {
            sidecar.send(method, path, &globex, if body.is_null() { String::new() } else { body.to_string() }).await;
        }
    }
    sidecar.send("DELETE", "/v1/documents", &globex, r#"{"all":true}"#).await;
    assert_eq!(
        sidecar.send("GET", "/v1/documents/cats", &acme, "").await.json()["text"],
        "Cats sleep for most of the day."
    );
    assert_eq!(sidecar.send("GET", "/v1/conversations/talk/context", &acme, "").await.json()["of"], 1);
}
