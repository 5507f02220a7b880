//! `x-endpoint`: where a tool runs. The worker calls it there; without one, the agent's own code does.

use chassis::config::{Problem, Problems, parse_url, parse_yaml};
use chassis::units::Span;
use serde::Deserialize;
use serde_json::Value;

/// How long a call may take that says nothing else.
const TIMEOUT: Span = Span::seconds(30);

/// Where a tool runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// `http://` or `https://`, without credentials.
    pub url: String,
    /// How it is called.
    pub method: Method,
    /// How long a call may take.
    pub timeout: Span,
    /// Whether the same call twice does no more than once: then it is tried again.
    pub idempotent: bool,
}

/// A method of HTTP.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// The arguments are in the query.
    Get,
    /// The arguments are in the body, as for those below.
    #[default]
    Post,
    /// `PUT`.
    Put,
    /// `PATCH`.
    Patch,
    /// `DELETE`.
    Delete,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    url: Option<String>,
    #[serde(default)]
    method: Method,
    timeout: Option<Span>,
    #[serde(default)]
    idempotent: bool,
}

/// Reads the extension at `place`.
pub(super) fn read(value: &Value, place: &str, found: &mut Problems) -> Option<Endpoint> {
    if !value.is_object() {
        found.push_hint(place, "is no mapping", "write {\"url\": \"http://…\"}");
        return None;
    }
    // JSON is YAML, and this way problems have the words that those of our own files have.
    let (written, mut problems) = parse_yaml::<Written>(&value.to_string());
    let url = written.as_ref().and_then(|written| written.url.as_deref());
    match url {
        Some(url) => check_url(url, &mut problems),
        None if problems.pruned("url") => {}
        None => problems.push_hint("url", "is missing", "write where the tool runs"),
    }
    let timeout = written.as_ref().and_then(|written| written.timeout).unwrap_or(TIMEOUT);
    if timeout.is_zero() {
        problems.push_hint("timeout", "must be above 0", "leave it out for 30s");
    }
    let fine = problems.is_empty();
    for Problem { path, message, hint } in problems.iter() {
        let at = if path.is_empty() { place.to_owned() } else { format!("{place}.{path}") };
        match hint {
            Some(hint) => found.push_hint(at, message, hint),
            None => found.push(at, message),
        }
    }
    let Written { url, method, idempotent, .. } = written.filter(|_| fine)?;
    Some(Endpoint { url: url?, method, timeout, idempotent })
}

/// Refuses what is no address of a tool. A query is fine: some tools are told apart by it.
fn check_url(url: &str, problems: &mut Problems) {
    let (address, rest) = url.split_once('?').unwrap_or((url, ""));
    for fault in parse_url(address).err().unwrap_or_default() {
        problems.push_hint("url", fault.message, fault.hint);
    }
    if rest.contains('#') {
        problems.push_hint("url", "has a fragment", "cut off what begins with `#`");
    }
}
