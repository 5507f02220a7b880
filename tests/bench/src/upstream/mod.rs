//! The part `upstream CORE`: a model provider that costs as little as it can, in both published dialects.
//!
//! It says its port on standard output. Where a request asks for a stream, a model named `spread-200x10` gives 200
//! chunks, one every 10 ms, and `bursts-200x10` the same on whole milliseconds, so that those of many streams come
//! together. Every other request gets the same whole answer of 1 KB.

mod answer;
mod paced;

use std::convert::Infallible;
use std::io::Write as _;
use std::net::Ipv4Addr;
use std::rc::Rc;

use anyhow::bail;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Either, Full};
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::net::TcpListener;
use tokio::task::LocalSet;

use self::answer::{Dialect, Whole};
use self::paced::{Pace, Paced};
use crate::cores;

type Answer = Response<Either<Full<Bytes>, Paced>>;

/// As much of a request as decides about the answer.
#[derive(Deserialize)]
struct Ask<'a> {
    model: &'a str,
    #[serde(default)]
    stream: bool,
    #[serde(default)]
    stream_options: StreamOptions,
}

#[derive(Default, Deserialize)]
struct StreamOptions {
    #[serde(default)]
    include_usage: bool,
}

pub(crate) fn play(words: &[String]) -> anyhow::Result<()> {
    let [core] = words else { bail!("upstream CORE") };
    cores::settle_on(core)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, serve())
}

async fn serve() -> anyhow::Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    writeln!(std::io::stdout(), "{}", listener.local_addr()?.port())?;
    let whole = Rc::new(Whole::new());
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let whole = Rc::clone(&whole);
        tokio::task::spawn_local(async move {
            let service = service_fn(|request| async { Ok::<_, Infallible>(respond(request, &whole).await) });
            // A connection that the other side drops is no news to an upstream.
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
    }
}

async fn respond(request: Request<Incoming>, whole: &Whole) -> Answer {
    let dialect = match request.uri().path() {
        "/v1/chat/completions" => Dialect::OpenAi,
        "/v1/messages" => Dialect::Anthropic,
        _ => return refuse(StatusCode::NOT_FOUND),
    };
    let Ok(body) = request.into_body().collect().await else {
        return refuse(StatusCode::BAD_REQUEST);
    };
    let body = body.to_bytes();
    let Ok(ask) = serde_json::from_slice::<Ask<'_>>(&body) else {
        return refuse(StatusCode::BAD_REQUEST);
    };
    if !ask.stream {
        return answer("application/json", Either::Left(Full::new(whole.in_dialect(dialect))));
    }
    let paced = Pace::of_model(ask.model).and_then(|pace| Paced::new(dialect, pace, ask.stream_options.include_usage));
    match paced {
        Some(paced) => answer("text/event-stream", Either::Right(paced)),
        None => refuse(StatusCode::BAD_REQUEST),
    }
}

fn answer(kind: &'static str, body: Either<Full<Bytes>, Paced>) -> Answer {
    let mut answer = Response::new(body);
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    answer
}

fn refuse(status: StatusCode) -> Answer {
    let mut refusal = answer("application/json", Either::Left(Full::from("{}")));
    *refusal.status_mut() = status;
    refusal
}
