//! One request and its answer. It takes as long as its caller lets it: a future that is dropped closes its connection.

use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use bytes::Bytes;
use chassis::{clock, tls::Roots};
use context_core::scope::Collection;
use reqwest::{Client, Method, StatusCode, Url, header, redirect::Policy, retry};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{
    fault::{refused, strange, unreached},
    key::KeyFile,
    settings::{Settings, address},
};
use crate::store::Fault;

/// A server in the same cluster is reached in less.
const CONNECT: Duration = Duration::from_secs(5);

/// Whoever says nothing for so long, says nothing more: for calls whose caller sets no limit.
const SILENCE: Duration = Duration::from_secs(60);

/// What fails within this is tried once more.
const QUICK: Duration = Duration::from_secs(1);

/// Before the second try of what failed for a moment.
const PAUSE: Duration = Duration::from_millis(50);

/// No answer is larger.
const LARGEST: usize = 64 << 20;

/// A Qdrant.
#[derive(Debug)]
pub(super) struct Server {
    client: Client,
    base: Url,
    /// `qdrant http://qdrant:6333`.
    pub(super) at: String,
    key: Option<KeyFile>,
    /// As a query says it.
    consistency: Option<String>,
    counts: AtomicU8,
}

/// What an answer is about.
#[derive(Clone, Copy)]
pub(super) enum About<'n> {
    /// The server.
    Server,
    /// A collection, which may be missing.
    Collection(&'n Collection),
}

/// Whether what is read may come from one replica or has to be agreed on.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Does {
    Read,
    /// Before it returns it is done.
    Write,
    /// Neither: it is about collections.
    Admin,
}

#[derive(Deserialize)]
struct Answer<T> {
    result: T,
}

#[derive(Deserialize)]
struct Hello {
    version: String,
}

impl Server {
    pub(super) fn new(settings: &Settings, roots: &Roots) -> Result<Self, Fault> {
        let base = address(&settings.url)?;
        let client = Client::builder()
            .tls_backend_preconfigured(roots.client(base.scheme() == "https"))
            .user_agent(concat!("context-sidecar/", env!("CARGO_PKG_VERSION")))
            .redirect(Policy::none())
            .referer(false)
            .retry(retry::never())
            .no_proxy()
            .connect_timeout(CONNECT)
            .read_timeout(SILENCE)
            .build();
        let client = client.map_err(|error| Fault::Unavailable(format!("there is no HTTP client: {error}")))?;
        Ok(Self {
            client,
            at: format!("qdrant {}", base.as_str().trim_end_matches('/')),
            base,
            key: settings.api_key_file.clone().map(KeyFile::new),
            consistency: settings.consistency.map(|consistency| consistency.query()),
            counts: AtomicU8::new(0),
        })
    }

