//! `query "..."`: what is found, with where it is from.

use chassis::{config::Environment, exit::Code, output};
use http::Method;
use serde_json::{Value, json};

use super::with;
use crate::cli::Into;

/// How much of a passage is shown, in characters.
const SHOWN: usize = 600;

/// Asks, and prints what is found.
pub(crate) fn query(environment: &Environment, query: &str, top_k: usize, json: bool, into: &Into) -> Code {
    let collection = into.collection.clone().or_else(|| environment.get("CONTEXT_COLLECTION").map(str::to_owned));
    let mut body = json!({"query": query, "top_k": top_k});
    if let (Some(collection), Value::Object(fields)) = (collection, &mut body) {
        fields.insert("collection".to_owned(), collection.into());
    }
    with(environment, |service| async move {
        let answer = service.ask(Method::POST, "/v1/retrieve", &body).await?;
        output::line(if json { format!("{answer:#}") } else { told(&answer) });
        Ok(Code::Ok)
    })
}

/// An answer for people.
fn told(answer: &Value) -> String {
    let results = answer.get("results").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let mut parts: Vec<String> = results.iter().enumerate().map(|(index, result)| passage(index + 1, result)).collect();
    if parts.is_empty() {
        parts.push("Nothing was found.".to_owned());
    }
    let mode = answer.get("mode").and_then(Value::as_str).unwrap_or("?");
    let lost: Vec<&str> =
        answer.get("degraded").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    let lost = if lost.is_empty() { String::new() } else { format!(", without {}", lost.join(", ")) };
    let took = answer.pointer("/timings/total_ms").and_then(Value::as_f64).unwrap_or_default();
    parts.push(format!("({mode}{lost}, {took:.1} ms)"));
    parts.join("\n\n")
}

fn passage(n: usize, result: &Value) -> String {
    let text = |name: &str| result.get(name).and_then(Value::as_str);
    let number = |pointer: &str| result.pointer(pointer).and_then(Value::as_u64).unwrap_or_default();
    let id = text("document_id").unwrap_or("?");
    let title = text("title").map(|title| format!("{title} ")).unwrap_or_default();
    let url = text("url").map(|url| format!(" <{url}>")).unwrap_or_default();
    let score = result.get("score").and_then(Value::as_f64).unwrap_or_default();
    let (start, end) = (number("/span/start"), number("/span/end"));
    let words: Vec<&str> = text("text").unwrap_or_default().split_whitespace().collect();
    let body = words.join(" ");
    let shown: String = body.chars().filter(|char| !char.is_control()).take(SHOWN).collect();
    let more = if shown.len() < body.len() { " ..." } else { "" };
    format!("[{n}] {title}({id}, {start}-{end}){url}  {score:.3}\n    {shown}{more}")
}
