//! The endpoints and the doors over a real socket, with the embedded store.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail by panicking")]

mod bad_input;
mod documents;
mod doors;
mod endpoints;
mod files;
mod limits;
mod mcp;
mod metrics;
mod openapi;
mod outages;
mod scopes;
#[path = "../support/qdrant.rs"]
mod support;
mod tenants;

use std::{net::SocketAddr, sync::Arc};

use bytes::Bytes;
use chassis::{config::Environment, metrics::Metrics, net::Incoming, shutdown::Drain, task, tls::Roots};
use context_sidecar::{
    api::App,
    assemble, config,
    scope::Gatekeeper,
    server::{self, Options},
};
use e2e::http::Answer;
use http::Request;
use http_body_util::Full;
use serde_json::{Value, json};

/// A running sidecar with a store of its own. It takes no more connections once it is dropped.
pub(crate) struct Sidecar {
    pub(crate) address: SocketAddr,
    pub(crate) drain: Drain,
    pub(crate) metrics: Metrics,
    pub(crate) folder: tempfile::TempDir,
}

impl Drop for Sidecar {
    fn drop(&mut self) {
        self.drain.begin();
    }
}

impl Sidecar {
    /// Of the tenant `acme`, with this configuration.
    pub(crate) fn start(file: &str) -> Self {
        Self::with(file, &[("CONTEXT_TENANT", "acme")])
    }

    /// With these variables, too. `{folder}` in one of them is a directory of this sidecar's own.
    pub(crate) fn with(file: &str, variables: &[(&str, &str)]) -> Self {
        Self::prepared(file, variables, |_| ())
    }

    /// With something in its directory.
    pub(crate) fn prepared(file: &str, variables: &[(&str, &str)], prepare: impl FnOnce(&std::path::Path)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        prepare(folder.path());
        let place = folder.path().to_str().unwrap();
        let mut environment = Environment::default();
        if !variables.iter().any(|(name, _)| *name == "QDRANT_URL") {
            environment = environment.with("CONTEXT_DATA_DIR", &format!("{place}/data"));
        }
        for (name, value) in variables {
            environment = environment.with(name, &value.replace("{folder}", place));
        }
        let settings = config::from_text(file, &environment).unwrap().settings;
        let (metrics, drain) = (Metrics::new(), Drain::new());
        let pipeline = Arc::new(assemble::pipeline(&settings, &metrics, &Roots::default()).unwrap());
        let gatekeeper = Gatekeeper::new(settings.tenant.clone(), settings.token_file.as_deref()).unwrap();
        let app = App::new(pipeline, Arc::new(settings), gatekeeper, &metrics, drain.clone());
        let incoming = Incoming::new(chassis::net::listen(&[([127, 0, 0, 1], 0).into()]).unwrap()).unwrap();
        let address = incoming.addresses()[0];
        let options = Options { traces: false, connections: 1_000, seed: 1 };
        task::spawn(server::serve(app, incoming, drain.clone(), options));
        Self { address, drain, metrics, folder }
    }

    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path).header("host", "sidecar");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body.into())).unwrap();
        let response = e2e::http::send(self.address, request).await.unwrap();
        let answer = e2e::http::whole(response).await.unwrap();
        assert!(!answer.header("x-request-id").is_empty(), "{method} {path} is answered without an id");
        if answer.status >= 400 && path != "/mcp" {
            let error = answer.json();
            for field in ["type", "message"] {
                assert!(error["error"][field].is_string(), "{method} {path}: {}", answer.text());
            }
            assert!(error["error"].get("param").is_some(), "{method} {path}: {}", answer.text());
        }
        answer
    }

    pub(crate) async fn ask(&self, method: &str, path: &str, body: &Value) -> Answer {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.send(method, path, &[], body).await
    }

    /// The body of an answer that is 200.
    pub(crate) async fn good(&self, method: &str, path: &str, body: &Value) -> Value {
        let answer = self.ask(method, path, body).await;
        assert_eq!(answer.status, 200, "{method} {path}: {}", answer.text());
        answer.json()
    }

    /// Puts documents in, all of which are good.
    pub(crate) async fn put(&self, documents: &Value) {
        let answer = self.good("PUT", "/v1/documents", &json!({"documents": documents})).await;
        assert_eq!(answer["failed"], 0, "{answer}");
    }
}

/// Three documents.
pub(crate) fn library() -> Value {
    json!([
        {"id": "cats", "title": "Cats", "text": "Cats sleep for most of the day.", "url": "https://example.org/cats",
         "metadata": {"lang": "en", "year": 2020, "tags": ["pets", "fur"]}},
        {"id": "dogs", "title": "Dogs", "text": "Dogs bark at the postman.", "metadata": {"lang": "en", "year": 2023}},
        {"id": "fish/1", "text": "Fish swim in the sea, asleep or not.", "metadata": {"lang": "de", "year": 2024}},
    ])
}

/// The ids of the documents of an answer, best first.
pub(crate) fn ids(answer: &Value) -> Vec<&str> {
    answer["results"].as_array().unwrap().iter().map(|result| result["document_id"].as_str().unwrap()).collect()
}
