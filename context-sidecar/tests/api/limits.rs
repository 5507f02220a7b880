//! Bodies that are too large, requests that are too many, ids, and the end of the process.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::{Sidecar, library};

/// All that comes on a connection.
async fn rest(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let _reset = tokio::time::timeout(Duration::from_secs(20), stream.read_to_end(&mut bytes)).await.unwrap();
    String::from_utf8_lossy(&bytes).into_owned()
}

#[tokio::test]
async fn a_body_that_is_too_large_is_not_read() {
    let sidecar = Sidecar::start("limits: { max_body: 1KiB }\n");
    let body = json!({"query": "x".repeat(2_000)}).to_string();
    let answer = sidecar.send("POST", "/v1/retrieve", &[], body).await;
    assert!(answer.status == 413 && answer.text().contains("limits.max_body"), "{}", answer.text());
    // Nor if nobody has said how long it will be.
    let mut stream = TcpStream::connect(sidecar.address).await.unwrap();
    let head = "POST /v1/retrieve HTTP/1.1\r\nhost: a\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    for _ in 0..4 {
        let _gone = stream.write_all(format!("200\r\n{}\r\n", "x".repeat(0x200)).as_bytes()).await;
    }
    let answer = rest(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    let packed = sidecar.send("POST", "/v1/retrieve", &[("content-encoding", "gzip")], "x").await;
    assert_eq!(packed.status, 400);
}

