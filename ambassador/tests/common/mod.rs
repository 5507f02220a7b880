//! What the tests of the running ambassador share: upstreams of raw TCP, the ambassador between, and a raw client.
#![allow(dead_code, unused_imports, reason = "each test file uses some of it")]

pub(crate) mod ambassador;
pub(crate) mod client;
pub(crate) mod fault;
pub(crate) mod tls;
pub(crate) mod upstream;

use std::{future::Future, time::Duration};

pub(crate) use self::{
    ambassador::{Ambassador, alone, target, with_fallback},
    client::{Answer, Client},
    fault::Fault,
    upstream::{Peer, Upstream, refused},
};

/// Far more than anything here takes. What has not happened by then never will.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// What comes of `future`, which must not take for ever.
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    let result = tokio::time::timeout(PATIENCE, future).await;
    assert!(result.is_ok(), "waited in vain for {what}");
    result.unwrap()
}

/// Returns once `condition` holds.
pub(crate) async fn until(what: &str, condition: impl Fn() -> bool) {
    soon(what, async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

/// A chat request for an answer in one piece.
pub(crate) const WHOLE: &str = r#"{"model":"m","messages":[{"role":"user","content":"Hi"}]}"#;

/// A chat request for a stream.
pub(crate) const STREAM: &str = r#"{"model":"m","messages":[{"role":"user","content":"Hi"}],"stream":true}"#;

/// The chunk that announces an answer and has no content yet.
pub(crate) const ROLE: &str = "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m-1\",\
    \"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}]}\n\n";

/// The chunk that says why the answer ended.
pub(crate) const FINISH: &str = "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m-1\",\
    \"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";

/// The chunk that tells what the answer cost.
pub(crate) const USAGE: &str = "data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m-1\",\
    \"choices\":[],\"usage\":{\"prompt_tokens\":7,\"completion_tokens\":2,\"total_tokens\":9}}\n\n";

/// The end of a stream.
pub(crate) const DONE: &str = "data: [DONE]\n\n";

/// A chunk of content.
pub(crate) fn content(text: &str) -> String {
    format!(
        "data: {{\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m-1\",\
         \"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}},\"finish_reason\":null}}]}}\n\n"
    )
}

/// An answer in one piece that says `text`.
pub(crate) fn completion(text: &str) -> String {
    format!(
        "{{\"id\":\"c\",\"object\":\"chat.completion\",\"created\":1,\"model\":\"m-1\",\"choices\":[{{\"index\":0,\
         \"message\":{{\"role\":\"assistant\",\"content\":\"{text}\"}},\"finish_reason\":\"stop\"}}],\
         \"usage\":{{\"prompt_tokens\":7,\"completion_tokens\":2,\"total_tokens\":9}}}}"
    )
}
