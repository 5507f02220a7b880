//! The part `replay CORE URL`: a Qdrant that takes no time, in front of the one at URL.
//!
//! What was read once is answered from memory, until something is written. So the difference between a question to the
//! context-sidecar and the batch query that it sends is the context-sidecar's, whatever the Qdrant behind it is.
//! `GET /_batches` has the bodies of all batch queries so far, once each, as text. What is asked a second later is the same,
//! though it asks for what has not expired by then.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use anyhow::{Context as _, bail};
use bytes::Bytes;
use hyper::{Method, Request, StatusCode};
use serde_json::Value;

use super::serve::{self, Answer, Upstream};
use crate::cores;

type Read = (Method, String, Bytes);

struct Replay {
    url: String,
    upstream: Upstream,
    known: RefCell<HashMap<Read, Bytes>>,
    batches: RefCell<Vec<(String, Bytes)>>,
}

pub(crate) fn play(words: &[String]) -> anyhow::Result<()> {
    let [core, url] = words else { bail!("replay CORE URL") };
    cores::settle_on(core)?;
    let url = url.trim_end_matches('/').to_owned();
    let replay =
        Rc::new(Replay { url, upstream: serve::upstream(), known: RefCell::default(), batches: RefCell::default() });
    serve::serve(move |request| {
        let replay = Rc::clone(&replay);
        async move { replay.answer(request).await }
    })
}

fn reads(method: &Method, path: &str) -> bool {
    let ends = ["/points", "/query", "/query/batch", "/scroll", "/count", "/facet"];
    method == Method::GET || (method == Method::POST && ends.iter().any(|end| path.ends_with(end)))
}

/// A body without the time in it.
fn timeless(body: &Bytes) -> Bytes {
    const NOW: &[u8] = br#""key":"expires","range":{"lte":"#;
    let mut timeless = Vec::with_capacity(body.len());
    let mut rest = &body[..];
    while let Some(at) = rest.windows(NOW.len()).position(|bytes| bytes == NOW) {
        let (before, behind) = rest.split_at(at + NOW.len());
        timeless.extend_from_slice(before);
        rest = &behind[behind.iter().take_while(|byte| byte.is_ascii_digit()).count()..];
    }
    timeless.extend_from_slice(rest);
    timeless.into()
}

impl Replay {
    async fn answer(&self, mut request: Request<Bytes>) -> anyhow::Result<Answer> {
        let path = request.uri().path().to_owned();
        if path == "/_batches" {
            let batches = self.batches.borrow();
            let batch = |(path, body): &(String, Bytes)| {
                Some(Value::from(vec![path.as_str(), std::str::from_utf8(body).ok()?]))
            };
            return Ok(serve::json(Value::from_iter(batches.iter().filter_map(batch)).to_string()));
        }
        let query = request.uri().path_and_query().map_or("/", |query| query.as_str()).to_owned();
        let read: Read = (request.method().clone(), query.clone(), timeless(request.body()));
        let is_read = reads(request.method(), &path);
        let known = self.known.borrow().get(&read).cloned();
        if let Some(answer) = known.filter(|_| is_read) {
            return Ok(serve::json(answer));
        }
        let asked = request.body().clone();
        *request.uri_mut() = format!("{}{query}", self.url).parse().context("where to")?;
        request.headers_mut().remove(hyper::header::HOST);
        let (status, body) = serve::pass_on(&self.upstream, request).await?;
        if !is_read {
            self.known.borrow_mut().clear();
            self.batches.borrow_mut().clear();
        } else if status == StatusCode::OK {
            if path.ends_with("/query/batch") {
                self.batches.borrow_mut().push((query, asked));
            }
            self.known.borrow_mut().insert(read, body.clone());
        }
        let mut answer = serve::json(body);
        *answer.status_mut() = status;
        Ok(answer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_later_it_is_the_same() {
        let body = |now: u64| {
            let filter = format!(r#"{{"must_not":[{{"key":"expires","range":{{"lte":{now}}}}}],"limit":{}}}"#, 7);
            Bytes::from(format!(r#"{{"searches":[{filter},{filter}]}}"#))
        };
        assert_eq!(timeless(&body(1_799_999_999)), timeless(&body(1_800_000_000)));
        assert!(timeless(&body(1)).ends_with(br#"{"lte":}}],"limit":7}]}"#));
    }
}
