//! How embedders and rerankers are spoken to: one pool of connections, JSON there and back, each call within its deadline.

mod token;
mod trouble;

pub use token::Token;
pub use trouble::Trouble;

use std::{fmt, future::Future, sync::Arc, time::Duration, time::Instant};

use ::http::{HeaderMap, HeaderValue, header};
use chassis::{clock, config::parse_url, telemetry, tls::Roots};
use reqwest::{Response, Url, redirect::Policy, retry};
use serde::{Serialize, de::DeserializeOwned};

/// A server that does not take a connection within this is taken for dead, so that there is time left for another try.
const CONNECT: Duration = Duration::from_secs(5);

/// Kept open for so long; below what servers and proxies keep theirs.
const IDLE: Duration = Duration::from_secs(30);

/// The longest answer, in bytes: 64 vectors of 4,096 numbers, written out at length, are a quarter of it.
pub const LARGEST: usize = 32 << 20;

/// On whose behalf, and until when.
#[derive(Debug, Clone)]
pub struct Call {
    /// By then there is an answer or an error.
    pub deadline: Instant,
    /// The caller's `x-request-id`, passed on.
    pub request_id: Option<HeaderValue>,
}

impl Call {
    /// One that nobody has named.
    #[must_use]
    pub const fn until(deadline: Instant) -> Self {
        Self { deadline, request_id: None }
    }

    /// How much time is left at `now`.
    #[must_use]
    pub fn left(&self, now: Instant) -> Duration {
        self.deadline.saturating_duration_since(now)
    }

    /// `work`, or `None` when the deadline comes first.
    pub async fn within<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::time::timeout_at(self.deadline.into(), work).await.ok()
    }
}

/// A pool of connections, shared by all that clone it.
#[derive(Debug, Clone)]
pub struct Client(reqwest::Client);

impl Client {
    /// A pool that trusts these authorities. Redirects are not followed: a token would go along, or the question.
    ///
    /// # Errors
    /// Nothing that depends on the world.
    pub fn new(roots: &Roots, tls_needed: bool) -> Result<Self, String> {
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(roots.client(tls_needed))
            .user_agent(concat!("context-sidecar/", env!("CARGO_PKG_VERSION")))
            .redirect(Policy::none())
            .referer(false)
            .retry(retry::never())
            .no_proxy()
            .connect_timeout(CONNECT)
            .pool_idle_timeout(IDLE)
            .tcp_nodelay(true)
            .build();
        client.map(Self).map_err(|error| format!("no HTTP client: {error}"))
    }
}

/// Something that takes JSON by POST.
#[derive(Clone)]
pub struct Endpoint {
    client: Client,
    url: Url,
    token: Option<Arc<Token>>,
    largest: usize,
}

impl Endpoint {
    /// What is at `base`, and there under `path` (empty, or beginning with a slash).
    ///
    /// # Errors
    /// What is wrong with the address. It is not quoted: people put credentials into URLs.
    pub fn new(client: &Client, base: &str, path: &str, token: Option<Arc<Token>>) -> Result<Self, String> {
        parse_url(base).map_err(|faults| {
            let faults: Vec<String> = faults.iter().map(|fault| format!("{}: {}", fault.message, fault.hint)).collect();
            faults.join("; ")
        })?;
        let whole = format!("{}{path}", base.trim_end_matches('/'));
        let url = Url::parse(&whole).map_err(|error| format!("is not an http(s) URL: {error}"))?;
        Ok(Self { client: client.clone(), url, token, largest: LARGEST })
    }

    /// The same, with another limit for answers, in bytes.
    #[must_use]
    pub fn with_largest(self, largest: usize) -> Self {
        Self { largest, ..self }
    }

    /// Where it is, fit for a log.
    #[must_use]
    pub fn place(&self) -> String {
        // It has neither credentials nor a query.
        self.url.to_string()
    }

    /// The path, which tells some servers from others.
    #[must_use]
    pub fn path(&self) -> &str {
        self.url.path()
    }

    /// Sends `question` and reads the answer, all of it before the deadline. `due` says what an answer should look like.
    ///
    /// # Errors
    /// Why there is no answer that could be used.
    pub async fn ask<A: DeserializeOwned>(
        &self,
        question: &(impl Serialize + Sync),
        due: &'static str,
        call: &Call,
    ) -> Result<A, Trouble> {
        let started = clock::now();
        let question = serde_json::to_vec(question).map_err(|_| self.shape(due, "the question cannot be written"))?;
        let headers = self.headers(call)?;
        let (status, headers, body) = call.within(self.exchange(question, headers)).await.unwrap_or_else(|| {
            let after = clock::now().saturating_duration_since(started);
            Err(Trouble::Late { place: self.place(), after })
        })?;
        if !(200..300).contains(&status) {
            if let (401 | 403, Some(token)) = (status, &self.token) {
                token.forget();
            }
            let token = self.token.as_ref().map(|token| token.path().to_owned());
            return Err(Trouble::of_status(self.place(), status, &headers, token, clock::unix()));
        }
        if trouble::looks_like_html(&body) {
            return Err(Trouble::Html { place: self.place(), due });
        }
        // The parser's own words may quote what it found: a vector gives a text away.
        serde_json::from_slice(&body).map_err(|error| {
            let what = if error.is_data() { "has something else" } else { "is not JSON, or ends too soon," };
            self.shape(due, format!("{what} at line {} column {}", error.line(), error.column()))
        })
    }

    /// An answer that is not what it should be.
    #[must_use]
    pub fn shape(&self, due: &'static str, why: impl Into<String>) -> Trouble {
        Trouble::Shape { place: self.place(), due, why: why.into() }
    }

    fn headers(&self, call: &Call) -> Result<HeaderMap, Trouble> {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        if let Some(token) = &self.token {
            headers.insert(header::AUTHORIZATION, token.header()?);
        }
        if let Some(id) = &call.request_id {
            headers.insert("x-request-id", id.clone());
        }
        telemetry::inject(&mut headers);
        Ok(headers)
    }

    async fn exchange(&self, question: Vec<u8>, headers: HeaderMap) -> Result<(u16, HeaderMap, Vec<u8>), Trouble> {
        let request = self.client.0.post(self.url.clone()).headers(headers).body(question);
        let broken = |error: reqwest::Error| Trouble::unreachable(self.place(), &error.without_url());
        let answer = request.send().await.map_err(broken)?;
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let body = self.read(answer).await?;
        Ok((status, headers, body))
    }

    async fn read(&self, mut answer: Response) -> Result<Vec<u8>, Trouble> {
        let too_large = || Trouble::TooLarge { place: self.place(), limit: self.largest };
        let announced = answer.content_length().unwrap_or_default();
        if announced > self.largest as u64 {
            return Err(too_large());
        }
        let mut body = Vec::with_capacity(usize::try_from(announced).unwrap_or_default());
        loop {
            let piece = answer.chunk().await;
            match piece.map_err(|error| Trouble::unreachable(self.place(), &error.without_url()))? {
                Some(piece) if body.len() + piece.len() > self.largest => return Err(too_large()),
                Some(piece) => body.extend_from_slice(&piece),
                None => return Ok(body),
            }
        }
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Endpoint").field(&self.place()).finish()
    }
}
