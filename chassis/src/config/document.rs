//! YAML text to a JSON value, within limits.
//!
//! A configuration is mounted by an operator, not sent by a stranger; but a file of one kilobyte
//! that expands to gigabytes is as fatal when it is an accident. The limits are far above any real
//! configuration and far below what would hurt.

use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::{Map, Value};
use serde_saphyr::options::{DuplicateKeyPolicy, NonFiniteFloatPolicy};
use serde_saphyr::{Error, Options, alias_limits, budget, options};

use super::problems::{Problem, Problems};
use crate::excerpt::excerpt;

const MAX_BYTES: usize = 4 << 20;
const MAX_NODES: usize = 200_000;
const MAX_REPLAYED: usize = 100_000;

/// Reads the document, which must be a mapping, or records why that is impossible.
pub(super) fn read(text: &str, problems: &mut Problems) -> Option<Value> {
    match parsed::<Value>(text, NonFiniteFloatPolicy::Reject, problems)? {
        Value::Null => Some(Value::Object(Map::new())),
        mapping @ Value::Object(_) => Some(mapping),
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            problems.push("", "the document is not a mapping of keys to values");
            None
        }
    }
}

/// Records why a text is no document; whatever kind of value it is.
pub(super) fn check(text: &str, problems: &mut Problems) {
    // YAML has values that JSON has not: `.nan`, a list as a key.
    let _ = parsed::<IgnoredAny>(text, NonFiniteFloatPolicy::PassThrough, problems);
}

/// Reads the document, or records why that is impossible.
fn parsed<T: DeserializeOwned + Default>(
    text: &str,
    floats: NonFiniteFloatPolicy,
    problems: &mut Problems,
) -> Option<T> {
    if text.len() > MAX_BYTES {
        problems.push("", "the document is larger than 4 MiB");
        return None;
    }
    let first = parse(text, rules(DuplicateKeyPolicy::Error, floats));
    let value = match first {
        Err(error @ Error::DuplicateMappingKey { .. }) => {
            problems.record(problem(&error));
            // The rest of the document deserves to be looked at as well.
            parse(text, rules(DuplicateKeyPolicy::FirstWins, floats))
        }
        other => other,
    };
    value.map_err(|error| problems.record(problem(&error))).ok()
}

fn parse<T: DeserializeOwned + Default>(text: &str, rules: Options) -> Result<T, Error> {
    if text.trim().is_empty() {
        return Ok(T::default());
    }
    serde_saphyr::from_str_with_options(text, rules)
}

fn rules(duplicate_keys: DuplicateKeyPolicy, floats: NonFiniteFloatPolicy) -> Options {
    options! {
        budget: budget! {
            max_events: 2 * MAX_NODES,
            max_nodes: MAX_NODES,
            max_total_scalar_bytes: MAX_BYTES,
            max_documents: 1,
        },
        alias_limits: alias_limits! {
            max_total_replayed_events: MAX_REPLAYED,
            max_replay_stack_depth: 16,
        },
        duplicate_keys: duplicate_keys,
        non_finite_float_policy: floats,
        // `NO` is a country and `on` is a word.
        strict_booleans: true,
        // A snippet would show lines of the file, and a line may hold a credential.
        with_snippet: false,
    }
}

fn problem(error: &Error) -> Problem {
    let path = error
        .location()
        .map_or_else(String::new, |location| format!("line {}, column {}", location.line(), location.column()));
    let message = if let Error::DuplicateMappingKey { key, .. } = error {
        let key = key.as_deref().unwrap_or("?");
        format!("the key `{}` is there twice", excerpt(key))
    } else {
        let text = error.to_string();
        let line = text.lines().next().unwrap_or_default();
        // The place is in the path already.
        let line = line.split_once(" at line ").map_or(line, |(message, _)| message);
        if line.starts_with("non-finite float") {
            "a number must be finite".to_owned()
        } else {
            format!("not valid YAML: {line}")
        }
    };
    Problem { path, message, hint: None }
}
