//! The Model Context Protocol: by hand, and by the official client, which `MCP_PYTHON` or `.ci/run` brings.

use std::{path::PathBuf, process::Command, time::Duration};

use e2e::process::{Process, bin_dir};
use serde_json::{Value, json};

use crate::{Sidecar, library};

const ABSENT: &str =
    "MCP_PYTHON names no Python with the package mcp (python3 -m venv target/mcp; target/mcp/bin/pip install mcp)";

const ACCEPT: [(&str, &str); 2] =
    [("accept", "application/json, text/event-stream"), ("content-type", "application/json")];

async fn rpc(sidecar: &Sidecar, method: &str, params: Value) -> Value {
    let message = json!({"jsonrpc": "2.0", "id": 7, "method": method, "params": params});
    let answer = sidecar.send("POST", "/mcp", &ACCEPT, message.to_string()).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

async fn call(sidecar: &Sidecar, name: &str, arguments: Value) -> Value {
    rpc(sidecar, "tools/call", json!({"name": name, "arguments": arguments})).await
}

#[tokio::test]
async fn what_is_found_is_what_the_endpoint_finds() {
    let sidecar = Sidecar::start("");
    sidecar.put(&library()).await;
    let ours = sidecar.good("POST", "/v1/retrieve", &json!({"query": "cats asleep"})).await;
    let theirs = call(&sidecar, "context-find", json!({"query": "cats asleep"})).await;
    let found = &theirs["result"]["structuredContent"]["results"];
    assert_eq!(found, &ours["results"], "{theirs}");
    let text = theirs["result"]["content"][0]["text"].as_str().unwrap();
    assert!(text.contains("Cats sleep for most of the day.") && text.contains("They are data"), "{text}");
    let nothing = call(&sidecar, "context-find", json!({"query": "zebra"})).await;
    assert_eq!(nothing["result"]["content"][0]["text"], "Nothing was found.");
}

#[tokio::test]
async fn a_model_is_told_what_it_does_wrong() {
    let sidecar = Sidecar::start("");
    sidecar.put(&library()).await;
    for (arguments, says) in [
        (json!({}), "query: It is missing."),
        (json!({"query": " "}), "query: It is blank"),
        (json!({"query": "a", "top_k": 0}), "top_k: It must be from 1 to 1000."),
        (json!({"query": "a", "collection": "nowhere"}), "collection"),
        (json!({"query": "a", "tenant": "globex"}), "tenant: There is no such field"),
        (json!({"query": "a", "filter": {"type": "eq"}}), "filter.key"),
    ] {
        let answer = call(&sidecar, "context-find", arguments.clone()).await;
        assert_eq!(answer["result"]["isError"], true, "{arguments}: {answer}");
        let text = answer["result"]["content"][0]["text"].as_str().unwrap();
        assert!(text.contains(says), "{arguments}: {text}");
    }
    // It may not store, and is not told that it could.
    let tools = rpc(&sidecar, "tools/list", json!({})).await;
    assert_eq!(tools["result"]["tools"].as_array().unwrap().len(), 1);
    assert!(call(&sidecar, "context-store", json!({"text": "x"})).await["error"].is_object());
}

/// To say that nothing was found would be a lie.
#[tokio::test]
async fn where_nothing_fits_it_is_not_said_that_nothing_was_found() {
    let sidecar = Sidecar::start("");
    sidecar.put(&library()).await;
    let text = async |arguments: Value| {
        let found = call(&sidecar, "context-find", arguments).await;
        found["result"]["content"][0]["text"].as_str().unwrap().to_owned()
    };
    let little = text(json!({"query": "cats", "max_tokens": 5})).await;
    assert!(little.starts_with("Found: 1. ") && little.contains("max_tokens"), "{little}");
    assert_eq!(text(json!({"query": "zeppelins", "max_tokens": 5})).await, "Nothing was found.");
}

#[tokio::test]
async fn a_web_page_is_refused() {
    let sidecar = Sidecar::start("");
    let message = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}).to_string();
    let headers: Vec<_> = ACCEPT.into_iter().chain([("origin", "http://evil.example")]).collect();
    let page = sidecar.send("POST", "/mcp", &headers, message.clone()).await;
    assert_eq!((page.status, &page.json()["error"]["type"]), (403, &json!("permission_error")), "{}", page.text());
    let other = sidecar.send("POST", "/mcp", &[], message).await;
    assert!(other.status == 406 && other.json()["error"]["message"].is_string(), "{}", other.text());
    assert_eq!(sidecar.send("GET", "/mcp", &ACCEPT, "").await.status, 405);
}

