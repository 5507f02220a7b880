//! What tools may be called. Each API has a rule, and breaking it fails the first request of the agent.

use chassis::config::Problems;
use chassis::excerpt::excerpt;
use serde_json::Value;

use super::shape::Shape;

/// The longest name that OpenAI and Anthropic take.
const LONGEST: usize = 64;

/// The longest name that MCP takes.
const LONGEST_MCP: usize = 128;

/// The name, if there is one; what is wrong with it is told.
pub(super) fn check<'v>(name: Option<&'v Value>, shape: Shape, place: &str, found: &mut Problems) -> Option<&'v str> {
    let name = match name {
        Some(Value::String(name)) if !name.is_empty() => name.as_str(),
        Some(Value::String(_)) => {
            found.push(place, "is empty");
            return None;
        }
        Some(_) => {
            found.push(place, "is no text");
            return None;
        }
        None => {
            found.push(place, "is missing");
            return None;
        }
    };
    let of = |letter: char, more: &[char]| {
        letter.is_ascii_alphanumeric() || matches!(letter, '_' | '-') || more.contains(&letter)
    };
    let plain = name.chars().all(|letter| of(letter, &[])) && name.len() <= LONGEST;
    let shown = excerpt(name);
    match shape {
        Shape::Mcp if !name.chars().all(|letter| of(letter, &['.', '/'])) || name.len() > LONGEST_MCP => {
            found.push_hint(
                place,
                format!("`{shown}` is no name of a tool"),
                "MCP takes up to 128 letters, digits, `_`, `-`, `.` and `/`",
            );
        }
        Shape::Mcp if !plain => found.warn(
            place,
            format!("`{shown}` would be refused by OpenAI and Anthropic"),
            "they take up to 64 letters, digits, `_` and `-`",
        ),
        Shape::Chat | Shape::Responses | Shape::Anthropic if !plain => found.push_hint(
            place,
            format!("`{shown}` would be refused by OpenAI and Anthropic"),
            "they take up to 64 letters, digits, `_` and `-`",
        ),
        Shape::Chat | Shape::Responses | Shape::Anthropic | Shape::Mcp => {
            if !name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_') {
                found.warn(
                    place,
                    format!("`{shown}` would be refused by Gemini"),
                    "there a name begins with a letter or `_`",
                );
            }
        }
    }
    Some(name)
}
