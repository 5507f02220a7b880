//! Why there is no answer: a status and an error, for the caller.

use ambassador_core::{
    dialect::openai::{Invalid, Problem},
    failover,
    provider::{Inexpressible, Refusal},
    route::NoRoute,
};
use http::{HeaderValue, StatusCode};

/// A request without an answer. What it says is for the caller; it holds no key and nothing of the conversation
/// beyond the provider's own words.
#[derive(Debug, Clone)]
pub struct Failure {
    /// The status for the caller.
    pub status: StatusCode,
    /// What went wrong, in the shape that its SDK knows.
    pub problem: Problem,
    /// When to come back, as the provider says it.
    pub retry_after: Option<HeaderValue>,
}

impl Failure {
    /// A failure with the status and an error of the type `kind`.
    #[must_use]
    pub fn new(status: StatusCode, kind: &str, message: impl Into<String>) -> Self {
        Self { status, problem: Problem::new(kind, message), retry_after: None }
    }

    /// The same with a machine-readable code.
    #[must_use]
    pub fn with_code(mut self, code: &str) -> Self {
        self.problem.code = Some(code.to_owned());
        self
    }

    /// What a provider said instead of answering.
    #[must_use]
    pub fn refused(status: StatusCode, refusal: Refusal, retry_after: Option<HeaderValue>) -> Self {
        Self { status, problem: Problem::from_refusal(status.as_u16(), refusal), retry_after }
    }

    /// A provider that could not be reached.
    #[must_use]
    pub fn unreachable(provider: &str, what: &str) -> Self {
        let message = format!("The provider '{provider}' could not be reached: {what}.");
        Self::new(StatusCode::BAD_GATEWAY, "upstream_error", message).with_code("upstream_unreachable")
    }

    /// A provider that was reached, and that broke off before any of its answer could be passed on.
    #[must_use]
    pub fn broken(provider: &str, what: &str) -> Self {
        let message = format!("The provider '{provider}' broke off before its answer was there: {what}.");
        Self::new(StatusCode::BAD_GATEWAY, "upstream_error", message).with_code("upstream_broken")
    }

    /// A provider whose answer was none.
    #[must_use]
    pub fn malformed(provider: &str, what: &str) -> Self {
        let message = format!("The provider '{provider}' sent an answer that cannot be used: {what}.");
        Self::new(StatusCode::BAD_GATEWAY, "upstream_error", message).with_code("upstream_malformed")
    }

    /// A provider that took too long.
    #[must_use]
    pub fn timed_out(provider: &str, phase: failover::Phase) -> Self {
        let phase = match phase {
            failover::Phase::Connect => "a connection",
            failover::Phase::Headers => "its response",
            failover::Phase::FirstContent => "its first content",
            failover::Phase::Idle => "more content",
            failover::Phase::Total => "its answer",
        };
        let message = format!("The provider '{provider}' took too long: gave up waiting for {phase}.");
        Self::new(StatusCode::GATEWAY_TIMEOUT, "timeout_error", message).with_code("upstream_timeout")
    }

    /// The process ends before there was an answer.
    #[must_use]
    pub fn stopping() -> Self {
        let message = "The ambassador is being stopped, and there was no answer yet.";
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "server_error", message).with_code("shutdown")
    }

    /// The request's deadline has passed.
    #[must_use]
    pub fn deadline(attempts: u32) -> Self {
        let attempts = if attempts == 1 { "1 attempt".to_owned() } else { format!("{attempts} attempts") };
        let message = format!("The request's deadline passed before any provider had answered ({attempts}).");
        Self::new(StatusCode::GATEWAY_TIMEOUT, "timeout_error", message).with_code("deadline_exceeded")
    }
}

impl From<Invalid> for Failure {
    fn from(invalid: Invalid) -> Self {
        let mut failure = Self::new(StatusCode::BAD_REQUEST, "invalid_request_error", invalid.message);
        failure.problem.param = invalid.param;
        failure
    }
}

impl From<Inexpressible> for Failure {
    fn from(inexpressible: Inexpressible) -> Self {
        let mut failure = Self::new(StatusCode::BAD_REQUEST, "invalid_request_error", inexpressible.message)
            .with_code("unsupported_by_provider");
        failure.problem.param = Some(inexpressible.param);
        failure
    }
}

impl From<NoRoute> for Failure {
    fn from(no_route: NoRoute) -> Self {
        let mut failure = Self::new(StatusCode::NOT_FOUND, "invalid_request_error", no_route.to_string())
            .with_code("model_not_found");
        failure.problem.param = Some("model".to_owned());
        failure
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_attempt_is_one() {
        let told = |attempts| Failure::deadline(attempts).problem.message;
        assert!(
            told(0).ends_with("(0 attempts).")
                && told(1).ends_with("(1 attempt).")
                && told(2).ends_with("(2 attempts).")
        );
    }
}
