//! What a simulated model says: a pure function of what it is asked. It repeats the words and counts them, and calls
//! a tool when the text names one.

use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::{Map, Value, json};

use super::prompt::{Prompt, Tool};

#[derive(Debug)]
pub(super) struct Reply {
    /// Sixteen hexadecimal digits: the same for the same question.
    pub id: String,
    pub model: String,
    /// The text, in pieces of one token each.
    pub pieces: Vec<String>,
    pub calls: Vec<Call>,
    pub finish: Finish,
    pub input_tokens: usize,
    pub output_tokens: usize,
    pub usage: bool,
}

#[derive(Debug)]
pub(super) struct Call {
    pub id: String,
    pub name: String,
    pub arguments: Value,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Finish {
    Stop,
    Length,
    Tools,
}

impl Reply {
    pub(super) fn to(prompt: &Prompt) -> Self {
        let id = format!("{:016x}", hash(&(&prompt.model, &prompt.text, &prompt.result)));
        let calls = if prompt.result.is_none() { calls(prompt, &id) } else { Vec::new() };
        let text = match &prompt.result {
            _ if !calls.is_empty() => String::new(),
            Some(result) => format!("The tool returned: {result}"),
            None => echo(&prompt.text),
        };
        let mut pieces: Vec<String> = text.split_inclusive(' ').map(str::to_owned).collect();
        let finish = match prompt.limit {
            Some(limit) if pieces.len() > limit => Finish::Length,
            _ if calls.is_empty() => Finish::Stop,
            _ => Finish::Tools,
        };
        pieces.truncate(prompt.limit.unwrap_or(usize::MAX));
        let output_tokens =
            pieces.len() + calls.iter().map(|call| call.arguments.to_string().len().div_ceil(4)).sum::<usize>();
        Self {
            id,
            model: prompt.model.clone(),
            pieces,
            calls,
            finish,
            input_tokens: prompt.input_tokens,
            output_tokens,
            usage: prompt.usage,
        }
    }

    pub(super) fn text(&self) -> String {
        self.pieces.concat()
    }
}

/// The words again, and two things about them that show they were read.
fn echo(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let longest = words.iter().copied().rev().max_by_key(|word| word.chars().count()).unwrap_or("none");
    let longest = longest.trim_matches(|c: char| !c.is_alphanumeric());
    format!("You said: {text} I counted {} words, the longest is {longest}.", words.len())
}

/// A call of each tool that the text names, `get_weather` or `get weather`.
fn calls(prompt: &Prompt, id: &str) -> Vec<Call> {
    let text = prompt.text.to_lowercase();
    let is_named = |tool: &&Tool| {
        let name = tool.name.to_lowercase();
        text.contains(&name) || text.contains(&name.replace('_', " "))
    };
    let call = |(index, tool): (usize, &Tool)| Call {
        id: format!("{id}{index}"),
        name: tool.name.clone(),
        arguments: arguments(&tool.schema, &prompt.text),
    };
    prompt.tools.iter().filter(is_named).enumerate().map(call).collect()
}

/// Arguments that satisfy the schema: numbers from the text, its last word for a string.
fn arguments(schema: &Value, text: &str) -> Value {
    let empty = Map::new();
    let properties = schema.get("properties").and_then(Value::as_object).unwrap_or(&empty);
    let number =
        || text.split(|c: char| !c.is_ascii_digit()).find_map(|digits| digits.parse::<i64>().ok()).unwrap_or(1);
    let word = || text.split_whitespace().next_back().unwrap_or("x").trim_matches(|c: char| !c.is_alphanumeric());
    let argument = |schema: &Value| match schema.get("type").and_then(Value::as_str) {
        _ if schema.get("enum").is_some() => schema.pointer("/enum/0").cloned().unwrap_or_default(),
        Some("integer" | "number") => json!(number()),
        Some("boolean") => json!(true),
        Some("array") => json!([]),
        Some("object") => json!({}),
        _ => json!(word()),
    };
    properties.iter().map(|(name, schema)| (name.clone(), argument(schema))).collect::<Map<_, _>>().into()
}

/// The direction of a text in `dimensions` dimensions: the same for the same text.
pub(super) fn embedding(text: &str, dimensions: usize) -> Vec<f32> {
    (0..dimensions).map(|at| (hash(&(text, at)) % 2000) as f32 / 1000.0 - 1.0).collect()
}

fn hash(what: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    what.hash(&mut hasher);
    hasher.finish()
}
