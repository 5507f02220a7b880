//! Qdrant down, slow, wrong, restarted, its collection dropped: what the whole sidecar answers then, and that it goes on by
//! itself afterwards.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener},
    time::Duration,
};

use e2e::{harness::free_port, http::Answer};
use serde_json::{Value, json};

use crate::{Sidecar, ids, library, support::StandIn};

const ABSENT: &str = "there is no Python with qdrant-client, or no ../shared/retrieval/fake_qdrant.py";

/// A sidecar that has a Qdrant, and that Qdrant.
struct Rig {
    qdrant: Option<StandIn>,
    address: SocketAddr,
    folder: tempfile::TempDir,
    sidecar: Sidecar,
}

impl Rig {
    fn start() -> Option<Self> {
        let (address, folder) = (free_port(), tempfile::tempdir().unwrap());
        let url = format!("http://{address}");
        let sidecar = Sidecar::with("", &[("CONTEXT_TENANT", "acme"), ("QDRANT_URL", &url)]);
        let mut rig = Self { qdrant: None, address, folder, sidecar };
        rig.up().then_some(rig)
    }

    fn up(&mut self) -> bool {
        self.qdrant = StandIn::start(self.address, &["--path", self.folder.path().to_str().unwrap()]);
        self.qdrant.is_some()
    }

    /// Asks what was not asked before, so that nothing is remembered of it.
    async fn ask(&self, query: &str) -> Answer {
        self.sidecar.ask("POST", "/v1/retrieve", &json!({"query": query})).await
    }

    async fn qdrant(&self, method: &str, path: &str, body: &Value) {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let request = http::Request::builder().method(method).uri(path).header("host", "qdrant");
        let request = request.body(http_body_util::Full::new(body.into())).unwrap();
        assert_eq!(e2e::http::send(self.address, request).await.unwrap().status(), 200);
    }

    /// Until it is found again: a store that has failed is left alone for a while.
    async fn recovers(&self) {
        let recovered = async {
            for round in 0.. {
                let answer = self.ask(&format!("cats {round}")).await;
                if answer.status == 200 && answer.json()["cache"] == "miss" {
                    assert_eq!(ids(&answer.json()), ["cats"]);
                    return;
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), recovered).await.unwrap();
    }
}

#[tokio::test]
async fn down_and_restarted() {
    let Some(mut rig) = Rig::start() else { e2e::skip!("{ABSENT}") };
    rig.sidecar.put(&library()).await;
    assert_eq!(ids(&rig.ask("cats").await.json()), ["cats"]);
    rig.qdrant = None;
    // What was answered stands for an hour only where the store is asked in vain: a write makes it be asked.
    let put = rig.sidecar.ask("PUT", "/v1/documents", &json!({"documents": [{"id": "x", "text": "x"}]})).await;
    let failed = put.status >= 500 || put.json()["failed"] == 1;
    assert!(failed, "{}", put.text());
    let unknown = rig.ask("dogs").await;
    assert_eq!((unknown.status, &unknown.json()["error"]["type"]), (503, &json!("unavailable_error")));
    assert!(unknown.text().contains("qdrant"), "{}", unknown.text());
    assert_eq!(rig.sidecar.ask("GET", "/v1/documents/cats", &Value::Null).await.status, 503);
    assert!(rig.up());
    rig.recovers().await;
    rig.sidecar.put(&json!([{"id": "x", "text": "Zebras."}])).await;
    assert_eq!(ids(&rig.ask("zebras").await.json()), ["x"]);
    // Between two requests: the connection that was kept is gone, and nobody notices.
    rig.qdrant = None;
    assert!(rig.up());
    assert_eq!(ids(&rig.ask("zebras, again").await.json()), ["x"]);
}

#[tokio::test]
async fn slow() {
    let Some(rig) = Rig::start() else { e2e::skip!("{ABSENT}") };
    rig.sidecar.put(&library()).await;
    rig.qdrant("POST", "/_fault", &json!({"delay_ms": 3_000, "times": -1})).await;
    let body = json!({"query": "cats", "timeout_ms": 200});
    let late = rig.sidecar.ask("POST", "/v1/retrieve", &body).await;
    assert_eq!((late.status, &late.json()["error"]["type"]), (504, &json!("timeout_error")), "{}", late.text());
    rig.qdrant("POST", "/_fault", &json!({})).await;
    rig.recovers().await;
}

/// Something else listens where Qdrant was: a proxy's login page.
#[tokio::test]
async fn wrong() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let mut stream = stream;
            let _ = stream.read(&mut [0; 65_536]);
            let page = "<!doctype html><title>Sign in</title>";
            let head = format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{page}", page.len());
            let _ = stream.write_all(head.as_bytes());
        }
    });
    let sidecar = Sidecar::with("", &[("CONTEXT_TENANT", "acme"), ("QDRANT_URL", &url)]);
    let put = json!({"documents": library()});
    for (method, path, body) in [
        ("POST", "/v1/retrieve", json!({"query": "cats"})),
        ("PUT", "/v1/documents", put),
        ("GET", "/v1/documents", Value::Null),
        ("GET", "/v1/documents/cats", Value::Null),
    ] {
        let answer = sidecar.ask(method, path, &body).await;
        assert_eq!(answer.status, 503, "{method} {path}: {}", answer.text());
        assert!(answer.text().contains("a web page"), "{}", answer.text());
    }
}

#[tokio::test]
async fn its_collection_dropped() {
    let Some(rig) = Rig::start() else { e2e::skip!("{ABSENT}") };
    rig.sidecar.put(&library()).await;
    let said = json!({"messages": [{"role": "user", "content": "Do cats sleep?"}]});
    rig.sidecar.good("POST", "/v1/conversations/talk/messages", &said).await;
    rig.qdrant("DELETE", "/collections/default", &Value::Null).await;
    rig.qdrant("DELETE", "/collections/context-sidecar.conversations", &Value::Null).await;
    // Between two PUTs: it is made again, at once.
    rig.sidecar.put(&library()).await;
    assert_eq!(ids(&rig.ask("cats").await.json()), ["cats"]);
    rig.sidecar.good("POST", "/v1/conversations/talk/messages", &said).await;
    // What is asked of it is not answered from what it was.
    rig.qdrant("DELETE", "/collections/default", &Value::Null).await;
    assert_eq!(rig.ask("dogs").await.status, 404);
    assert_eq!(rig.ask("cats").await.status, 404);
    assert_eq!(rig.sidecar.ask("GET", "/v1/documents/cats", &Value::Null).await.status, 404);
    rig.sidecar.put(&library()).await;
    assert_eq!(ids(&rig.ask("cats").await.json()), ["cats"]);
}
