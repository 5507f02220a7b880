//! A provider that can be asked: where it is, with which keys, and the requests it gets.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use ambassador_core::provider::{Operation, Provider, Refusal};
use bytes::Bytes;
use chassis::secret::Secret;
use http::{
    HeaderMap, HeaderValue, Method, Request, Uri,
    header::{ACCEPT, ACCEPT_ENCODING, CONTENT_TYPE, HOST, USER_AGENT},
};
use http_body_util::Full;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::connect::HttpConnector;
use prometheus_client::metrics::counter::Counter;

use crate::pool::Pool;

/// How this program calls itself.
const AGENT: HeaderValue = HeaderValue::from_static(concat!("outrigger-ambassador/", env!("CARGO_PKG_VERSION")));

/// The shortest key that is taken for a secret, in bytes.
const SECRET: usize = 8;

/// A provider that can be asked.
#[derive(Debug)]
pub struct Upstream {
    /// Its name in the configuration.
    pub name: String,
    /// How it is spoken to.
    pub provider: &'static dyn Provider,
    /// Whether streams are asked to tell their usage.
    pub stream_usage: bool,
    /// Counts the attempts that were answered.
    pub answered: Counter,
    keys: Vec<Secret>,
    /// For each key (or for none at all) the headers of a request.
    headers: Vec<HeaderMap>,
    next_key: AtomicUsize,
    chat: Option<Uri>,
    embeddings: Option<Uri>,
    /// Its connections.
    pub pool: Arc<Pool>,
}

/// Why a provider's address or keys cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("provider {name}: {reason}")]
pub struct Unusable {
    name: String,
    reason: String,
}

impl Upstream {
    /// A provider by its settings, with no connection yet.
    ///
    /// # Errors
    /// When its address or a key cannot be sent. Configuration has checked both, so this is a fault of ours.
    pub fn new(
        settings: ambassador_config::Upstream,
        connector: HttpsConnector<HttpConnector>,
        answered: Counter,
    ) -> Result<Self, Unusable> {
        let ambassador_config::Upstream { name, provider, base_url, keys, stream_usage } = settings;
        let unusable = |reason: String| Unusable { name: name.clone(), reason };
        let origin: Uri = base_url.parse().map_err(|error| unusable(format!("{error}")))?;
        let host = origin.authority().map(http::uri::Authority::as_str).unwrap_or_default();
        let host = HeaderValue::try_from(host).map_err(|error| unusable(error.to_string()))?;
        let header_sets =
            if keys.is_empty() { vec![None] } else { keys.iter().map(|key| Some(key.expose())).collect() };
        let headers = header_sets
            .into_iter()
            .map(|key| {
                let mut headers = HeaderMap::with_capacity(8);
                headers.insert(HOST, host.clone());
                headers.insert(USER_AGENT, AGENT);
                headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
                headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
                headers.insert(ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
                headers.extend(provider.headers(key).map_err(|error| unusable(error.to_string()))?);
                Ok(headers)
            })
            .collect::<Result<Vec<_>, Unusable>>()?;
        let prefix = origin.path().trim_end_matches('/').to_owned();
        let path = |operation| {
            let path = provider.path(operation)?;
            Some(format!("{prefix}{path}").parse::<Uri>().map_err(|error| unusable(error.to_string())))
        };
        let chat = path(Operation::Chat).transpose()?;
        let embeddings = path(Operation::Embeddings).transpose()?;
        let pool = Pool::new(origin, connector);
        let next_key = AtomicUsize::new(0);
        Ok(Self { name, provider, stream_usage, answered, keys, headers, next_key, chat, embeddings, pool })
    }

    /// How many keys there are to try; a provider without any counts as one.
    #[must_use]
    pub fn keys(&self) -> usize {
        self.headers.len()
    }

    /// The key to begin with: they take turns.
    pub fn first_key(&self) -> usize {
        self.next_key.fetch_add(1, Ordering::Relaxed) % self.headers.len().max(1)
    }

    /// The request for an operation with the key of that index.
    #[must_use]
    pub fn request(&self, operation: Operation, key: usize, body: Bytes) -> Option<Request<Full<Bytes>>> {
        let path = match operation {
            Operation::Chat => self.chat.clone(),
            Operation::Embeddings => self.embeddings.clone(),
        };
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = path?;
        request.headers_mut().clone_from(self.headers.get(key)?);
        Some(request)
    }

    /// `refusal` without any key of ours: providers like to quote the one they refuse. What is as short as `EMPTY` (engines
    /// of one's own take anything) is no secret, and would be found in the middle of words.
    #[must_use]
    pub fn without_keys(&self, refusal: Refusal) -> Refusal {
        let without = |text: String| without(self.keys.iter().map(Secret::expose), text);
        let Refusal { message, kind, code, param } = refusal;
        Refusal {
            message: without(message),
            kind: kind.map(without),
            code: code.map(without),
            param: param.map(without),
        }
    }
}

/// The text with each of the keys replaced.
fn without<'k>(keys: impl Iterator<Item = &'k str>, text: String) -> String {
    keys.filter(|key| key.len() >= SECRET && text.contains(key))
        .fold(text.clone(), |text, key| text.replace(key, "[key]"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_taken_out_and_words_are_left_whole() {
        let keys = ["sk-canary-1", "sk-canary-2", "EMPTY", "k"];
        let text = "sk-canary-1, sk-canary-2: unknown request, EMPTY body".to_owned();
        assert_eq!(without(keys.into_iter(), text), "[key], [key]: unknown request, EMPTY body");
    }
}
