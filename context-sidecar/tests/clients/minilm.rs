//! A real model behind both dialects.

use context_sidecar::embed::{Dialect, Embedder as _, Memory, Purpose, Remote, Settings};

use crate::{
    call, client,
    support::{MODEL, MiniLm},
};

fn cosine(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// It is that model and no other: these are the similarities that its page shows.
pub(crate) async fn is_minilm(base: &str, dialect: Dialect) {
    let settings = Settings { query_timeout: crate::PATIENCE, ..Settings::of(MODEL, dialect) };
    let embedder = Remote::at(&client(), base, None, settings, Memory::default()).unwrap();
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
