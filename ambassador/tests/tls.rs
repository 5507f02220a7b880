//! Upstreams that speak TLS: one whose certificate is believed is asked as any other, and no other one is told a word.

#![allow(clippy::unwrap_used, reason = "a test may fail by panicking")]

mod common;

use std::net::SocketAddr;

use chassis::tls::Roots;
use common::{
    Ambassador, STREAM, Upstream, WHOLE, alone,
    tls::{Authority, in_front_of},
    until, with_fallback,
};

/// A year that none of these tests will see.
const FAR: i32 = 2999;

/// The same file with the provider at `address` moved behind TLS at `localhost:port`.
fn secured(file: &str, address: SocketAddr, port: u16) -> String {
    let (plain, secure) = (format!("http://{address}/"), format!("https://localhost:{port}/"));
    assert!(file.contains(&plain));
    file.replace(&plain, &secure)
}

#[tokio::test]
async fn a_provider_of_a_private_authority_is_asked_where_the_authority_is_trusted() {
    let authority = Authority::new("ours");
    let upstream = Upstream::healthy("primary").await;
    let port = in_front_of(upstream.address, authority.server("localhost", FAR)).await;
    let ambassador =
        Ambassador::trusting(&authority.roots(), &secured(&alone(upstream.address, ""), upstream.address, port));
    let whole = ambassador.chat(WHOLE).await;
    assert_eq!((whole.status, whole.text().as_str()), (200, "primary"), "{whole:?}");
    let stream = ambassador.chat(STREAM).await;
    assert!(stream.is_complete_stream() && stream.text() == "primary", "{stream:?}");
    assert!(upstream.seen().iter().all(|seen| seen.head.contains(&format!("\r\nhost: localhost:{port}\r\n"))));
    assert_eq!(upstream.connections(), 1, "a connection under TLS is kept as well");
}

/// A server that is not believed is told nothing, whoever asks learns `why`, and another provider is asked.
async fn assert_refused(
    server_of: impl Fn(&Authority) -> std::sync::Arc<rustls::ServerConfig>,
    roots: &dyn Fn(&Authority) -> Roots,
    why: &str,
) {
    let authority = Authority::new("ours");
    let (primary, fallback) = (Upstream::healthy("primary").await, Upstream::healthy("fallback").await);
    let port = in_front_of(primary.address, server_of(&authority)).await;
    for request in [WHOLE, STREAM] {
        let file = secured(&alone(primary.address, ""), primary.address, port);
        let answer = Ambassador::trusting(&roots(&authority), &file).chat(request).await;
        let error = answer.error();
        assert_eq!((answer.status, error["code"].as_str()), (502, Some("upstream_unreachable")), "{answer:?}");
        let message = error["message"].as_str().unwrap();
        assert!(message.contains("certificate") && message.contains(why), "{message}");

        let file = with_fallback(primary.address, fallback.address, "");
        let ambassador = Ambassador::trusting(&roots(&authority), &secured(&file, primary.address, port));
        let answer = ambassador.chat(request).await;
        assert_eq!((answer.status, answer.text().as_str()), (200, "fallback"), "{answer:?}");
        let failovers = "ambassador_failovers_total{provider=\"primary\",reason=\"connect\"}";
        until("the count", || ambassador.metric(failovers) == Some(1.0)).await;
    }
    assert_eq!(primary.connections(), 0, "nothing was told");
}

#[tokio::test]
async fn a_certificate_of_an_unknown_authority_is_not_believed() {
    let other = Authority::new("another");
    assert_refused(|authority| authority.server("localhost", FAR), &|_| other.roots(), "UnknownIssuer").await;
}

#[tokio::test]
async fn a_certificate_for_another_name_is_not_believed() {
    assert_refused(|authority| authority.server("provider.example", FAR), &Authority::roots, "provider.example").await;
}

#[tokio::test]
async fn an_expired_certificate_is_not_believed() {
    assert_refused(|authority| authority.server("localhost", 2001), &Authority::roots, "expired").await;
}
