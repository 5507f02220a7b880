//! Errors that the SDKs turn into their typed exceptions.

use serde::Serialize;

use crate::{provider::Refusal, sse};

/// An error as a caller of this API knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// What went wrong and what to do.
    pub message: String,
    /// The error's type, as `invalid_request_error`.
    pub kind: String,
    /// The request field at fault.
    pub param: Option<String>,
    /// The machine-readable code.
    pub code: Option<String>,
}

impl Problem {
    /// An error of the given type without further detail.
    #[must_use]
    pub fn new(kind: &str, message: impl Into<String>) -> Self {
        Self { message: message.into(), kind: kind.to_owned(), param: None, code: None }
    }

    /// What a provider said with `status`, in this API's shape.
    #[must_use]
    pub fn from_refusal(status: u16, refusal: Refusal) -> Self {
        let message = if refusal.message.is_empty() {
            format!("the provider answered {status} without saying why")
        } else {
            refusal.message
        };
        let code = refusal.code.or_else(|| match status {
            401 => Some("invalid_api_key".to_owned()),
            404 => Some("model_not_found".to_owned()),
            429 => Some("rate_limit_exceeded".to_owned()),
            _ => None,
        });
        Self { message, kind: refusal.kind.unwrap_or_else(|| kind_of(status).to_owned()), param: refusal.param, code }
    }
}

/// The type that goes with a status where the provider names none.
fn kind_of(status: u16) -> &'static str {
    match status {
        401 => "authentication_error",
        403 => "permission_error",
        429 => "rate_limit_error",
        400..=499 => "invalid_request_error",
        _ => "server_error",
    }
}

#[derive(Serialize)]
struct Body<'a> {
    error: Error<'a>,
}

/// All four fields are always there: some clients fail over a missing one.
#[derive(Serialize)]
struct Error<'a> {
    message: &'a str,
    #[serde(rename = "type")]
    kind: &'a str,
    param: Option<&'a str>,
    code: Option<&'a str>,
}

/// The JSON of an error.
#[must_use]
pub fn error_body(problem: &Problem) -> Vec<u8> {
    let body = Body {
        error: Error {
            message: &problem.message,
            kind: &problem.kind,
            param: problem.param.as_deref(),
            code: problem.code.as_deref(),
        },
    };
    // Strings and nulls always serialise.
    serde_json::to_vec(&body).unwrap_or_default()
}

/// Appends the event that ends a stream in an error. Any `data` with an `error` in it raises in the SDKs.
pub fn error_event(problem: &Problem, out: &mut Vec<u8>) {
    sse::write(out, &error_body(problem));
}
