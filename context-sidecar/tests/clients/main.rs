//! Embedders, rerankers and all that may go wrong with them, against servers that do as they are told; and a real model.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod ambassador;
mod embeddings;
mod faults;
mod minilm;
mod rerank;
mod server;
mod single_flight;
#[path = "../support/minilm.rs"]
mod support;

use std::{sync::Arc, time::Duration};

use chassis::{clock, tls::Roots};
use context_sidecar::{
    embed::{Dialect, Memory, Remote, Settings},
    http::{Call, Client, Token},
};

/// Longer than anything takes that works.
const PATIENCE: Duration = Duration::from_secs(20);

fn client() -> Client {
    Client::new(&Roots::default(), false).unwrap()
}

fn call() -> Call {
    Call::until(clock::now() + PATIENCE)
}

fn settings(dialect: Dialect) -> Settings {
    // How long a question waits for its vector is a case of its own.
    Settings { query_timeout: PATIENCE, ..Settings::of("test-model", dialect) }
}

fn embedder(base: &str, settings: Settings) -> Remote {
    Remote::at(&client(), base, None, settings, Memory::default()).unwrap()
}

fn with_token(base: &str, token: Token) -> Remote {
    let settings = settings(Dialect::OpenAi);
    Remote::at(&client(), base, Some(Arc::new(token)), settings, Memory::default()).unwrap()
}
