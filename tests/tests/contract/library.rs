//! What an agent looks up: what the documents say reaches the model, cited as it stands there, and stays through a crash.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use e2e::agent::Agent;
use e2e::harness::{PATIENCE, Setup, free_port};
use e2e::http;
use e2e::process::{Process, binary, root};
use e2e::provider::Provider;
use hyper::Method;
use serde_json::{Value, json};

use crate::pod::{pod, says};
use crate::support::{MODEL, text_of, two_providers};

const QUESTION: &str = "What does a navigator steer by when there are no instruments?";

/// A context-sidecar that is ready; killed when it is dropped.
struct Sidecar {
    process: Process,
    listen: SocketAddr,
}

impl Sidecar {
    async fn over(data: &Path) -> Self {
        Self::with(data, &[]).await
    }

    async fn with(data: &Path, more: &[(&str, String)]) -> Self {
        let (listen, admin) = (free_port(), free_port());
        let mut command = Command::new(binary("context-sidecar").unwrap());
        command.env_clear().env("CONTEXT_TENANT", "canoe").env("CONTEXT_DATA_DIR", data);
        command.envs(more.iter().map(|(name, value)| (name, value)));
        command.env("CONTEXT_LISTEN", listen.to_string()).env("CONTEXT_ADMIN_LISTEN", admin.to_string());
        let mut process = Process::start(&mut command).unwrap();
        let deadline = Instant::now() + PATIENCE;
        while !http::get(admin, "/health/ready").await.is_ok_and(|answer| answer.status == 200) {
            assert!(process.ended().is_none() && Instant::now() < deadline, "{}", process.stderr.text());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Self { process, listen }
    }

    /// The messages of a question with what belongs to it, and the rest of the answer.
    async fn context(&self, messages: &Value) -> Value {
        let body = json!({"messages": messages}).to_string();
        let answer = Agent::at(self.listen).post("/v1/context", body).await.unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.json()
    }

    async fn ingest(&self, folder: &Path) -> String {
        let mut command = Command::new(binary("context-sidecar").unwrap());
        command.arg("ingest").arg(folder).env_clear();
        command.env("CONTEXT_SERVICE_URL", format!("http://{}", self.listen)).env("CONTEXT_TENANT", "canoe");
        let mut process = Process::start(&mut command).unwrap();
        let status = process.wait(PATIENCE).await.expect("it ends by itself");
        assert!(status.success(), "{}", process.stderr.text());
        process.stdout.text()
    }
}

fn documents() -> PathBuf {
    root().join("tests/src/documents")
}

#[tokio::test]
async fn the_demo_answers_from_documents_and_cites_them() {
    let mut demo = Process::start(&mut pod("demo")).unwrap();
    let status = demo.wait(Duration::from_secs(60)).await.expect("it ends by itself");
    let told = demo.stdout.text();
    assert!(status.success(), "{told}\n{}", demo.stderr.text());
    for clue in [
        "searches by words: simulated embeddings mean nothing",
        "[1] outrigger.md      characters 0 to ",
        "is in its file, character by character",
        "by words (lexical)",
        "the simulated anthropic received it, with outrigger.md, in messages[0]",
        "the simulated openai received it, with outrigger.md, in messages[1]",
        "/v1/context -H",
    ] {
        assert!(told.contains(clue), "no {clue:?} in\n{told}");
    }
}

#[tokio::test]
async fn what_a_document_says_reaches_the_model_as_it_stands_there() {
    let data = tempfile::tempdir().unwrap();
    let sidecar = Sidecar::over(data.path()).await;
    let told = sidecar.ingest(&documents()).await;
    assert!(told.contains("6 documents created") && told.contains(" 0 failed"), "{told}");
    assert!(sidecar.ingest(&documents()).await.contains("6 unchanged"), "the same again");

    let asked = json!([{"role": "system", "content": "Answer."}, {"role": "user", "content": QUESTION}]);
    let found = sidecar.context(&asked).await;
    assert_eq!((&found["mode"], &found["degraded"]), (&json!("lexical"), &json!([])));
    let citation = &found["context"]["citations"][0];
    assert_eq!((&citation["n"], &citation["document_id"]), (&json!(1), &json!("wayfinding.md")), "{citation}");
    let end = |name: &str| usize::try_from(citation["span"][name].as_u64().unwrap()).unwrap();
    let file = fs::read_to_string(documents().join("wayfinding.md")).unwrap();
    let quote: String = file.chars().skip(end("start")).take(end("end") - end("start")).collect();
    assert!(quote.contains("keeps a star on the horizon"), "{quote}");

    let provider = Provider::start().await.unwrap();
    let ambassador = Setup::openai_alone(&provider).start().await;
    let answer = ambassador.agent().chat(&json!({"model": MODEL, "messages": found["messages"]})).await.unwrap();
    assert!(text_of(&answer).contains(QUESTION), "the question is still the last thing that is said");
    let seen = provider.seen();
    let received = seen.last().unwrap().json()["messages"].clone();
    assert_eq!((&received[0], &received[2]), (&asked[0], &asked[1]));
    let block = received[1]["content"].as_str().unwrap();
    assert!(received[1]["role"] == "user" && block.contains(&quote), "{received}");
}

#[tokio::test]
async fn embeddings_come_through_the_ambassador_and_words_are_left_without_it() {
    let (primary, fallback) = two_providers().await;
    let ambassador = Setup::anthropic_then_openai(&primary, &fallback).start().await;
    let data = tempfile::tempdir().unwrap();
    let embeddings = [
        ("EMBEDDINGS_URL", format!("http://{}/v1", ambassador.listen)),
        ("EMBEDDINGS_MODEL", "text-embedding-3-small".to_owned()),
    ];
    let sidecar = Sidecar::with(data.path(), &embeddings).await;
    sidecar.ingest(&documents()).await;
    let asked = |question: &str| json!([{"role": "user", "content": question}]);
    let found = sidecar.context(&asked(QUESTION)).await;
    assert_eq!((&found["mode"], &found["degraded"]), (&json!("hybrid"), &json!([])), "{found}");
    let embedded: Vec<_> = fallback.seen().into_iter().filter(|seen| seen.path == "/v1/embeddings").collect();
    assert!(embedded.iter().any(|seen| seen.body.contains("keeps a star on the horizon")), "{embedded:?}");
    assert!(embedded.iter().any(|seen| seen.json()["input"].to_string().contains(QUESTION)), "{embedded:?}");
    assert!(primary.seen().is_empty(), "nobody asks a provider that embeds nothing");

    drop(ambassador);
    let found = sidecar.context(&asked("Which star is next when a navigator's has climbed too high?")).await;
    assert_eq!(found["degraded"], json!(["dense"]), "{found}");
    assert_eq!(found["context"]["citations"][0]["document_id"], "wayfinding.md", "{found}");
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_crash_and_after_an_end() {
    let data = tempfile::tempdir().unwrap();
    let asked = json!([{"role": "user", "content": "Who sees the kingfisher?"}]);
    let sidecar = Sidecar::over(data.path()).await;
    let document = json!({"documents": [{"id": "log", "text": "The lookout sees a kingfisher at dawn."}]});
    let put = Agent::at(sidecar.listen).call(Method::PUT, "/v1/documents", document.to_string()).await.unwrap();
    assert_eq!(put.json()["created"], 1, "{}", put.text());
    let before = sidecar.context(&asked).await;
    assert_eq!(before["context"]["citations"][0]["document_id"], "log");
    // As a kernel ends a process that has no memory left.
    drop(sidecar);

    let mut sidecar = Sidecar::over(data.path()).await;
    let after = sidecar.context(&asked).await;
    assert_eq!((&after["messages"], &after["context"]), (&before["messages"], &before["context"]));
    let status = sidecar.process.stop(PATIENCE).await.expect("it ends when it is told to");
    assert!(status.success(), "{}", sidecar.process.stderr.text());
    let after = Sidecar::over(data.path()).await.context(&asked).await;
    assert_eq!(after["context"], before["context"]);
}

#[tokio::test]
async fn the_pod_that_stays_up_can_be_asked_and_given_more() {
    let mut command = pod("up");
    let listen = command.get_envs().find(|(name, _)| *name == "CONTEXT_LISTEN").and_then(|(_, value)| value).unwrap();
    let agent = Agent::at(listen.to_str().unwrap().parse().unwrap());
    let mut up = Process::start(&mut command).unwrap();
    says(&mut up, "curl -N").await;
    assert!(up.stdout.text().contains("6 documents created"), "{}", up.stdout.text());
    let best = async |query: &str| {
        let body = json!({"query": query, "top_k": 1}).to_string();
        agent.post("/v1/retrieve", body).await.unwrap().json()["results"][0]["document_id"].clone()
    };
    assert_eq!(best("how does a navigator steer by the stars").await, "wayfinding.md");
    let document = json!({"documents": [{"id": "mine", "text": "The harbour's kiosk sells mango ice."}]});
    let put = agent.call(Method::PUT, "/v1/documents", document.to_string()).await.unwrap();
    assert_eq!(put.json()["created"], 1, "{}", put.text());
    assert_eq!(best("who sells ice").await, "mine");
    let status = up.stop(PATIENCE).await.expect("it ends when it is told to");
    assert!(status.success(), "{}\n{}", up.stdout.text(), up.stderr.text());
}
