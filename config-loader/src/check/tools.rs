//! Tool definitions, in the shape of OpenAI, Anthropic or MCP: all of one shape, each with a name and a valid schema.

mod endpoint;
mod name;
mod schema;
mod shape;

use std::collections::BTreeMap;

use chassis::config::Problems;
use chassis::excerpt::excerpt;
use serde_json::{Map, Value};

pub use self::endpoint::{Endpoint, Method};
pub use self::shape::Shape;

use self::shape::Form;
use super::{json, problems};
use crate::failure::Failure;

/// The tools of a file, whatever its shape.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Tools {
    /// Those that are called with arguments, in the order of the file.
    pub tools: Vec<Tool>,
    /// The names of those that the provider runs itself (`web_search`): there is nothing to call.
    pub hosted: Vec<String>,
}

/// A tool.
#[derive(Debug, Clone, PartialEq)]
pub struct Tool {
    /// What the model calls it.
    pub name: String,
    /// What it is for.
    pub description: Option<String>,
    /// The JSON Schema of its arguments.
    pub schema: Value,
    /// Where it runs, where the file says so.
    pub endpoint: Option<Endpoint>,
}

impl Tools {
    /// The names of all.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tools.iter().map(|tool| &tool.name).chain(&self.hosted).map(String::as_str)
    }
}

/// Reads tools, and tells what is odd about them.
///
/// # Errors
/// Every problem, each with its path.
pub fn read(text: &str) -> Result<(Tools, Vec<String>), Failure> {
    let document = json::read(text)?;
    let mut found = Problems::new();
    let tools = match list(&document, &mut found) {
        Some((path, list)) => all(&path, list, &mut found),
        None => Tools::default(),
    };
    problems::refuse(&found)?;
    Ok((tools, problems::warnings(&found)))
}

/// The list of tools in a document, and its path.
fn list<'v>(document: &'v Value, found: &mut Problems) -> Option<(String, &'v [Value])> {
    let hint = "write [ … ], or { \"tools\": [ … ] }";
    let (path, list) = match document {
        Value::Array(list) => (String::new(), list),
        Value::Object(map) => match map.get("tools") {
            Some(Value::Array(list)) => {
                for key in
                    map.keys().filter(|key| !matches!(key.as_str(), "tools" | "nextCursor" | "_meta" | "$schema"))
                {
                    found.warn(excerpt(key), "is beside `tools`, and nobody reads it", "remove it");
                }
                (String::from("tools"), list)
            }
            Some(_) => {
                found.push_hint("tools", "is no list", hint);
                return None;
            }
            None => {
                found.push_hint("", "there is no list of tools", hint);
                return None;
            }
        },
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            found.push_hint("", "there is no list of tools", hint);
            return None;
        }
    };
    if list.is_empty() {
        found.warn(&path, "has no tool in it", "leave the file out if the agent has none");
    }
    Some((path, list))
}

fn all(path: &str, list: &[Value], found: &mut Problems) -> Tools {
    let place = |i: usize| format!("{path}[{i}]");
    let mut forms: Vec<(String, Form<'_>)> = Vec::new();
    for (i, entry) in list.iter().enumerate() {
        match entry.as_object() {
            Some(entry) => forms.extend(shape::form(entry, &place(i), found).map(|form| (place(i), form))),
            None => found.push(place(i), "is no tool: a mapping is due"),
        }
    }
    shape::refuse_odd_ones(&forms, found);
    let mut tools = Tools::default();
    let mut seen: BTreeMap<&str, String> = BTreeMap::new();
    for (place, form) in &forms {
        if let Some(name) = form.name(place, found) {
            if let Some(first) = seen.get(name) {
                found.push_hint(
                    form.name_place(place),
                    format!("`{}` is the name of {first} as well", excerpt(name)),
                    "a model could not tell them apart",
                );
            } else {
                seen.insert(name, place.clone());
            }
        }
        match form {
            Form::Hosted(entry, kind) => {
                let name = entry.get("name").and_then(Value::as_str).unwrap_or(kind);
                found.warn(
                    place,
                    format!("`{}` is run by the provider: it was not checked", excerpt(kind)),
                    "look into the provider's documentation",
                );
                tools.hosted.push(name.to_owned());
            }
            Form::Function(..) => tools.tools.extend(tool(form, place, found)),
        }
    }
    tools
}

fn tool(form: &Form<'_>, place: &str, found: &mut Problems) -> Option<Tool> {
    let Form::Function(shape, outer, inner) = form else { return None };
    let inside = shape.inside(place);
    let description = match inner.get("description") {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) => Some(text.clone()),
        Some(_) => {
            found.push(format!("{inside}.description"), "is no text");
            None
        }
    };
    if inner.get("strict").is_some_and(|strict| !strict.is_boolean() && !strict.is_null()) {
        found.push(format!("{inside}.strict"), "is neither true nor false");
    }
    let key = shape.schema_key();
    let schema_place = format!("{inside}.{key}");
    let schema = match inner.get(key) {
        None | Some(Value::Null) => {
            found.push_hint(
                &schema_place,
                "is missing: a tool needs a schema",
                "write {\"type\": \"object\", \"properties\": {}} if it has no arguments",
            );
            None
        }
        Some(schema) => {
            schema::check(schema, &schema_place, found);
            Some(schema.clone())
        }
    };
    let endpoint = extension(outer, inner, place, &inside, found);
    let name = inner.get("name").and_then(Value::as_str)?.to_owned();
    Some(Tool { name, description, schema: schema?, endpoint })
}

/// The extension that says where a tool runs; beside the tool or within its `function`.
fn extension(
    outer: &Map<String, Value>,
    inner: &Map<String, Value>,
    place: &str,
    inside: &str,
    found: &mut Problems,
) -> Option<Endpoint> {
    let nested = place != inside;
    for (map, place) in [(Some(outer), place), (nested.then_some(inner), inside)] {
        for key in map.into_iter().flat_map(Map::keys).filter(|key| key.starts_with("x-") && *key != "x-endpoint") {
            found.warn(
                format!("{place}.{}", excerpt(key)),
                "is no extension that is known here",
                "the one that is known is x-endpoint",
            );
        }
    }
    let within = inner.get("x-endpoint").filter(|_| nested);
    match (outer.get("x-endpoint"), within) {
        (Some(_), Some(_)) => {
            found.push(
                format!("{inside}.x-endpoint"),
                format!("is at {place}.x-endpoint as well: one of them is enough"),
            );
            None
        }
        (Some(value), None) => endpoint::read(value, &format!("{place}.x-endpoint"), found),
        (None, Some(value)) => endpoint::read(value, &format!("{inside}.x-endpoint"), found),
        (None, None) => None,
    }
}

#[cfg(test)]
mod tests;