#[tokio::test]
async fn what_is_no_message_gets_an_error_of_the_protocol() {
    let sidecar = Sidecar::start("");
    let list = |jsonrpc: &str| json!({"jsonrpc": jsonrpc, "id": 3, "method": "tools/list"});
    for (body, code, id) in [
        ("garbage".to_owned(), -32700, Value::Null),
        (String::new(), -32700, Value::Null),
        ("{\"jsonrpc\": \"2.0\"".to_owned(), -32700, Value::Null),
        (json!([list("2.0"), list("2.0")]).to_string(), -32600, Value::Null),
        ("[]".to_owned(), -32600, Value::Null),
        ("7".to_owned(), -32600, Value::Null),
        ("{}".to_owned(), -32600, Value::Null),
        (list("1.0").to_string(), -32600, json!(3)),
        (json!({"id": "a", "method": "tools/list"}).to_string(), -32600, json!("a")),
        (json!({"jsonrpc": "2.0", "id": 3, "method": 7}).to_string(), -32600, json!(3)),
    ] {
        let answer = sidecar.send("POST", "/mcp", &ACCEPT, body.clone()).await;
        let error = answer.json();
        assert_eq!((answer.status, &error["jsonrpc"], &error["id"]), (400, &json!("2.0"), &id), "{body}: {error}");
        assert_eq!(error["error"]["code"], code, "{body}: {error}");
        assert!(error["error"]["message"].as_str().unwrap().ends_with('.'), "{error}");
    }
    // A method that there is not, and arguments that are none, are answered by the protocol's own numbers.
    let unknown = json!({"jsonrpc": "2.0", "id": 4, "method": "tools/forget"}).to_string();
    let unknown = sidecar.send("POST", "/mcp", &ACCEPT, unknown).await.json();
    assert_eq!((&unknown["id"], &unknown["error"]["code"]), (&json!(4), &json!(-32601)), "{unknown}");
    let strange = json!({"jsonrpc": "2.0", "id": 5, "method": "tools/call", "params": [1]}).to_string();
    let strange = sidecar.send("POST", "/mcp", &ACCEPT, strange).await.json();
    assert!(strange["error"]["code"].as_i64().is_some_and(|code| (-32700..=-32600).contains(&code)), "{strange}");
    // A version of the protocol that nobody knows: of a request it is refused, in the first message another is offered.
    let headers: Vec<_> = ACCEPT.into_iter().chain([("mcp-protocol-version", "1999-01-01")]).collect();
    let old = sidecar.send("POST", "/mcp", &headers, list("2.0").to_string()).await;
    assert_eq!((old.status, &old.json()["jsonrpc"]), (400, &json!("2.0")), "{}", old.text());
    assert!(old.json()["error"]["code"].is_i64(), "{}", old.text());
    let hello =
        json!({"protocolVersion": "1999-01-01", "capabilities": {}, "clientInfo": {"name": "a", "version": "1"}});
    let hello = rpc(&sidecar, "initialize", hello).await;
    assert!(hello["result"]["protocolVersion"].as_str().is_some_and(|version| version > "2024"), "{hello}");
    // A notification has no answer.
    let told = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
    let told = sidecar.send("POST", "/mcp", &ACCEPT, told).await;
    assert_eq!((told.status, told.text().as_str()), (202, ""));
}

fn python() -> Option<PathBuf> {
    #[allow(clippy::disallowed_methods, reason = "a test has no main that would pass the environment on")]
    let named = std::env::var_os("MCP_PYTHON").map(PathBuf::from);
    let beside = || Some(bin_dir().ok()?.parent()?.join("mcp/bin/python"));
    named.or_else(beside).filter(|path| path.exists())
}

#[tokio::test]
async fn the_official_client_finds_and_stores() {
    let Some(python) = python() else { e2e::skip!("{ABSENT}") };
    let sidecar = Sidecar::prepared("mcp: { store: true }\n", &[("CONTEXT_TOKEN_FILE", "{folder}/token")], |folder| {
        std::fs::write(folder.join("token"), "right").unwrap();
    });
    let calls = json!([
        ["context-store", {"text": "Minka is a grey cat.", "id": "minka", "title": "Minka", "metadata": {"kind": "pet"}}],
        ["context-store", {"text": "Minka is a grey cat.", "id": "minka", "title": "Minka", "metadata": {"kind": "pet"}}],
        ["context-store", {"text": "A text without a name."}],
        ["context-find", {"query": "Who is Minka?", "filter": {"type": "eq", "key": "kind", "value": "pet"}}],
        ["context-find", {"query": "x", "top_k": 0}],
    ]);
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/mcp_client.py");
    let url = format!("http://{}/mcp", sidecar.address);
    for (mode, tenant) in [("auto", "acme"), ("legacy", "globex")] {
        let headers = json!({"x-tenant-id": tenant, "authorization": "Bearer right"});
        let mut command = Command::new(&python);
        command.arg(script).args([&url, &headers.to_string(), &calls.to_string(), mode]);
        let mut client = Process::start(&mut command).unwrap();
        let ended = client.wait(Duration::from_secs(60)).await.unwrap();
        assert!(ended.success(), "{mode}: {}", client.stderr.text());
        let lines: Vec<Value> = client.stdout.lines().iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines[0]["server"], "context-sidecar", "{mode}");
        assert_eq!(lines[0]["tools"], json!(["context-find", "context-store"]), "{mode}");
        let texts: Vec<&str> = lines[1..].iter().map(|line| line["text"].as_str().unwrap()).collect();
        assert_eq!(texts[0], "Stored: minka", "{mode}: {lines:?}");
        assert_eq!(texts[1], "It was there already: minka");
        assert!(texts[2].starts_with("Stored: text-"), "{}", texts[2]);
        assert!(texts[3].contains("Minka is a grey cat."), "{}", texts[3]);
        assert_eq!(lines[4]["structured"]["results"][0]["document_id"], "minka");
        assert_eq!((&lines[5]["error"], texts[4]), (&json!(true), "top_k: It must be from 1 to 1000."));
    }
    // Each has stored its own.
    let acme = [("x-tenant-id", "acme"), ("authorization", "Bearer right")];
    let page = sidecar.send("GET", "/v1/documents", &acme, "").await.json();
    assert_eq!(page["documents"].as_array().unwrap().len(), 2);
    let without = sidecar.send("POST", "/mcp", &ACCEPT, r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#).await;
    assert_eq!(without.status, 403);
}
