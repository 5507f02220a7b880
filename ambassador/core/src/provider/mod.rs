//! What upstreams speak. A provider is one file here and one row in [`ALL`].
//!
//! A vendor that is compatible with OpenAI needs no file: it is configuration of the kind `openai-compatible`.

mod anthropic;
mod openai;

use bytes::Bytes;
use http::{HeaderName, HeaderValue};

use crate::{chat, wire::envelope::Envelope};

pub use self::{
    anthropic::Anthropic,
    openai::{OPENAI, OPENAI_COMPATIBLE, OpenAi},
};

/// Every kind of provider, in the order in which `--help` names them.
pub static ALL: [&dyn Provider; 3] = [&OPENAI, &Anthropic, &OPENAI_COMPATIBLE];

/// The provider of a kind, as the configuration names it.
#[must_use]
pub fn by_kind(kind: &str) -> Option<&'static dyn Provider> {
    ALL.into_iter().find(|provider| provider.kind() == kind)
}

/// What is asked of a provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// A chat completion, whole or streamed.
    Chat,
    /// Vectors for texts.
    Embeddings,
}

/// How one kind of upstream is spoken to.
pub trait Provider: Send + Sync + std::fmt::Debug {
    /// The kind's name in configuration, as `openai-compatible`.
    fn kind(&self) -> &'static str;

    /// Where the vendor serves its API, as its own SDK has it; `None` where there is no one vendor.
    fn base_url(&self) -> Option<&'static str>;

    /// The path below the base URL that serves an operation; `None` where it is not served.
    fn path(&self, operation: Operation) -> Option<&'static str>;

    /// The headers that a request carries for its key (if it has one) and the API's version.
    ///
    /// # Errors
    /// When the key has characters that no header can carry.
    fn headers(&self, key: Option<&str>) -> Result<Vec<(HeaderName, HeaderValue)>, http::header::InvalidHeaderValue>;

    /// The API that it serves.
    fn api(&self) -> Api<'_>;

    /// What an answer other than a 200 says.
    fn refusal(&self, status: u16, body: &[u8]) -> Refusal;
}

/// What a provider's API is to a caller of OpenAI's.
pub enum Api<'p> {
    /// The same: bytes pass through.
    Same(&'p dyn Adapter),
    /// One of its own: everything is translated.
    Own(&'p dyn Translator),
}

/// The little that has to change between two sides of one API.
pub trait Adapter: Send + Sync {
    /// The request for `model`: the original bytes with only that changed which must change. With `stream_usage` a
    /// stream is asked to tell its usage.
    fn adapt(&self, operation: Operation, request: &Envelope<'_>, model: &str, stream_usage: bool) -> Bytes;
}

/// Translation between the canonical exchange and a provider's own API.
pub trait Translator: Send + Sync {
    /// The provider's request for `model`.
    ///
    /// # Errors
    /// When the request asks for what this provider cannot do at all.
    fn encode(&self, request: &chat::Request, model: &str) -> Result<Encoded, Inexpressible>;

    /// A whole answer.
    ///
    /// # Errors
    /// When the body is not an answer of this API, whatever its status said.
    fn decode(&self, body: &[u8]) -> Result<chat::Response, NoAnswer>;

    /// A decoder for one streamed answer.
    fn events(&self) -> Box<dyn EventDecoder>;
}

/// A stateful decoder of one stream of server-sent events.
pub trait EventDecoder: Send {
    /// Decodes one event's `data` (its `event` name repeats what `data` says in every API here) and appends what it
    /// means to `out`. Events and blocks of unknown type mean nothing and are no error.
    ///
    /// # Errors
    /// [`StreamError::Provider`] where the event is the provider's own report of a failure,
    /// [`StreamError::Malformed`] where the data cannot be read.
    fn event(&mut self, data: &[u8], out: &mut Vec<chat::Event>) -> Result<(), StreamError>;
}

/// A request body and what it had to leave behind.
#[derive(Clone, PartialEq)]
pub struct Encoded {
    /// The provider's JSON.
    pub body: Bytes,
    /// Names (in the caller's dialect, as `seed`) of fields that the provider cannot take, or took only changed.
    pub dropped: Vec<&'static str>,
}

/// What a provider says when it does not answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Its own words, for the caller. Empty where there were none that a person could read (HTML, say).
    pub message: String,
    /// Its error type, in its own vocabulary (`invalid_request_error`, `overloaded_error`, ...).
    pub kind: Option<String>,
    /// Its machine-readable code, always a string here (some engines send integers).
    pub code: Option<String>,
    /// The request field at fault, where it says so.
    pub param: Option<String>,
}

/// A request that a provider cannot express.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Inexpressible {
    /// The field at fault, in the caller's dialect, as `messages[2].content`.
    pub param: String,
    /// What is wrong and what to do, for the caller.
    pub message: String,
}

/// An answer that is not what the API's documentation promises.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub String);

/// Why a body that came with a 200 is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoAnswer {
    /// It reports a failure.
    #[error("the provider reported {}", .0.kind.as_deref().unwrap_or("an error"))]
    Refused(Refusal),
    /// It cannot be read.
    #[error(transparent)]
    Malformed(#[from] Malformed),
}

/// Why a stream cannot go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StreamError {
    /// The provider reported a failure inside the stream.
    #[error("the provider reported {}: {}", .0.kind.as_deref().unwrap_or("an error"), .0.message)]
    Provider(Refusal),
    /// The bytes are not what the API promises.
    #[error("malformed event: {0}")]
    Malformed(String),
    /// The upstream's body ended before the provider said that the answer was whole.
    #[error("the stream ended before the answer was complete")]
    Truncated,
}

impl From<Malformed> for StreamError {
    fn from(Malformed(reason): Malformed) -> Self {
        Self::Malformed(reason)
    }
}

impl std::fmt::Debug for Encoded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Encoded").field("body", &self.body.len()).field("dropped", &self.dropped).finish()
    }
}
