//! Whose shape a tool has.

use chassis::config::Problems;
use chassis::excerpt::excerpt;
use serde_json::{Map, Value};

use super::name;

/// The API that tools are written for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// `{ type: function, function: { name, parameters } }`.
    Chat,
    /// `{ type: function, name, parameters }`.
    Responses,
    /// `{ name, input_schema }`.
    Anthropic,
    /// `{ name, inputSchema }`.
    Mcp,
}

impl Shape {
    fn name(self) -> &'static str {
        match self {
            Self::Chat => "OpenAI's chat completions",
            Self::Responses => "OpenAI's responses",
            Self::Anthropic => "Anthropic's messages",
            Self::Mcp => "MCP",
        }
    }

    /// The key of the schema.
    pub(super) fn schema_key(self) -> &'static str {
        match self {
            Self::Chat | Self::Responses => "parameters",
            Self::Anthropic => "input_schema",
            Self::Mcp => "inputSchema",
        }
    }

    /// Where name and schema of the tool at `place` are.
    pub(super) fn inside(self, place: &str) -> String {
        match self {
            Self::Chat => format!("{place}.function"),
            Self::Responses | Self::Anthropic | Self::Mcp => place.to_owned(),
        }
    }
}

/// One entry of the list.
#[derive(Debug)]
pub(super) enum Form<'v> {
    /// The entry, and what of it holds name and schema.
    Function(Shape, &'v Map<String, Value>, &'v Map<String, Value>),
    /// A tool that the provider runs, and its type.
    Hosted(&'v Map<String, Value>, &'v str),
}

impl<'v> Form<'v> {
    /// Where the name is.
    pub(super) fn name_place(&self, place: &str) -> String {
        match self {
            Self::Function(shape, ..) => format!("{}.name", shape.inside(place)),
            Self::Hosted(..) => format!("{place}.name"),
        }
    }

    /// The name, where there is one that can be used.
    pub(super) fn name(&self, place: &str, found: &mut Problems) -> Option<&'v str> {
        match self {
            Self::Function(shape, _, inner) => name::check(inner.get("name"), *shape, &self.name_place(place), found),
            Self::Hosted(entry, _) => entry.get("name").and_then(Value::as_str),
        }
    }
}

/// Tells the form of an entry by the key that only that form has.
pub(super) fn form<'v>(entry: &'v Map<String, Value>, place: &str, found: &mut Problems) -> Option<Form<'v>> {
    let kind = match entry.get("type") {
        None | Some(Value::Null) => None,
        Some(Value::String(kind)) => Some(kind.as_str()),
        Some(_) => {
            found.push_hint(format!("{place}.type"), "is no text", "write \"function\"");
            return None;
        }
    };
    let has = |key: &str| entry.contains_key(key);
    let (shape, expected) = if has("function") {
        (Shape::Chat, "function")
    } else if has("inputSchema") {
        (Shape::Mcp, "")
    } else if has("input_schema") {
        (Shape::Anthropic, "custom")
    } else if has("parameters") || kind == Some("function") {
        (Shape::Responses, "function")
    } else if let Some(kind) = kind {
        return Some(Form::Hosted(entry, kind));
    } else {
        let message = match entry.get("name").and_then(Value::as_str) {
            Some(name) => format!("`{}` has no schema", excerpt(name)),
            None => "is no tool: it has neither a name nor a schema".to_owned(),
        };
        found.push_hint(
            place,
            message,
            "the schema is in function.parameters (OpenAI), input_schema (Anthropic) or inputSchema (MCP)",
        );
        return None;
    };
    match kind {
        Some(kind) if kind != expected && !expected.is_empty() => {
            found.push_hint(
                format!("{place}.type"),
                format!("is `{}`, and the rest has the shape of {}", excerpt(kind), shape.name()),
                format!("write \"{expected}\""),
            );
        }
        None if expected == "function" => {
            found.push_hint(format!("{place}.type"), "is missing", "write \"type\": \"function\"");
        }
        Some(_) | None => {}
    }
    match (shape, entry.get("function")) {
        (Shape::Chat, Some(Value::Object(inner))) => Some(Form::Function(shape, entry, inner)),
        (Shape::Chat, _) => {
            found.push(format!("{place}.function"), "is no mapping");
            None
        }
        (Shape::Responses | Shape::Anthropic | Shape::Mcp, _) => Some(Form::Function(shape, entry, entry)),
    }
}

/// Refuses tools whose shape is not that of most of them; of two that are as frequent, the first counts.
pub(super) fn refuse_odd_ones(forms: &[(String, Form<'_>)], found: &mut Problems) {
    let shapes = || {
        forms.iter().filter_map(|(place, form)| match form {
            Form::Function(shape, ..) => Some((place, *shape)),
            Form::Hosted(..) => None,
        })
    };
    let mut counts: [(Shape, usize); 4] =
        [Shape::Chat, Shape::Responses, Shape::Anthropic, Shape::Mcp].map(|shape| (shape, 0));
    for (_, shape) in shapes() {
        counts.iter_mut().filter(|(it, _)| *it == shape).for_each(|(_, count)| *count += 1);
    }
    let most = counts.iter().map(|(_, count)| *count).max().unwrap_or_default();
    let frequent = |wanted: Shape| counts.iter().any(|(shape, count)| *shape == wanted && *count == most);
    let Some(usual) = shapes().map(|(_, shape)| shape).find(|shape| frequent(*shape)) else { return };
    for (place, shape) in shapes().filter(|(_, shape)| *shape != usual) {
        found.push_hint(
            place,
            format!("has the shape of {}, and the others that of {}", shape.name(), usual.name()),
            "a file has tools of one shape",
        );
    }
}
