//! What stands above a Markdown text, about it: YAML between `---`, or TOML between `+++`.

use context_core::document::Metadata;
use serde_json::{Map, Value};

/// What is read of it, in bytes: it is about a text, and no text itself.
const MOST: usize = 64 << 10;

/// What is known of a text from what stands above it.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Front {
    pub(super) title: Option<String>,
    pub(super) url: Option<String>,
    pub(super) metadata: Metadata,
}

/// How it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Written {
    Yaml,
    Toml,
}

/// Reads it. `None` where it is text between two rules, and no list of keys.
///
/// # Errors
/// What is wrong with it. Nothing of it is quoted.
pub(super) fn read(block: &str, written: Written) -> Result<Option<Front>, String> {
    if block.len() > MOST {
        return Err(format!("its front matter has {} bytes, and {MOST} are possible", block.len()));
    }
    let fields = match written {
        Written::Yaml => match yaml(block)? {
            Some(fields) => fields,
            None => return Ok(None),
        },
        Written::Toml => toml(block)?,
    };
    let mut front = Front::default();
    for (key, value) in fields {
        match (key.to_ascii_lowercase().as_str(), value) {
            ("title", Value::String(title)) => front.title = Some(title).filter(|title| !title.trim().is_empty()),
            ("url" | "canonical_url", Value::String(url))
                if url.starts_with("https://") || url.starts_with("http://") =>
            {
                front.url.get_or_insert(url);
            }
            // What is nested is for whoever makes pages of the text: nothing is found by it.
            (_, Value::Object(_)) => {}
            (_, Value::Array(members)) if members.iter().any(|it| it.is_object() || it.is_array() || it.is_null()) => {}
            (_, value) => {
                front.metadata.insert(key, value);
            }
        }
    }
    Ok(Some(front))
}

fn yaml(block: &str) -> Result<Option<Map<String, Value>>, String> {
    // A sentence between two rules is text. A key begins a line, and has a colon and a space behind it.
    let looks_like_keys = block.lines().any(|line| {
        line.split_once(':').is_some_and(|(key, rest)| {
            let is_word = |char: char| char.is_alphanumeric() || matches!(char, '_' | '-' | '.' | '"' | '\'');
            !key.is_empty() && key.chars().all(is_word) && (rest.is_empty() || rest.starts_with(' '))
        })
    });
    if !looks_like_keys {
        return Ok(None);
    }
    let (fields, problems) = chassis::config::parse_yaml::<Map<String, Value>>(block);
    match fields {
        Some(fields) if problems.is_empty() => Ok(Some(fields)),
        _ => Err(
            "its front matter, between the lines of `---`, is no YAML (a text with `: ` in it needs quotes), has a \
                  key twice, or expands without end: mend it, or take it out"
                .to_owned(),
        ),
    }
}

fn toml(block: &str) -> Result<Map<String, Value>, String> {
    let table: toml::Table = block
        .parse()
        .map_err(|_| "its front matter, between the lines of `+++`, is no TOML: mend it, or take it out".to_owned())?;
    Ok(table.into_iter().filter_map(|(key, value)| Some((key, json(value)?))).collect())
}

/// `None` for what metadata cannot have.
fn json(value: toml::Value) -> Option<Value> {
    Some(match value {
        toml::Value::String(text) => text.into(),
        toml::Value::Integer(number) => number.into(),
        toml::Value::Float(number) => serde_json::Number::from_f64(number)?.into(),
        toml::Value::Boolean(is) => is.into(),
        toml::Value::Datetime(when) => when.to_string().into(),
        toml::Value::Array(members) => members.into_iter().map(json).collect::<Option<Vec<Value>>>()?.into(),
        toml::Value::Table(_) => return None,
    })
}
