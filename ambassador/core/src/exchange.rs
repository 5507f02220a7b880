//! One exchange with one provider: what is sent, and what its answer means to the caller.
//!
//! Passthrough where both sides speak the same dialect, translation through [`crate::chat`] where they do not. This is
//! the only place that knows both a provider and a dialect.

use std::fmt;

use bytes::Bytes;

use crate::{
    chat,
    dialect::openai::{self, Ask, Encoder, Invalid},
    provider::{Api, Inexpressible, Malformed, NoAnswer, Operation, Provider},
    relay::{Passthrough, Relay, Translated},
    wire::{openai::Passing, reason::reason},
};

/// A request, ready for one provider.
#[derive(Clone, PartialEq)]
pub struct Prepared {
    /// What to send.
    pub body: Bytes,
    /// Names of the caller's fields that the provider cannot take, or took only changed.
    pub dropped: Vec<&'static str>,
}

/// Why a request cannot go to a provider.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CannotPrepare {
    /// It makes no sense in its own dialect.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// It asks for what this provider cannot do.
    #[error(transparent)]
    Inexpressible(#[from] Inexpressible),
}

/// The request for `provider`, which is asked for `model`. With `stream_usage` a stream is asked to tell its usage.
///
/// # Errors
/// When the provider's dialect cannot say it.
pub fn prepare(
    provider: &dyn Provider,
    ask: &Ask<'_>,
    model: &str,
    stream_usage: bool,
) -> Result<Prepared, CannotPrepare> {
    match provider.api() {
        Api::Same(adapter) => {
            let body = adapter.adapt(ask.operation, &ask.envelope, model, stream_usage);
            Ok(Prepared { body, dropped: Vec::new() })
        }
        Api::Own(translator) => {
            let encoded = translator.encode(&openai::chat(&ask.envelope)?, model)?;
            Ok(Prepared { body: encoded.body, dropped: encoded.dropped })
        }
    }
}

/// A whole answer, in the caller's dialect.
#[derive(Clone, PartialEq)]
pub struct Answer {
    /// The JSON.
    pub body: Bytes,
    /// The model that answered, as the provider names it.
    pub model: Option<String>,
    /// What it cost; `None` where the provider did not say.
    pub usage: Option<chat::Usage>,
}

/// What a whole answer means to the caller; `created` is the time in seconds since 1970.
///
/// # Errors
/// When the body is no answer, whatever the status said.
pub fn answer(provider: &dyn Provider, operation: Operation, body: Bytes, created: u64) -> Result<Answer, NoAnswer> {
    if let Api::Own(translator) = provider.api() {
        let response = translator.decode(&body)?;
        let body = openai::answer(&response, created).into();
        return Ok(Answer { body, model: Some(response.model), usage: Some(response.usage) });
    }
    let passing: Passing<'_> = serde_json::from_slice(&body).map_err(|error| Malformed(reason(&error)))?;
    if let Some(refusal) = passing.refusal(&body) {
        return Err(NoAnswer::Refused(refusal));
    }
    if operation == Operation::Chat && passing.choices.as_ref().is_none_or(Vec::is_empty) {
        return Err(Malformed("a completion without choices".to_owned()).into());
    }
    let usage = passing.usage();
    let model = passing.model.map(Into::into);
    Ok(Answer { body, model, usage })
}

/// What carries a streamed answer of `provider` to the caller; `created` is the time in seconds since 1970.
#[must_use]
pub fn relay(provider: &dyn Provider, ask: &Ask<'_>, created: u64) -> Box<dyn Relay> {
    match provider.api() {
        Api::Same(_) => Box::new(Passthrough::new(ask.choices, ask.include_usage)),
        Api::Own(translator) => {
            Box::new(Translated::new(translator.events(), Encoder::new(created, ask.include_usage)))
        }
    }
}

impl fmt::Debug for Prepared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prepared").field("body", &self.body.len()).field("dropped", &self.dropped).finish()
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer")
            .field("body", &self.body.len())
            .field("model", &self.model)
            .field("usage", &self.usage)
            .finish()
    }
}
