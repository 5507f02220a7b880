//! What Qdrant's refusals mean for whoever has to act on them.
//!
//! Its own words are passed on only where they are about the store. What it says about a body that it could not read
//! may quote the body, which is somebody's text.

use chassis::causes::causes;
use context_core::scope::Collection;
use reqwest::StatusCode;
use serde::Deserialize;

use crate::store::Fault;

/// As much of Qdrant's words as is passed on.
const LONGEST: usize = 240;

#[derive(Deserialize)]
struct Refusal {
    status: Status,
}

#[derive(Deserialize)]
struct Status {
    error: String,
}

/// What an answer with such a status means. `key` says where the key comes from, `name` which collection it was about.
pub(super) fn refused(
    at: &str,
    status: StatusCode,
    body: &[u8],
    key: Option<&str>,
    name: Option<&Collection>,
) -> Fault {
    let words = serde_json::from_slice::<Refusal>(body).map(|refusal| refusal.status.error).ok();
    let code = status.as_u16();
    let has = |text: &str| words.as_deref().is_some_and(|words| words.to_ascii_lowercase().contains(text));
    let said = match words.as_deref() {
        Some(words) if !has("json body") => format!("{code}: {}", words.chars().take(LONGEST).collect::<String>()),
        _ => code.to_string(),
    };
    // It says 403 to this, too, which has nothing to do with the key.
    if has("strict mode") || has("index required") || has("help:") {
        return Fault::Refused(format!(
            "{at} is strict and refuses this ({said}): index the metadata that is filtered by, or raise the collection's limits"
        ));
    }
    if matches!(code, 401 | 403) {
        let what = match key {
            Some(key) => {
                format!("does not accept the key in {key}, or that key may not do this: check QDRANT_API_KEY_FILE")
            }
            None => "wants a key: set QDRANT_API_KEY_FILE".to_owned(),
        };
        return Fault::Refused(format!("{at} {what} ({code})"));
    }
    if has("no space left") || has("available disk space") || code == 507 {
        return Fault::Full(format!("{at} has no space left ({said}): make its volume larger, or delete documents"));
    }
    match (code, name) {
        (404, Some(name)) if has("collection") || has("not found") => return Fault::NoCollection(name.clone()),
        (413, _) => return too_large(at),
        (400, _) if has("larger than allowed") => return too_large(at),
        (404 | 405, _) => {
            return Fault::Refused(format!(
                "{at} does not know what was asked ({said}): is QDRANT_URL that of a Qdrant?"
            ));
        }
        (408 | 429 | 500.., _) => return Fault::Unavailable(format!("{at} failed ({said})")),
        _ => {}
    }
    if has("dimension error") || has("vector name") {
        return Fault::Mismatch(format!(
            "{at}: the collection is made for other vectors ({said}): ingest into a new collection"
        ));
    }
    Fault::Refused(format!("{at} refuses this ({said})"))
}

fn too_large(at: &str) -> Fault {
    Fault::Refused(format!(
        "{at} refuses a request of this size: a document's metadata is too large, or Qdrant's max_request_size_mb too small"
    ))
}

/// What it means when there is no answer.
pub(super) fn unreached(at: &str, error: &reqwest::Error) -> Fault {
    // The address is in `at` already.
    let what = if error.is_timeout() {
        "does not answer in time".to_owned()
    } else if error.is_connect() {
        format!("cannot be reached ({})", innermost(error))
    } else {
        format!("has broken off ({})", innermost(error))
    };
    Fault::Unavailable(format!("{at} {what}"))
}

fn innermost(error: &reqwest::Error) -> String {
    std::error::Error::source(error).map_or_else(|| "no reason is known".to_owned(), causes)
}

/// What it means when the answer is none of Qdrant's.
pub(super) fn strange(at: &str, body: &[u8]) -> Fault {
    let page = body.trim_ascii_start().first() == Some(&b'<');
    let what = if page { "a web page" } else { "something else" };
    Fault::Unavailable(format!(
        "{at} answers {what} where Qdrant would answer JSON: is QDRANT_URL right, is a proxy in between?"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(status: u16, error: &str) -> Fault {
        let body = serde_json::json!({"status": {"error": error}, "time": 0.0}).to_string();
        let name = "docs".parse().unwrap();
        refused("http://q:6333", StatusCode::from_u16(status).unwrap(), body.as_bytes(), Some("/key"), Some(&name))
    }

    #[test]
    fn refusals_are_told_apart() {
        assert_eq!(
            told(404, "Not found: Collection `docs` doesn't exist!"),
            Fault::NoCollection("docs".parse().unwrap())
        );
        for (status, error, kind, says) in [
            (401, "Must provide an API key or an Authorization bearer token", "Refused", "the key in /key"),
            (403, "Forbidden", "Refused", "QDRANT_API_KEY_FILE"),
            (
                400,
                "JSON payload (33554433 bytes) is larger than allowed (limit: 33554432 bytes).",
                "Refused",
                "max_request_size_mb",
            ),
            (413, "", "Refused", "max_request_size_mb"),
            (400, "Wrong input: Vector dimension error: expected dim: 4, got 3", "Mismatch", "expected dim: 4"),
            (400, "Wrong input: Not existing vector name error: dense", "Mismatch", "new collection"),
            (403, "Forbidden: Limit exceeded 200 > 100 for \"limit\". Help: Reduce it", "Refused", "is strict"),
            (400, "Bad request: Index required but not found for \"metadata.lang\"", "Refused", "index the metadata"),
            (500, "Service internal error: No space left on device", "Full", "volume"),
            (500, "Service internal error", "Unavailable", "500"),
            (503, "", "Unavailable", "503"),
            (429, "slow down", "Unavailable", "429"),
        ] {
            let fault = told(status, error);
            assert!(format!("{fault:?}").starts_with(kind), "{fault:?} is not {kind}");
            assert!(fault.to_string().contains(says), "`{fault}` does not say `{says}`");
        }
    }

    #[test]
    fn what_may_quote_a_body_is_not_passed_on() {
        let told = told(400, "Format error in JSON body: invalid type: string \"a secret\", expected f32").to_string();
        assert!(!told.contains("secret"), "{told}");
    }
}
