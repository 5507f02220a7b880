//! What a server that works is asked, and what comes of it.

use std::fs;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use chassis::{config::Environment, telemetry};
use context_sidecar::{
    embed::{Dialect, Embedder as _, Memory, Purpose, Remote},
    http::{Call, Token},
};
use serde_json::json;
use tracing::Instrument as _;

use crate::{
    call, client, embedder,
    server::{Reply, Server, embeddings, unit, vector},
    settings, with_token,
};

#[tokio::test]
async fn texts_come_back_as_vectors_of_length_one_in_their_order() {
    let server = Server::start(|_, request| embeddings(request)).await;
    let embedder = embedder(&server.base(), settings(Dialect::OpenAi));
    assert_eq!(embedder.dimension(), None);
    let texts = ["one", "three", "b", "one"];
    let vectors = embedder.embed(&texts, Purpose::Document, &call()).await.unwrap();
    assert_eq!(vectors, texts.map(unit));
    assert_eq!(embedder.dimension(), Some(3));
    let asked = server.asked();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].path(), "/v1/embeddings");
    // Equal texts are sent once.
    assert_eq!(asked[0].texts().len(), 3);
    assert_eq!(asked[0].body["model"], "test-model");
    assert_eq!(asked[0].body["encoding_format"], "base64");
    assert_eq!(embedder.embed(&[], Purpose::Query, &call()).await.unwrap(), Vec::<Vec<f32>>::new());
    assert_eq!(embedder.probe(&call()).await.unwrap(), 3);
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn base64_is_understood() {
    let server = Server::start(|_, request| {
        let bytes: Vec<u8> =
            vector(&request.texts()[0]).iter().flat_map(|number| (*number as f32).to_le_bytes()).collect();
        Reply::json(&json!({"data": [{"index": 0, "embedding": BASE64_STANDARD.encode(bytes)}]}))
    });
    let embedder = embedder(&server.await.base(), settings(Dialect::OpenAi));
    let vectors = embedder.embed(&["text"], Purpose::Query, &call()).await.unwrap();
    vectors[0].iter().zip(unit("text")).for_each(|(a, b)| assert!((a - b).abs() < 1e-6));
}

#[tokio::test]
async fn tei_is_spoken() {
    let server = Server::start(|_, request| {
        Reply::json(&json!(request.texts().iter().map(|text| vector(text)).collect::<Vec<_>>()))
    });
    let server = server.await;
    let embedder = embedder(&server.url(""), settings(Dialect::Tei));
    let texts: Vec<String> = (0..70).map(|index| format!("text {index}")).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let vectors = embedder.embed(&texts, Purpose::Document, &call()).await.unwrap();
    assert!(vectors.iter().zip(&texts).all(|(vector, text)| *vector == unit(text)));
    let mut sizes: Vec<usize> = server.asked().iter().map(|asked| asked.texts().len()).collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [6, 32, 32]);
    assert!(server.asked().iter().all(|asked| asked.path() == "/embed" && asked.body["truncate"] == true));
}

#[tokio::test]
async fn batches_are_bounded_and_what_is_known_is_not_asked_again() {
    let server = Server::start(|_, request| embeddings(request)).await;
    let bounded = context_sidecar::embed::Settings { items: 10, bytes: 60, ..settings(Dialect::OpenAi) };
    let embedder = embedder(&server.base(), bounded);
    let texts: Vec<String> = (0..100).map(|index| format!("text {index:03}{}", "!".repeat(index % 20))).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    for _ in 0..2 {
        let vectors = embedder.embed(&texts, Purpose::Document, &call()).await.unwrap();
        assert!(vectors.iter().zip(&texts).all(|(vector, text)| *vector == unit(text)));
    }
    let asked = server.asked();
    for request in &asked {
        let bytes: usize = request.texts().iter().map(String::len).sum();
        assert!(request.texts().len() <= 10 && bytes <= 60, "{request:?}");
        // Like lengths together: a server pads them to the longest.
        assert!(request.texts().is_sorted_by_key(String::len), "{request:?}");
    }
    assert_eq!(asked.iter().map(|request| request.texts().len()).sum::<usize>(), 100);
}

#[tokio::test]
async fn prefixes_are_put_before_and_models_share_no_vectors() {
    let server = Server::start(|_, request| embeddings(request)).await;
    let memory = Memory::default();
    let at = |model: &str| {
        let mut settings = settings(Dialect::OpenAi);
        settings.model = model.to_owned();
        settings.query_prefix = "query: ".to_owned();
        settings.document_prefix = "passage: ".to_owned();
        Remote::at(&client(), &server.base(), None, settings, memory.clone()).unwrap()
    };
    let (one, two) = (at("one"), at("two"));
    for (embedder, purpose) in [
        (&one, Purpose::Query),
        (&one, Purpose::Document),
        (&two, Purpose::Query),
        (&one, Purpose::Query),
        (&at("two"), Purpose::Query),
    ] {
        embedder.embed(&["text"], purpose, &call()).await.unwrap();
    }
    let asked: Vec<_> = server.asked().iter().map(|it| (it.body["model"].clone(), it.texts().remove(0))).collect();
    let expected = [("one", "query: text"), ("one", "passage: text"), ("two", "query: text")];
    assert_eq!(asked, expected.map(|(model, text)| (json!(model), text.to_owned())));
}

#[tokio::test]
async fn the_token_and_the_id_of_the_request_go_along_and_a_new_token_is_seen() {
    let server = Server::start(|_, request| embeddings(request)).await;
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), "first\n").unwrap();
    let embedder = with_token(&server.base(), Token::at(file.path()).unwrap());
    let call = Call { request_id: Some("id-1".parse().unwrap()), ..call() };
    embedder.embed(&["a"], Purpose::Query, &call).await.unwrap();
    fs::write(file.path(), "second\n").unwrap();
    embedder.embed(&["b"], Purpose::Query, &Call { request_id: None, ..call }).await.unwrap();
    let asked = server.asked();
    assert_eq!(asked[0].header("authorization"), Some("Bearer first"));
    assert_eq!(asked[0].header("x-request-id"), Some("id-1"));
    assert_eq!(asked[1].header("authorization"), Some("Bearer second"));
    assert_eq!(asked[1].header("x-request-id"), None);
    assert_eq!(asked[0].header("user-agent").map(|agent| agent.starts_with("context-sidecar/")), Some(true));
}

#[tokio::test]
async fn the_trace_goes_along() {
    // Nobody is there to collect it, which is nothing to the trace.
    let environment = Environment::from_pairs([("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")]);
    let _guard = telemetry::init(&telemetry::Settings { service: "test", version: "0", environment: &environment });
    let server = Server::start(|_, request| embeddings(request)).await;
    let embedder = embedder(&server.base(), settings(Dialect::OpenAi));
    let span = tracing::info_span!("retrieve");
    embedder.embed(&["a"], Purpose::Query, &call()).instrument(span).await.unwrap();
    let parent = server.asked()[0].header("traceparent").map(str::len);
    assert_eq!(parent, Some(55));
}
