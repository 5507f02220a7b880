//! The binary: how it starts, is asked, and ends; and what its commands do with a sidecar that runs, or with none.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod documentation;
mod ingest;
mod resume;
#[path = "../clients/server.rs"]
#[allow(dead_code, reason = "others ask for more of it")]
mod server;

use std::{
    fs,
    net::SocketAddr,
    path::Path,
    process::{Command, Output},
    time::Duration,
};

use e2e::{harness::free_port, process::Process};
use serde_json::{Value, json};

/// Longer than anything takes that works.
const PATIENCE: Duration = Duration::from_secs(30);

/// A command with these variables and no others. Without a name it must not find a sidecar of somebody else's.
fn command(variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_context-sidecar"));
    command.env_clear().envs(variables.iter().copied());
    command
}

fn done(command: &mut Command) -> (i32, String, String) {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}

struct Running {
    process: Process,
    data: SocketAddr,
    admin: SocketAddr,
}

impl Running {
    async fn start(folder: &Path, more: &[(&str, &str)]) -> Self {
        let (data, admin) = (free_port(), free_port());
        let directory = folder.join("data");
        let (listen, probes) = (data.to_string(), admin.to_string());
        let variables = [
            ("CONTEXT_LISTEN", listen.as_str()),
            ("CONTEXT_ADMIN_LISTEN", &probes),
            ("CONTEXT_DATA_DIR", directory.to_str().unwrap()),
            ("CONTEXT_TENANT", "acme"),
        ];
        let process = Process::start(command(&variables).envs(more.iter().copied())).unwrap();
        let running = Self { process, data, admin };
        let ready = async {
            while !matches!(e2e::http::get(admin, "/health/ready").await, Ok(answer) if answer.status == 200) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let waited = tokio::time::timeout(PATIENCE, ready).await;
        assert!(waited.is_ok(), "not ready:\n{}", running.process.stderr.text());
        running
    }

    fn url(&self) -> String {
        format!("http://{}", self.data)
    }
}

fn library(folder: &Path) {
    fs::create_dir(folder.join("docs")).unwrap();
    fs::write(folder.join("docs/cats.md"), "# Cats\n\nCats sleep all day.").unwrap();
    fs::write(folder.join("docs/dogs.html"), "<title>Dogs</title><p>Dogs bark.").unwrap();
    fs::write(folder.join("docs/more.jsonl"), "{\"id\": \"fish\", \"text\": \"Fish swim.\"}\n").unwrap();
}

#[tokio::test]
async fn it_serves_says_how_it_is_and_ends_when_asked() {
    let folder = tempfile::tempdir().unwrap();
    let mut running = Running::start(folder.path(), &[("RUST_LOG", "trace")]).await;
    let ready = e2e::http::get(running.admin, "/ready").await.unwrap().json();
    assert_eq!((&ready["status"], &ready["model"]), (&json!("ready"), &Value::Null));
    assert!(ready["store"].as_str().unwrap().starts_with("embedded "), "{ready}");
    assert_eq!(e2e::http::get(running.admin, "/health/startup").await.unwrap().status, 200);
    let admin = running.admin.to_string();
    let (code, said, _) = done(command(&[("CONTEXT_ADMIN_LISTEN", &admin)]).args(["healthcheck", "live"]));
    assert_eq!((code, said.trim()), (0, format!("{admin}/health/live: ok").as_str()));
    // However much is logged, nothing of what anybody asks or has is in it.
    let message = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": {"name": "context-find", "arguments": {"query": "canary-question"}}});
    let put = json!({"documents": [{"id": "1", "text": "canary-document", "title": "canary-title"}]});
    for (method, path, body) in [
        ("PUT", "/v1/documents", put.clone()),
        ("POST", "/v1/retrieve", json!({"query": "canary-question", "rerank": true})),
        ("POST", "/v1/retrieve", json!({"query": 7, "canary-question": 1})),
        ("POST", "/mcp", message),
    ] {
        let request = http::Request::builder().method(method).uri(path).header("host", "a");
        let request =
            request.header("accept", "application/json, text/event-stream").header("content-type", "application/json");
        let request = request.body(http_body_util::Full::new(body.to_string().into())).unwrap();
        let answer = e2e::http::whole(e2e::http::send(running.data, request).await.unwrap()).await.unwrap();
        assert!(answer.status < 500, "{}", answer.text());
    }
    let metrics = e2e::http::get(running.admin, "/metrics").await.unwrap().text();
    assert!(metrics.contains("context_requests_total{route=\"mcp\",status=\"200\"} 1"), "{metrics}");
    running.process.terminate();
    assert_eq!(running.process.wait(PATIENCE).await.unwrap().code(), Some(0));
    let log = running.process.stderr.text();
    assert!(log.contains("\"serving\"") && log.contains("\"ended\""), "{log}");
    assert!(!log.contains("canary") && !metrics.contains("canary"), "{log}");
}

#[tokio::test]
async fn without_a_store_it_lives_and_is_not_ready() {
    let (data, admin) = (free_port().to_string(), free_port());
    let (probes, qdrant) = (admin.to_string(), format!("http://{}", free_port()));
    let variables = [
        ("CONTEXT_LISTEN", data.as_str()),
        ("CONTEXT_ADMIN_LISTEN", &probes),
        ("QDRANT_URL", &qdrant),
        ("CONTEXT_TENANT", "acme"),
    ];
    let mut process = Process::start(&mut command(&variables)).unwrap();
    let looked = async {
        loop {
            if let Ok(answer) = e2e::http::get(admin, "/health/ready").await
                && answer.text().contains("qdrant")
                && !answer.text().contains("starting")
            {
                break answer;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let ready = tokio::time::timeout(PATIENCE, looked).await.unwrap();
    assert!(ready.status == 503 && ready.json()["reason"].is_string(), "{}", ready.text());
    assert_eq!(e2e::http::get(admin, "/health/live").await.unwrap().status, 200);
    process.terminate();
    assert_eq!(process.wait(PATIENCE).await.unwrap().code(), Some(0));
}

#[tokio::test]
async fn files_are_ingested_into_the_one_that_runs_and_found_there() {
    let folder = tempfile::tempdir().unwrap();
    library(folder.path());
    let docs = folder.path().join("docs");
    let running = Running::start(folder.path(), &[]).await;
    let url = running.url();
    let asks = || command(&[("CONTEXT_SERVICE_URL", &url)]);
    let (code, said, complained) = done(asks().arg("ingest").arg(&docs));
    assert_eq!((code, complained.as_str()), (0, ""), "{said}");
    assert_eq!(said.trim(), "3 files: 3 documents created, 0 replaced, 0 unchanged, 0 failed");
    // Again, with one that has changed, one that is none, and one that nobody reads.
    fs::write(docs.join("cats.md"), "# Cats\n\nCats sleep all night.").unwrap();
    fs::write(docs.join("none.txt"), b"\0").unwrap();
    fs::write(docs.join("image.png"), b"\0").unwrap();
    let (code, said, complained) = done(asks().arg("ingest").arg(&docs));
    assert_eq!(code, 65);
    assert_eq!(
        said.trim(),
        "4 files: 0 documents created, 1 replaced, 2 unchanged, 1 failed\nleft out: 1 .png (image.png)\nmend what is told \
         above, and run it again: what is in is not embedded again"
    );
    assert_eq!(complained.trim(), "none.txt: is binary, whatever its name says");
    let (code, said, _) = done(asks().args(["query", "do cats sleep?"]));
    assert!(code == 0 && said.starts_with("[1] Cats (cats.md, 0-29)") && said.contains("all night"), "{said}");
    let (code, said, _) = done(asks().args(["query", "zebra"]));
    assert!(code == 1 && said.starts_with("Nothing was found."), "{said}");
    let (code, said, _) = done(asks().args(["query", "cats", "--json", "--top-k", "1"]));
    let answer: Value = serde_json::from_str(&said).unwrap();
    assert!(code == 0 && answer["results"][0]["document_id"] == "cats.md");
    let (code, _, complained) = done(asks().args(["query", "cats", "--collection", "nowhere"]));
    assert!(code == 65 && complained.contains("there is no collection `nowhere`"), "{complained}");
    let (code, _, complained) = done(asks().env("CONTEXT_TENANT", "globex").args(["query", "cats"]));
    assert!(code == 77 && complained.contains("CONTEXT_TENANT"), "{complained}");
}

#[tokio::test]
async fn what_is_too_large_for_the_sidecar_is_left_out_alone() {
    let folder = tempfile::tempdir().unwrap();
    library(folder.path());
    let config = folder.path().join("config.yaml");
    fs::write(&config, "limits: { max_body: 2KiB }\n").unwrap();
    fs::write(folder.path().join("docs/large.txt"), "word ".repeat(1_000)).unwrap();
    let running = Running::start(folder.path(), &[("CONTEXT_CONFIG", config.to_str().unwrap())]).await;
    let url = running.url();
    let asked =
        command(&[("CONTEXT_SERVICE_URL", &url)]).arg("ingest").arg(folder.path().join("docs")).output().unwrap();
    let (said, complained) = (String::from_utf8(asked.stdout).unwrap(), String::from_utf8(asked.stderr).unwrap());
    assert!(said.starts_with("4 files: 3 documents created, 0 replaced, 0 unchanged, 1 failed"), "{complained}");
    assert!(complained.starts_with("large.txt: ") && complained.contains("limits.max_body"), "{complained}");
    assert_eq!(asked.status.code(), Some(65));
}

#[test]
fn where_none_runs_the_command_is_one() {
    if std::net::TcpStream::connect("127.0.0.1:9090").is_ok() {
        e2e::skip!("somebody listens on port 9090");
    }
    let folder = tempfile::tempdir().unwrap();
    library(folder.path());
    let (docs, data) = (folder.path().join("docs"), folder.path().join("data"));
    let alone = || command(&[("CONTEXT_TENANT", "acme"), ("CONTEXT_DATA_DIR", data.to_str().unwrap())]);
    let (code, said, complained) = done(alone().arg("ingest").arg(&docs));
    assert!(code == 0 && said.starts_with("3 files: 3 documents created"), "{said} {complained}");
    assert!(complained.contains("opening embedded "), "{complained}");
    let (code, said, _) = done(alone().arg("ingest").arg(&docs));
    assert!(code == 0 && said.contains("3 unchanged"), "{said}");
    // What is closed over HTTP is not closed to whoever opens the store.
    let config = folder.path().join("context.yaml");
    fs::write(&config, "ingest: { allow_write: false }\n").unwrap();
    fs::write(docs.join("new.md"), "Owls hoot.").unwrap();
    let (code, said, _) = done(alone().env("CONTEXT_CONFIG", &config).arg("ingest").arg(&docs));
    assert!(code == 0 && said.contains("1 documents created"), "{said}");
    let (code, said, _) = done(alone().args(["query", "who barks?"]));
    assert!(code == 0 && said.starts_with("[1] Dogs (dogs.html, "), "{said}");
    let (code, _, complained) = done(command(&[]).args(["query", "x"]));
    assert!(code == 69 && complained.contains("CONTEXT_DATA_DIR"), "{complained}");
}

#[test]
fn what_a_command_cannot_do_it_says_by_its_exit_code() {
    let (code, said, _) = done(command(&[("CONTEXT_TENANT", "a"), ("CONTEXT_DATA_DIR", "/d")]).arg("check"));
    assert!(code == 0 && said.contains("store: embedded, in /d") && said.contains("search by words only"), "{said}");
    let (code, _, complained) = done(command(&[("CONTEXT_TENANT", "a b")]).arg("check"));
    assert!(code == 78 && complained.lines().count() == 2, "{complained}");
    assert_eq!(done(&mut command(&[])).0, 78);
    let (code, schema, _) = done(command(&[]).arg("schema"));
    assert!(code == 0 && serde_json::from_str::<Value>(&schema).unwrap()["properties"]["store"].is_object());
    assert_eq!(done(command(&[]).arg("nonsense")).0, 64);
    let (code, _, complained) = done(command(&[]).args(["ingest", "/no/such/directory"]));
    assert!(code == 64 && complained.contains("no such file or directory"), "{complained}");
    let nobody = format!("http://{}", free_port());
    let (code, _, complained) = done(command(&[("CONTEXT_SERVICE_URL", &nobody)]).args(["query", "x"]));
    assert!(code == 69 && complained.contains("no sidecar runs there"), "{complained}");
    let (code, _, complained) = done(command(&[("CONTEXT_SERVICE_URL", "nonsense")]).args(["query", "x"]));
    assert!(code == 78 && complained.starts_with("CONTEXT_SERVICE_URL: "), "{complained}");
    // A store that is none.
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "x").unwrap();
    let probes = free_port().to_string();
    let listen = free_port().to_string();
    let variables = [
        ("CONTEXT_TENANT", "a"),
        ("CONTEXT_DATA_DIR", file.to_str().unwrap()),
        ("CONTEXT_LISTEN", &listen),
        ("CONTEXT_ADMIN_LISTEN", &probes),
    ];
    assert_eq!(done(&mut command(&variables)).0, 69);
}
