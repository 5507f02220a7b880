//! Why there is no answer: one kind for all doors, which render it in their own shape.

use std::{fmt, time::Duration};

/// A failure. Its text is for the caller: it holds no content of anybody's documents, and no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What went wrong, as a status.
    pub kind: Kind,
    /// What, where, and what to do.
    pub message: String,
    /// Which field of the request it is about: `documents[3].text`.
    pub param: Option<String>,
    /// When the same may work.
    pub retry_after: Option<Duration>,
}

/// What went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// 400: the request makes no sense.
    Invalid,
    /// 403: whose documents is not clear, or not proven.
    Forbidden,
    /// 404: there is no such collection, document or conversation.
    NotFound,
    /// 409: the collection is of another kind.
    Conflict,
    /// 413: more than may come.
    TooLarge,
    /// 429: too many at once.
    Busy,
    /// 500: a bug.
    Internal,
    /// 503: the store, or what the question cannot do without, is down.
    Unavailable,
    /// 504: the deadline came first.
    Late,
    /// 507: the store is full.
    Full,
}

impl Failure {
    /// A failure.
    #[must_use]
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), param: None, retry_after: None }
    }

    /// The same, about a field.
    #[must_use]
    pub fn about(mut self, param: impl Into<String>) -> Self {
        self.param = Some(param.into());
        self
    }
}

impl Kind {
    /// The status of HTTP.
    #[must_use]
    pub const fn status(self) -> u16 {
        match self {
            Self::Invalid => 400,
            Self::Forbidden => 403,
            Self::NotFound => 404,
            Self::Conflict => 409,
            Self::TooLarge => 413,
            Self::Busy => 429,
            Self::Internal => 500,
            Self::Unavailable => 503,
            Self::Late => 504,
            Self::Full => 507,
        }
    }

    /// The type that is told, and the metric's label.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::Invalid => "invalid_request_error",
            Self::Forbidden => "permission_error",
            Self::NotFound => "not_found_error",
            Self::Conflict => "conflict_error",
            Self::TooLarge => "request_too_large",
            Self::Busy => "rate_limit_error",
            Self::Internal => "internal_error",
            Self::Unavailable => "unavailable_error",
            Self::Late => "timeout_error",
            Self::Full => "storage_full_error",
        }
    }
}

impl serde::Serialize for Kind {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.label())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.param {
            Some(param) => write!(f, "{param}: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

impl std::error::Error for Failure {}
