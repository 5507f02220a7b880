//! A real model: all-MiniLM-L6-v2 as a server, see `tests/support/minilm.py`. `MINILM_PYTHON` names the Python that has
//! its packages; `.ci/run` makes one.

use std::{path::PathBuf, process::Command, time::Duration};

use chassis::clock;
use context_sidecar::embed::{Dialect, Embedder as _, Memory, Purpose, Remote, Settings};
use e2e::process::{Process, bin_dir};

use crate::{call, client};

pub(crate) const MODEL: &str = "all-MiniLM-L6-v2";

/// It loads 90 MB and plans what to do with them.
const START: Duration = Duration::from_secs(60);

/// A server of it; gone when it is dropped.
pub(crate) struct MiniLm {
    _process: Process,
    pub(crate) base: String,
}

fn python() -> Option<PathBuf> {
    #[allow(clippy::disallowed_methods, reason = "a test has no main that would pass the environment on")]
    let named = std::env::var_os("MINILM_PYTHON").map(PathBuf::from);
    let beside = || Some(bin_dir().ok()?.parent()?.join("minilm/bin/python"));
    named.or_else(beside).filter(|path| path.exists())
}

impl MiniLm {
    /// `None` where its packages are not installed.
    pub(crate) async fn start() -> Option<Self> {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/minilm.py");
        let process = Process::start(Command::new(python()?).arg(script).env("HF_HUB_OFFLINE", "1")).unwrap();
        let deadline = clock::now() + START;
        loop {
            let lines = process.stdout.lines();
            if let Some(address) = lines.iter().find_map(|line| line.strip_prefix("listening on ")) {
                return Some(Self { base: format!("{address}/v1"), _process: process });
            }
            assert!(clock::now() < deadline, "the model did not start:\n{}", process.stderr.text());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

fn cosine(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// It is that model and no other: these are the similarities that its page shows.
pub(crate) async fn is_minilm(base: &str, dialect: Dialect) {
    let embedder = Remote::at(&client(), base, None, Settings::of(MODEL, dialect), Memory::default()).unwrap();
    let texts =
        ["That is a happy person", "That is a happy dog", "That is a very happy person", "Today is a sunny day"];
    let vectors = embedder.embed(&texts, Purpose::Document, &call()).await.unwrap();
    for (vector, known) in vectors.iter().zip([1.0, 0.695, 0.943, 0.257]) {
        let found = cosine(&vectors[0], vector);
        assert!((found - known).abs() < 0.0006, "{found} is not {known}");
    }
    assert_eq!(embedder.probe(&call()).await.unwrap(), 384);
}

#[tokio::test]
async fn a_real_model_in_both_dialects() {
    let Some(server) = MiniLm::start().await else { e2e::skip!("MINILM_PYTHON names no Python with the model") };
    is_minilm(&server.base, Dialect::OpenAi).await;
    is_minilm(server.base.trim_end_matches("/v1"), Dialect::Tei).await;
}
