//! Guardrails: what an agent may do. The worker enforces them; here their file is read and its meaning is checked.

use chassis::config::{Problems, parse_yaml};
use chassis::excerpt::excerpt;
use regex::{Regex, RegexBuilder};
use schemars::{JsonSchema, Schema};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::problems;
use super::tools::Tools;
use crate::failure::Failure;

/// The largest compiled pattern, in bytes: what needs more would need it in every worker.
const PATTERN_SIZE: usize = 1 << 20;

/// What an agent may do.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Guardrails")]
pub struct File {
    /// The version of this schema: 1.
    #[serde(default)]
    #[schemars(!default, required, range(min = 1, max = 1))]
    pub version: Option<u32>,
    /// Which tools it may call.
    #[serde(default)]
    pub tools: ToolRules,
    /// How much one task may cost. What is not given is not limited.
    #[serde(default)]
    pub limits: Limits,
    /// What may not come in: messages to the agent, and what its tools answer.
    #[serde(default)]
    pub input: TextRules,
    /// What may not go out: answers of the agent, and the arguments of its calls.
    #[serde(default)]
    pub output: TextRules,
}

/// Which tools an agent may call. Entries are names, or beginnings of names with `*` at the end.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(transform = without_null)]
pub struct ToolRules {
    /// The allowed ones; an empty list allows none. Default: all.
    #[serde(default)]
    pub allow: Option<Vec<String>>,
    /// The denied ones: what is denied stays denied, allowed or not.
    #[serde(default)]
    pub deny: Vec<String>,
}

/// How much one task may cost.
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(transform = without_null)]
pub struct Limits {
    /// Calls of the model.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub steps: Option<u32>,
    /// Tokens, those of prompts and of completions together.
    #[serde(default)]
    #[schemars(range(min = 1))]
    pub tokens: Option<u64>,
    /// US dollars.
    #[serde(default)]
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub dollars: Option<f64>,
    /// Seconds.
    #[serde(default)]
    #[schemars(extend("exclusiveMinimum" = 0))]
    pub seconds: Option<f64>,
}

/// Texts that are refused.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TextRules {
    /// A text in which one of these is found is refused.
    #[serde(default)]
    pub deny: Vec<TextRule>,
}

/// A pattern that is refused.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(transform = without_null)]
pub struct TextRule {
    /// What it is called in logs and metrics.
    #[serde(default)]
    #[schemars(!default, required)]
    pub name: Option<String>,
    /// A regular expression in the syntax of Rust's regex crate; `(?i)` at its beginning ignores case.
    #[serde(default)]
    #[schemars(!default, required)]
    pub pattern: Option<String>,
    /// What is said instead of the text. Default: a sentence with the name.
    #[serde(default)]
    pub message: Option<String>,
}

/// Guardrails that hold.
#[derive(Debug, Clone)]
pub struct Guardrails {
    /// Which tools may be called; ask [`Guardrails::permits`].
    pub tools: ToolRules,
    /// How much one task may cost.
    pub limits: Limits,
    /// What may not come in.
    pub input: Vec<Denied>,
    /// What may not go out.
    pub output: Vec<Denied>,
}

/// A text that is refused.
#[derive(Debug, Clone)]
pub struct Denied {
    /// What it is called in logs and metrics.
    pub name: String,
    /// Where it is found, the text is refused.
    pub pattern: Regex,
    /// What is said instead.
    pub message: Option<String>,
}

impl Guardrails {
    /// Whether a tool may be called.
    #[must_use]
    pub fn permits(&self, tool: &str) -> bool {
        let denied = self.tools.deny.iter().any(|entry| covers(entry, tool));
        let allowed = self.tools.allow.as_ref().is_none_or(|entries| entries.iter().any(|entry| covers(entry, tool)));
        allowed && !denied
    }

    /// The entries that no tool of the set answers to: a name that was misspelt guards nothing.
    #[must_use]
    pub fn without_effect(&self, tools: &Tools) -> Vec<String> {
        let lists = [("allow", self.tools.allow.as_deref().unwrap_or_default()), ("deny", &self.tools.deny)];
        lists
            .into_iter()
            .flat_map(|(list, entries)| entries.iter().enumerate().map(move |(i, entry)| (list, i, entry)))
            .filter(|(_, _, entry)| !tools.names().any(|name| covers(entry, name)))
            .map(|(list, i, entry)| format!("tools.{list}[{i}]: `{entry}` matches no tool of this set"))
            .collect()
    }
}

/// Whether an entry means this tool.
fn covers(entry: &str, tool: &str) -> bool {
    entry.strip_suffix('*').map_or(entry == tool, |prefix| tool.starts_with(prefix))
}

/// Reads guardrails, and tells what is odd about them.
///
/// # Errors
/// Every problem, each with its path.
pub fn read(text: &str) -> Result<(Guardrails, Vec<String>), Failure> {
    let (file, mut found) = parse_yaml::<File>(text);
    // Elsewhere a key without a value is as if it were not there. Here that would open what was meant to be closed.
    if let Some(document) = parse_yaml::<Value>(text).0 {
        refuse_nothing(&document, "", &mut found);
    }
    let file = file.unwrap_or_default();
    match file.version {
        Some(1) => {}
        Some(_) => found.push_hint("version", "is not known here", "write version: 1"),
        None if found.pruned("version") => {}
        None => found.push_hint("version", "is missing", "write version: 1"),
    }
    check_entries(&file.tools, &mut found);
    check_limits(&file.limits, &mut found);
    let input = denied(&file.input.deny, "input.deny", &mut found);
    let output = denied(&file.output.deny, "output.deny", &mut found);
    problems::refuse(&found)?;
    let guardrails = Guardrails { tools: file.tools, limits: file.limits, input, output };
    Ok((guardrails, problems::warnings(&found)))
}