    /// Asks, and reads what is answered.
    pub(super) async fn ask<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &[&str],
        does: Does,
        body: Option<&(impl Serialize + Sync)>,
        about: About<'_>,
    ) -> Result<T, Fault> {
        let body = match body {
            Some(body) => Some(serde_json::to_vec(body).map_err(|_| unwritten())?),
            None => None,
        };
        let (status, answer) = self.send(method, path, does, body).await?;
        self.read(status, &answer, about)
    }

    /// Reads an answer.
    pub(super) fn read<T: DeserializeOwned>(
        &self,
        status: StatusCode,
        answer: &[u8],
        about: About<'_>,
    ) -> Result<T, Fault> {
        if !status.is_success() {
            return Err(self.refused(status, answer, about));
        }
        let answer: Answer<T> = serde_json::from_slice(answer).map_err(|_| strange(&self.at, answer))?;
        Ok(answer.result)
    }

    fn refused(&self, status: StatusCode, answer: &[u8], about: About<'_>) -> Fault {
        let key = self.key.as_ref().map(|file| file.path().display().to_string());
        let name = match about {
            About::Server => None,
            About::Collection(name) => Some(name),
        };
        refused(&self.at, status, answer, key.as_deref(), name)
    }

    /// Sends a body that is JSON already. What is read, and points that are written by their ids, is the same when it is done
    /// twice: it is tried once more where a server or what is before it fails for a moment. How long that may take in all is
    /// for the caller to say.
    pub(super) async fn send(
        &self,
        method: Method,
        path: &[&str],
        does: Does,
        body: Option<Vec<u8>>,
    ) -> Result<(StatusCode, Bytes), Fault> {
        let body = body.map(Bytes::from);
        let may_again = does == Does::Read || method != Method::POST;
        let started = clock::now();
        let first = self.send_once(method.clone(), path, does, body.clone(), !may_again).await;
        let passes = match &first {
            Ok((status, _)) => matches!(status.as_u16(), 502..=504),
            Err(Fault::Unavailable(_)) => true,
            Err(_) => false,
        };
        // What took long to fail takes long again.
        if !(may_again && passes) || clock::now().saturating_duration_since(started) > QUICK {
            return first;
        }
        tokio::time::sleep(PAUSE).await;
        self.send_once(method, path, does, body, false).await
    }

    async fn send_once(
        &self,
        method: Method,
        path: &[&str],
        does: Does,
        body: Option<Bytes>,
        replaces: bool,
    ) -> Result<(StatusCode, Bytes), Fault> {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        match (does, &self.consistency) {
            (Does::Read, Some(consistency)) => {
                url.query_pairs_mut().append_pair("consistency", consistency);
            }
            (Does::Write, _) => {
                url.query_pairs_mut().append_pair("wait", "true");
            }
            (Does::Read | Does::Admin, _) => {}
        }
        let mut request = self.client.request(method, url);
        if let Some(key) = &self.key {
            let mut value = header::HeaderValue::from_str(key.read()?.expose()).map_err(|_| unwritten())?;
            value.set_sensitive(true);
            request = request.header("api-key", value);
        }
        if let Some(body) = body {
            request = request.header(header::CONTENT_TYPE, "application/json").body(body);
        }
        let unreached = |error: reqwest::Error| unreached(&self.at, &error.without_url());
        // A connection that stood for a while may be gone, as after a restart: that is found out by using it. Asking once
        // more is safe, since whatever is asked here does the same when it is done twice.
        let again = if replaces { request.try_clone() } else { None };
        let mut answer = match (request.send().await, again) {
            (Err(error), Some(again)) if !error.is_connect() && !error.is_timeout() => again.send().await,
            (sent, _) => sent,
        }
        .map_err(unreached)?;
        let status = answer.status();
        let too_large = || {
            let at = &self.at;
            Fault::Unavailable(format!("{at} answers more than {} MiB: ask for less", LARGEST >> 20))
        };
        // Most answers come in one piece, which is taken as it is.
        let announced = usize::try_from(answer.content_length().unwrap_or_default()).unwrap_or(usize::MAX);
        let mut pieces = answer.chunk().await.map_err(unreached)?.unwrap_or_default();
        if pieces.len().max(announced) > LARGEST {
            return Err(too_large());
        }
        let mut whole: Option<Vec<u8>> = None;
        while let Some(more) = answer.chunk().await.map_err(unreached)? {
            let whole = whole.get_or_insert_with(|| {
                let mut whole = Vec::with_capacity(announced.max(pieces.len() + more.len()));
                whole.extend_from_slice(&std::mem::take(&mut pieces));
                whole
            });
            if whole.len() + more.len() > LARGEST {
                return Err(too_large());
            }
            whole.extend_from_slice(&more);
        }
        Ok((status, whole.map_or(pieces, Bytes::from)))
    }

    /// Whether it counts words among the points of a filter, as it does from 1.19 on.
    pub(super) async fn counts_by_filter(&self) -> bool {
        match self.counts.load(Ordering::Relaxed) {
            0 => self.hello().await.is_ok() && self.counts.load(Ordering::Relaxed) == 2,
            known => known == 2,
        }
    }

    /// Asks for the version, which an upgrade may have changed.
    pub(super) async fn hello(&self) -> Result<(), Fault> {
        let (status, answer) = self.send(Method::GET, &[], Does::Admin, None).await?;
        if !status.is_success() {
            return Err(self.refused(status, &answer, About::Server));
        }
        let hello: Hello = serde_json::from_slice(&answer).map_err(|_| strange(&self.at, &answer))?;
        let mut parts = hello.version.split(['.', '-']).map(|part| part.parse::<u32>().unwrap_or_default());
        let version = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        self.counts.store(if version >= (1, 19) { 2 } else { 1 }, Ordering::Relaxed);
        Ok(())
    }
}

/// Nothing that is sent is unfit for JSON or a header.
fn unwritten() -> Fault {
    Fault::Refused("this cannot be written as a request".to_owned())
}
