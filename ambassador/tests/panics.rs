//! One bug costs one request: here it is in a provider of this test's own, and everything around it goes on.

#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail by panicking")]

mod common;

use std::net::SocketAddr;

use ambassador_config::{Limits, Listen, Settings};
use ambassador_core::{
    chat::{self, Event, Finish},
    provider::{
        Adapter, Api, Encoded, EventDecoder, Inexpressible, NoAnswer, OPENAI_COMPATIBLE, Operation, Provider, Refusal,
        StreamError, Translator,
    },
    route::{self, Router, Rules},
    timeouts::Timeouts,
    wire::envelope::Envelope,
};
use bytes::Bytes;
use common::{Ambassador, Client, STREAM, Upstream, WHOLE, until};
use http::{HeaderName, HeaderValue, header::InvalidHeaderValue};

const SECRET: &str = "what was being worked on";

/// A provider that panics over a request in which the caller says so.
#[derive(Debug)]
struct Brittle;

/// One that panics over the second word of a stream.
#[derive(Debug)]
struct BrittleStream;

macro_rules! as_compatible {
    ($kind:ty, $api:expr) => {
        impl Provider for $kind {
            fn kind(&self) -> &'static str {
                "openai-compatible"
            }
            fn base_url(&self) -> Option<&'static str> {
                None
            }
            fn path(&self, operation: Operation) -> Option<&'static str> {
                OPENAI_COMPATIBLE.path(operation)
            }
            fn headers(&self, key: Option<&str>) -> Result<Vec<(HeaderName, HeaderValue)>, InvalidHeaderValue> {
                OPENAI_COMPATIBLE.headers(key)
            }
            fn api(&self) -> Api<'_> {
                $api(self)
            }
            fn refusal(&self, status: u16, body: &[u8]) -> Refusal {
                OPENAI_COMPATIBLE.refusal(status, body)
            }
        }
    };
}

as_compatible!(Brittle, Api::Same);
as_compatible!(BrittleStream, Api::Own);

impl Adapter for Brittle {
    fn adapt(&self, operation: Operation, request: &Envelope<'_>, model: &str, stream_usage: bool) -> Bytes {
        assert!(request.get("user") != Some("\"panic\""), "{SECRET}");
        let Api::Same(adapter) = OPENAI_COMPATIBLE.api() else { return Bytes::new() };
        adapter.adapt(operation, request, model, stream_usage)
    }
}

impl Translator for BrittleStream {
    fn encode(&self, _: &chat::Request, _: &str) -> Result<Encoded, Inexpressible> {
        Ok(Encoded { body: STREAM.into(), dropped: Vec::new() })
    }

    fn decode(&self, _: &[u8]) -> Result<chat::Response, NoAnswer> {
        panic!("{SECRET}")
    }

    fn events(&self) -> Box<dyn EventDecoder> {
        Box::new(Words(0))
    }
}

struct Words(usize);

impl EventDecoder for Words {
    fn event(&mut self, _: &[u8], out: &mut Vec<Event>) -> Result<(), StreamError> {
        self.0 += 1;
        assert!(self.0 < 2, "{SECRET}");
        out.push(Event::Text("word".to_owned()));
        if self.0 > 2 {
            out.push(Event::Finish(Finish::Stop));
        }
        Ok(())
    }
}

fn ambassador(provider: &'static dyn Provider, address: SocketAddr) -> Ambassador {
    let name = "brittle".to_owned();
    let routed = route::Upstream { name: name.clone(), provider, model: None };
    let base_url = format!("http://{address}/v1");
    let upstream = ambassador_config::Upstream { name, provider, base_url, keys: Vec::new(), stream_usage: true };
    Ambassador::with(Settings {
        listen: Listen { data: Listen::DATA.to_owned(), admin: Listen::ADMIN.to_owned(), drain: Listen::DRAIN },
        upstreams: vec![upstream],
        router: Router::new(vec![routed], Rules::Families, Timeouts::default()),
        limits: Limits::default(),
        prices: Default::default(),
    })
}

#[tokio::test]
async fn a_panic_is_the_500_of_its_request_and_of_no_other() {
    let upstream = Upstream::healthy("fine").await;
    let ambassador = ambassador(&Brittle, upstream.address);
    let mut client = Client::connect(ambassador.address).await;
    for request in [WHOLE, STREAM] {
        client.chat(&request.replacen('{', r#"{"user":"panic","#, 1)).await;
        let answer = client.answer().await;
        assert_eq!((answer.status, answer.error()["code"].as_str()), (500, Some("internal_error")), "{answer:?}");
        assert!(!answer.body.contains(SECRET));
        assert!(answer.header("x-request-id").is_some(), "{answer:?}");
        // The same connection serves on, and so do others.
        client.chat(request).await;
        assert_eq!(client.answer().await.text(), "fine");
        assert_eq!(ambassador.chat(request).await.text(), "fine");
    }
    until("the end of all requests", || ambassador.metric("ambassador_requests_in_flight") == Some(0.0)).await;
    assert_eq!(upstream.seen().len(), 4, "what panicked was never sent");
}

#[tokio::test]
async fn a_panic_over_a_whole_answer_is_a_500() {
    let upstream = Upstream::healthy("fine").await;
    let ambassador = ambassador(&BrittleStream, upstream.address);
    let answer = ambassador.chat(WHOLE).await;
    // The provider was asked for a stream, whatever the caller wanted; its answer is read as a whole one.
    assert_eq!((answer.status, answer.error()["code"].as_str()), (500, Some("internal_error")), "{answer:?}");
    assert!(!answer.body.contains(SECRET));
}

#[tokio::test]
async fn a_panic_within_a_stream_cuts_it_and_nothing_else() {
    let upstream = Upstream::start(|mut peer, _| async move {
        peer.request().await;
        peer.begin().await;
        peer.chunk("data: 1\n\n").await;
        peer.gone().await;
    })
    .await;
    let other = Upstream::start(|mut peer, _| async move {
        peer.request().await;
        peer.begin().await;
        peer.chunk("data: 1\n\n").await;
        peer.chunk("data: 2\n\n").await;
        peer.gone().await;
    })
    .await;
    // One stream stays open beside the one that breaks.
    let (steady, brittle) = (ambassador(&BrittleStream, upstream.address), ambassador(&BrittleStream, other.address));
    let mut open = Client::connect(steady.address).await;
    open.chat(STREAM).await;
    assert_eq!(open.head().await.status, 200);
    let answer = brittle.chat(STREAM).await;
    assert!(!answer.whole && !answer.body.contains("[DONE]") && !answer.body.contains(SECRET), "{answer:?}");
    until("the account", || brittle.metric("ambassador_requests_in_flight") == Some(0.0)).await;
    assert_eq!(steady.metric("ambassador_requests_in_flight"), Some(1.0));
    let again = brittle.chat(STREAM).await;
    assert!(!again.whole, "it still takes requests");
}
