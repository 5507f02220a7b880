//! The pod as it is: the ambassador between us and the embedder.

use context_sidecar::embed::{Dialect, Embedder as _, Memory, Purpose, Remote};
use e2e::harness::Setup;

use crate::{
    call, client, minilm,
    server::{Reply, Server, embeddings, unit},
    support::MiniLm,
};

fn in_front_of(base: &str) -> Setup {
    Setup::new().env("EMBEDDER_KEY", "sk-test").config(&format!(
        "providers:\n  embedder: {{ kind: openai-compatible, base_url: {base}, keys: [ {{ env: EMBEDDER_KEY }} ] }}\n\
         routes:\n  - {{ model: \"*\", targets: [ {{ provider: embedder }} ] }}\n"
    ))
}

#[tokio::test]
async fn a_real_model_is_reached_through_it() {
    let Some(model) = MiniLm::start().await else { e2e::skip!("MINILM_PYTHON names no Python with the model") };
    let ambassador = in_front_of(&model.base).start().await;
    minilm::is_minilm(&format!("http://{}/v1", ambassador.listen), Dialect::OpenAi).await;
}

#[tokio::test]
async fn its_refusals_are_told_and_what_passes_behind_it_is_sat_out() {
    let provider = Server::start(|before, request| match before {
        0 => Reply::status("503 Service Unavailable", r#"{"error": {"message": "no"}}"#),
        _ => embeddings(request),
    });
    let provider = provider.await;
    let ambassador = in_front_of(&provider.base()).start().await;
    let settings = crate::settings(Dialect::OpenAi);
    let base = format!("http://{}/v1", ambassador.listen);
    let embedder = Remote::at(&client(), &base, None, settings, Memory::default()).unwrap();
    assert_eq!(embedder.embed(&["a"], Purpose::Query, &call()).await.unwrap(), [unit("a")]);
    assert!(provider.asked().len() >= 2);
    assert_eq!(provider.asked()[0].header("authorization"), Some("Bearer sk-test"));
}