fn refuse_nothing(value: &Value, place: &str, found: &mut Problems) {
    match value {
        Value::Null => {
            found.push_hint(place, "has no value", "write one (for a list, [] means none), or remove the key")
        }
        Value::Array(list) => {
            list.iter().enumerate().for_each(|(i, value)| refuse_nothing(value, &format!("{place}[{i}]"), found));
        }
        Value::Object(map) => {
            for (key, value) in map {
                let separator = if place.is_empty() { "" } else { "." };
                refuse_nothing(value, &format!("{place}{separator}{}", excerpt(key)), found);
            }
        }
        Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn check_entries(tools: &ToolRules, found: &mut Problems) {
    let allow = tools.allow.as_deref().unwrap_or_default();
    for (list, entries) in [("allow", allow), ("deny", &tools.deny)] {
        for (i, entry) in entries.iter().enumerate() {
            let place = format!("tools.{list}[{i}]");
            let name = entry.strip_suffix('*').unwrap_or(entry);
            if entry.is_empty() {
                found.push(&place, "is empty");
            } else if name.contains('*') {
                found.push_hint(&place, "has a `*` that is not at its end", "write the beginning of a name and `*`");
            } else if name.contains(|c: char| c.is_whitespace() || c.is_control()) {
                found.push(&place, "has white space in it, and no tool's name has");
            } else if entries.iter().take(i).any(|other| other == entry) {
                found.warn(&place, "is there twice", "remove one of them");
            } else if list == "allow" && tools.deny.contains(entry) {
                found.warn(&place, "is denied as well, which is what counts", "remove it here or there");
            }
        }
    }
}

fn check_limits(limits: &Limits, found: &mut Problems) {
    let not_above = |number: f64| number <= 0.0 || !number.is_finite();
    let zeros = [
        ("steps", limits.steps == Some(0)),
        ("tokens", limits.tokens == Some(0)),
        ("dollars", limits.dollars.is_some_and(not_above)),
        ("seconds", limits.seconds.is_some_and(not_above)),
    ];
    for (name, _) in zeros.into_iter().filter(|(_, zero)| *zero) {
        found.push_hint(format!("limits.{name}"), "must be above 0", "leave it out for no limit");
    }
}

fn denied(rules: &[TextRule], list: &str, found: &mut Problems) -> Vec<Denied> {
    let mut all: Vec<Denied> = Vec::new();
    for (i, rule) in rules.iter().enumerate() {
        let place = format!("{list}[{i}]");
        let name = rule.name.as_deref().unwrap_or_default();
        if name.is_empty() && !found.pruned(&format!("{place}.name")) {
            found.push(format!("{place}.name"), "is missing");
        } else if all.iter().any(|other| other.name == name) {
            found.push_hint(format!("{place}.name"), "is that of another entry", "logs could not tell them apart");
        }
        let place = format!("{place}.pattern");
        match rule.pattern.as_deref() {
            None | Some("") if found.pruned(&place) => {}
            None | Some("") => found.push(&place, "is missing"),
            Some(pattern) => match compile(pattern) {
                Ok(regex) if regex.is_match("") => {
                    found.push_hint(&place, "is found in every text", "it would deny everything");
                }
                Ok(pattern) => {
                    all.push(Denied { name: name.to_owned(), pattern, message: rule.message.clone() });
                }
                Err(why) => found.push(&place, why),
            },
        }
    }
    all
}

/// Compiles a pattern, or says where in it what is wrong: the crate's own message would quote all of it.
fn compile(pattern: &str) -> Result<Regex, String> {
    use regex_syntax::Error;
    let at = |position: &regex_syntax::ast::Position| match position.line {
        1 => format!("at character {}", position.column),
        line => format!("at line {line}, character {}", position.column),
    };
    match regex_syntax::parse(pattern) {
        Err(Error::Parse(error)) => return Err(format!("{}: {}", at(&error.span().start), error.kind())),
        Err(Error::Translate(error)) => return Err(format!("{}: {}", at(&error.span().start), error.kind())),
        Err(_) => return Err("is no regular expression".to_owned()),
        Ok(_) => {}
    }
    RegexBuilder::new(pattern)
        .size_limit(PATTERN_SIZE)
        .build()
        .map_err(|_| "needs more than 1 MiB when it is compiled: repeat less".to_owned())
}

/// The JSON Schema of the file.
#[must_use]
pub fn schema() -> String {
    chassis::config::schema::<File>()
}

/// A key without a value is refused here, and the schema should say so, too.
fn without_null(schema: &mut Schema) {
    let properties = schema.get_mut("properties").and_then(Value::as_object_mut);
    for property in properties.into_iter().flat_map(Map::values_mut).filter_map(Value::as_object_mut) {
        if property.get("default").is_some_and(Value::is_null) {
            property.remove("default");
        }
        if let Some(Value::Array(types)) = property.get_mut("type") {
            types.retain(|it| it != "null");
            if let [only] = types.as_slice() {
                let only = only.clone();
                property.insert("type".to_owned(), only);
            }
        }
    }
}

#[cfg(test)]
mod tests;
