//! Whether the schema of a tool's arguments is one: by the meta-schema of its draft, and complete in itself.

use chassis::config::Problems;
use chassis::excerpt::excerpt;
use jsonschema::error::ValidationErrorKind;
use jsonschema::paths::LocationSegment;
use jsonschema::{ValidationError, meta};
use serde_json::{Map, Value};

/// The drafts that are known without asking the network.
const DRAFTS: [&str; 5] = [
    "://json-schema.org/draft/2020-12/schema",
    "://json-schema.org/draft/2019-09/schema",
    "://json-schema.org/draft-07/schema",
    "://json-schema.org/draft-06/schema",
    "://json-schema.org/draft-04/schema",
];

/// Keys whose values are data, in which `$ref` is nothing but a word.
const DATA: [&str; 4] = ["const", "default", "enum", "examples"];

/// Keys whose values map names to schemas.
const NAMES: [&str; 5] = [".properties", ".$defs", ".definitions", ".patternProperties", ".dependentSchemas"];

/// Keys that refer to a schema.
const REFERENCES: [&str; 3] = ["$ref", "$dynamicRef", "$recursiveRef"];

/// Problems of one schema that are told: one mistake in a long one can look like many.
const TOLD: usize = 5;

/// Checks the schema at `place`.
pub(super) fn check(schema: &Value, place: &str, found: &mut Problems) {
    let Value::Object(map) = schema else {
        found.push_hint(place, "is no mapping", "write {\"type\": \"object\", \"properties\": { … }}");
        return;
    };
    if !is_known_draft(map) {
        found.push_hint(
            format!("{place}.$schema"),
            "is no draft that is known here",
            "leave it out, or write https://json-schema.org/draft/2020-12/schema or http://json-schema.org/draft-07/schema#",
        );
        return;
    }
    match map.get("type") {
        Some(Value::String(kind)) if kind == "object" => {}
        Some(Value::String(_) | Value::Array(_)) => {
            found.push_hint(format!("{place}.type"), "is not `object`, which arguments are", "write \"object\"");
        }
        None => found.push_hint(format!("{place}.type"), "is missing", "write \"type\": \"object\""),
        // Anything else is told by the meta-schema.
        Some(_) => {}
    }
    let before = found.len();
    refuse_remote(schema, place, found);
    match meta::validator_for(schema) {
        Ok(validator) => {
            validator.iter_errors(schema).take(TOLD).for_each(|error| tell(&error, place, found));
        }
        Err(error) => found.push(place, error.masked().to_string()),
    }
    if found.len() > before {
        return;
    }
    // What only shows when it is compiled: references that lead nowhere, and patterns.
    if let Err(error) = jsonschema::options().offline().build(schema) {
        tell(&error, place, found);
    }
}

fn tell(error: &ValidationError<'_>, place: &str, found: &mut Problems) {
    let at = segments(place, error.instance_path().iter());
    let (message, hint) = words(error);
    match hint {
        Some(hint) => found.push_hint(at, message, hint),
        None => found.push(at, message),
    }
}

fn is_known_draft(schema: &Map<String, Value>) -> bool {
    match schema.get("$schema") {
        None => true,
        Some(Value::String(draft)) => {
            let draft = draft.trim_end_matches('#');
            let rest = draft.strip_prefix("https").or_else(|| draft.strip_prefix("http"));
            rest.is_some_and(|rest| DRAFTS.contains(&rest))
        }
        Some(_) => false,
    }
}

/// Refuses references to anything outside of the schema: nobody fetches it, neither here nor at a provider.
fn refuse_remote(value: &Value, place: &str, found: &mut Problems) {
    match value {
        Value::Object(map) => {
            // A property may be called like a keyword, and then it holds a schema.
            let names = NAMES.iter().any(|name| place.ends_with(name));
            for (key, value) in map {
                let at = format!("{place}.{}", excerpt(key));
                let target = value.as_str().filter(|_| REFERENCES.contains(&key.as_str()));
                if target.is_some_and(|target| !target.starts_with('#')) {
                    found.push_hint(at, "refers to something outside of the schema", "copy it into $defs");
                } else if names || !DATA.contains(&key.as_str()) {
                    refuse_remote(value, &at, found);
                }
            }
        }
        Value::Array(list) => {
            for (i, value) in list.iter().enumerate() {
                refuse_remote(value, &format!("{place}[{i}]"), found);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// `[3].parameters` and `/properties/x` to `[3].parameters.properties.x`.
fn segments<'s>(place: &str, segments: impl IntoIterator<Item = LocationSegment<'s>>) -> String {
    segments.into_iter().fold(place.to_owned(), |path, segment| match segment {
        LocationSegment::Property(name) => format!("{path}.{}", excerpt(&name)),
        LocationSegment::Index(index) => format!("{path}[{index}]"),
    })
}

/// What a complaint means, without the value that it is about.
#[allow(clippy::wildcard_enum_match_arm, reason = "the rest is told in the words of the crate")]
fn words(error: &ValidationError<'_>) -> (String, Option<&'static str>) {
    let at = error.instance_path().as_str();
    let types = "the types are array, boolean, integer, null, number, object and string";
    match error.kind() {
        ValidationErrorKind::Referencing(_) => {
            ("has a reference that leads nowhere".to_owned(), Some("look at $ref, $defs and $id"))
        }
        ValidationErrorKind::Format { format } if format == "regex" => {
            ("is no regular expression".to_owned(), Some("JSON Schema takes those of ECMAScript"))
        }
        _ if at.ends_with("/type") && !at.ends_with("/properties/type") => {
            ("is no type of JSON Schema".to_owned(), Some(types))
        }
        _ => (error.masked_with("it").to_string(), None),
    }
}
