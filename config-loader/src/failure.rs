//! Why a set cannot be published: what, where, and what to do; and the exit code that says it in a number.

use std::{fmt, time::Duration};

use chassis::exit::Code;

/// A reason. It holds no secret: addresses are told without credentials and queries, contents not at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The process ends with it, if nothing else helps.
    pub code: Code,
    /// What went wrong, and where in what was read.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// Whether the same again may succeed.
    pub retry: Retry,
}

/// Whether, and when, the same again may succeed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// It will fail again.
    Never,
    /// It may succeed in a moment.
    Soon,
    /// The source says when to come back.
    After(Duration),
}

impl Failure {
    /// A failure that would happen again.
    #[must_use]
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), hint: None, retry: Retry::Never }
    }

    /// Bad data: what was fetched is not what it should be.
    #[must_use]
    pub fn data(message: impl Into<String>) -> Self {
        Self::new(Code::Data, message)
    }

    /// The source cannot be had, for the moment perhaps.
    #[must_use]
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self { retry: Retry::Soon, ..Self::new(Code::Unavailable, message) }
    }

    /// The source refuses us, or we refuse it.
    #[must_use]
    pub fn denied(message: impl Into<String>) -> Self {
        Self::new(Code::Denied, message)
    }

    /// The same with a hint.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same, to be tried again or not.
    #[must_use]
    pub const fn with_retry(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "; {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Failure {}