#[tokio::test]
async fn no_more_than_may_be_are_answered_at_once() {
    // A store that takes its time.
    let store = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", store.local_addr().unwrap());
    let sidecar = Sidecar::with("limits: { max_in_flight: 1 }\n", &[("CONTEXT_TENANT", "acme"), ("QDRANT_URL", &url)]);
    let body = r#"{"query":"cats"}"#;
    let head = format!("POST /v1/retrieve HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n", body.len());
    let mut waiting = TcpStream::connect(sidecar.address).await.unwrap();
    waiting.write_all((head + body).as_bytes()).await.unwrap();
    let (asked, _) = store.accept().await.unwrap();
    let busy = sidecar.ask("POST", "/v1/retrieve", &json!({"query": "cats"})).await;
    assert_eq!(busy.status, 429, "{}", busy.text());
    assert_eq!(busy.header("retry-after"), "1");
    assert_eq!(busy.json()["error"]["type"], "rate_limit_error");
    // What costs nothing is served all the same.
    assert_eq!(sidecar.ask("GET", "/openapi.json", &Value::Null).await.status, 200);
    drop((asked, store));
    loop {
        if sidecar.ask("POST", "/v1/retrieve", &json!({"query": "cats"})).await.status == 503 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A request whose body has begun, and does not go on.
async fn half_sent(sidecar: &Sidecar, length: usize, bytes: usize) -> TcpStream {
    let mut stream = TcpStream::connect(sidecar.address).await.unwrap();
    let head = format!("PUT /v1/documents HTTP/1.1\r\nhost: a\r\ncontent-length: {length}\r\n\r\n");
    stream.write_all(&[head.as_bytes(), &vec![b' '; bytes]].concat()).await.unwrap();
    stream
}

async fn until(sidecar: &Sidecar, series: &str) {
    while !sidecar.metrics.encode().contains(series) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn who_sends_half_a_body_takes_nobodys_place() {
    let sidecar = Sidecar::start("limits: { max_in_flight: 2, body_timeout: 1s }\n");
    sidecar.put(&library()).await;
    let mut waiting = Vec::new();
    for _ in 0..20 {
        waiting.push(half_sent(&sidecar, 1_000, 10).await);
    }
    until(&sidecar, "context_requests_in_flight 20").await;
    sidecar.good("POST", "/v1/retrieve", &json!({"query": "cats"})).await;
    let told = rest(&mut waiting[0]).await;
    assert!(told.starts_with("HTTP/1.1 504 ") && told.contains("limits.body_timeout"), "{told}");
}

#[tokio::test]
async fn all_bodies_together_are_bounded() {
    let sidecar = Sidecar::start("limits: { max_body: 1MiB, max_bodies: 1MiB }\n");
    sidecar.put(&library()).await;
    let large = json!({"documents": [{"id": "large", "text": "word ".repeat(50_000)}]});
    sidecar.good("PUT", "/v1/documents", &large).await;
    let waiting = half_sent(&sidecar, 1 << 20, 900 << 10).await;
    // As soon as that has arrived there is no room for as much again.
    let busy = loop {
        let answer = sidecar.ask("PUT", "/v1/documents", &large).await;
        if answer.status != 200 {
            break answer;
        }
    };
    assert!(busy.status == 429 && busy.text().contains("limits.max_bodies"), "{}", busy.text());
    sidecar.good("POST", "/v1/retrieve", &json!({"query": "cats"})).await;
    drop(waiting);
    while sidecar.ask("PUT", "/v1/documents", &large).await.status != 200 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn an_id_comes_back_if_it_is_one() {
    let sidecar = Sidecar::start("");
    let answer = sidecar.send("GET", "/nowhere", &[("x-request-id", "mine-1")], "").await;
    assert_eq!(answer.header("x-request-id"), "mine-1");
    let answer = sidecar.send("GET", "/nowhere", &[("x-request-id", "not one")], "").await;
    assert!(answer.header("x-request-id").starts_with("req_"));
}

#[tokio::test]
async fn what_is_no_request_is_told_so_in_the_shape_of_all_errors() {
    let sidecar = Sidecar::start("");
    let mut stream = TcpStream::connect(sidecar.address).await.unwrap();
    stream.write_all(b"nonsense\r\n\r\n").await.unwrap();
    let answer = rest(&mut stream).await;
    assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("x-request-id: req_"), "{answer}");
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    let body: Value = serde_json::from_str(body).unwrap();
    assert_eq!(body["error"]["type"], "invalid_request_error");
}

#[tokio::test]
async fn what_has_begun_is_finished_and_what_takes_too_long_is_told() {
    let sidecar = Sidecar::start("");
    sidecar.put(&library()).await;
    let body = br#"{"query":"cats"}"#;
    let head = format!("POST /v1/retrieve HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n", body.len());
    let mut patient = TcpStream::connect(sidecar.address).await.unwrap();
    let mut stuck = TcpStream::connect(sidecar.address).await.unwrap();
    for stream in [&mut patient, &mut stuck] {
        stream.write_all(head.as_bytes()).await.unwrap();
    }
    // Both are being answered.
    while !sidecar.metrics.encode().contains("context_requests_in_flight 2") {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    sidecar.drain.begin();
    patient.write_all(body).await.unwrap();
    assert!(rest(&mut patient).await.starts_with("HTTP/1.1 200 "));
    sidecar.drain.hurry();
    let told = rest(&mut stuck).await;
    assert!(told.starts_with("HTTP/1.1 503 ") && told.contains("being stopped"), "{told}");
}

#[tokio::test]
async fn requests_are_counted_by_what_they_are_for() {
    let sidecar = Sidecar::start("");
    sidecar.put(&library()).await;
    sidecar.good("POST", "/v1/retrieve", &json!({"query": "cats"})).await;
    sidecar.ask("GET", "/nowhere/secret", &Value::Null).await;
    let metrics = sidecar.metrics.encode();
    for series in [
        "context_requests_total{route=\"retrieve\",status=\"200\"} 1",
        "context_requests_total{route=\"put_documents\",status=\"200\"} 1",
        "context_requests_total{route=\"none\",status=\"404\"} 1",
        "context_requests_in_flight 0",
    ] {
        assert!(metrics.contains(series), "{series}\n{metrics}");
    }
    assert!(!metrics.contains("secret"));
    assert!(sidecar.folder.path().join("data").is_dir());
}

#[tokio::test]
async fn a_store_that_is_down_is_no_empty_answer() {
    let nobody = format!("http://{}", e2e::harness::free_port());
    let sidecar = Sidecar::with("", &[("CONTEXT_TENANT", "acme"), ("QDRANT_URL", &nobody)]);
    for (method, path, body) in [
        ("POST", "/v1/retrieve", json!({"query": "cats"})),
        ("POST", "/v1/context", json!({"messages": [{"role": "user", "content": "cats"}]})),
        ("POST", "/v1/vector_stores/default/search", json!({"query": "cats"})),
        ("PUT", "/v1/documents", json!({"documents": library()})),
        ("GET", "/v1/documents", Value::Null),
        ("DELETE", "/v1/documents", json!({"all": true})),
        ("GET", "/v1/conversations/talk/context", Value::Null),
    ] {
        let answer = sidecar.ask(method, path, &body).await;
        assert_eq!(answer.status, 503, "{method} {path}: {}", answer.text());
        assert_eq!(answer.json()["error"]["type"], "unavailable_error");
        assert!(answer.header("retry-after").parse::<u32>().is_ok_and(|seconds| seconds > 0));
    }
}
