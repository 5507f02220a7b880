//! `query "..."`: what is found, with where it is from.

use std::time::Duration;

use chassis::{config::Environment, exit::Code, output};
use http::Method;
use serde_json::{Map, Value, json};

use super::{filter, shown::Shown, with};
use crate::cli::Query;

/// How much of a passage is shown, in characters.
const SHOWN: usize = 600;

/// How long what is busy or down for a moment is asked again: somebody waits for the answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// Asks, and prints what is found.
pub(crate) fn query(environment: &Environment, asked: &Query) -> Code {
    let shown = Shown::new(false);
    let filter = match filter::of(&asked.filter) {
        Ok(filter) => filter,
        Err(message) => {
            shown.complain(&message);
            return Code::Usage;
        }
    };
    let environment = asked.into.over(environment);
    let mut body = Map::from_iter([("query".to_owned(), json!(asked.query)), ("top_k".to_owned(), json!(asked.top_k))]);
    for (name, value) in [
        ("collection", asked.into.collection(&environment).map(Value::from)),
        ("filter", filter),
        ("mode", asked.mode.clone().map(Value::from)),
        ("max_tokens", asked.max_tokens.map(Value::from)),
        ("explain", asked.explain.then_some(Value::Bool(true))),
    ] {
        body.extend(value.map(|value| (name.to_owned(), value)));
    }
    let (body, said) = (&Value::Object(body), &shown);
    with(&environment, &shown, |service| async move {
        let answer = service.ask(Method::POST, "/v1/retrieve", body, PATIENCE, said).await?;
        output::line(if asked.json { format!("{answer:#}") } else { told(&answer) });
        let is_empty = answer.get("results").and_then(Value::as_array).is_none_or(Vec::is_empty);
        Ok(if is_empty { Code::Nothing } else { Code::Ok })
    })
}

/// An answer for people.
fn told(answer: &Value) -> String {
    let results = answer.get("results").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let packed = answer.pointer("/context/text").and_then(Value::as_str).filter(|text| !text.is_empty());
    let mut parts: Vec<String> = match packed {
        Some(text) => vec![plain(text), cited(answer, results)],
        None => results.iter().enumerate().map(|(index, result)| passage(index + 1, result)).collect(),
    };
    if results.is_empty() {
        parts.push("Nothing was found.".to_owned());
    }
    let lost = answer.get("degraded").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    parts.extend(lost.map(|what| format!("! {}", without(what))));
    if let Some(age) = answer.pointer("/stale/age_ms").and_then(Value::as_u64) {
        parts.push(format!("! the store is down: this is what was answered {} s ago", age / 1_000));
    }
    parts.extend(answer.get("explain").map(|explain| format!("{explain:#}")));
    let mode = answer.get("mode").and_then(Value::as_str).unwrap_or("?");
    let tokens = answer.pointer("/context/tokens").and_then(Value::as_u64);
    let tokens = tokens.map(|tokens| format!(", {tokens} tokens")).unwrap_or_default();
    let took = answer.pointer("/timings/total_ms").and_then(Value::as_f64).unwrap_or_default();
    parts.push(format!("({mode}{tokens}, {took:.1} ms)"));
    parts.join("\n\n")
}

/// What was done without, in words.
fn without(what: &str) -> String {
    match what {
        "dense" => "by words only: the embedder did not answer".to_owned(),
        "lexical" => "by meaning only: there was no search by words".to_owned(),
        "rerank" => "not reranked: the reranker did not answer".to_owned(),
        other => format!("without {other}"),
    }
}

/// What the numbers in a context stand for.
fn cited(answer: &Value, results: &[Value]) -> String {
    let citations = answer.pointer("/context/citations").and_then(Value::as_array).into_iter().flatten();
    let line = |citation: &Value| {
        let number = |pointer: &str| citation.pointer(pointer).and_then(Value::as_u64).unwrap_or_default();
        let id = citation.get("document_id").and_then(Value::as_str).unwrap_or("?");
        let of = results.iter().find(|result| result.get("document_id").and_then(Value::as_str) == Some(id));
        let said = |field: &str| of.and_then(|result| result.get(field)?.as_str());
        let title = said("title").map(|title| format!("{title} ")).unwrap_or_default();
        let url = said("url").map(|url| format!(" <{url}>")).unwrap_or_default();
        plain(&format!("[{}] {title}({id}, {}-{}){url}", number("/n"), number("/span/start"), number("/span/end")))
    };
    citations.map(line).collect::<Vec<_>>().join("\n")
}

/// Documents are anybody's: nothing in them speaks to a terminal.
fn plain(text: &str) -> String {
    text.chars().filter(|char| !char.is_control() || *char == '\n').collect()
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
    plain(&format!("[{n}] {title}({id}, {start}-{end}){url}  {score:.3}\n    {shown}{more}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_done_without_is_said_in_words() {
        let found = json!({"document_id": "a", "title": "A", "text": "a \u{1b}[31mb", "span": {"start": 0, "end": 9}});
        let mut answer = json!({"results": [found], "mode": "lexical", "degraded": ["dense", "rerank"],
            "stale": {"age_ms": 65_000}, "timings": {"total_ms": 1.0}});
        let text = told(&answer);
        for says in [
            "[1] A (a, 0-9)",
            "! by words only: the embedder did not answer",
            "! not reranked",
            "65 s ago",
            "(lexical, 1.0 ms)",
        ] {
            assert!(text.contains(says), "{says}: {text}");
        }
        assert!(!text.contains('\u{1b}'));
        let citations = json!([{"n": 1, "document_id": "a", "span": {"start": 2, "end": 5}}]);
        answer["context"] = json!({"text": "[1] A\nab", "tokens": 7, "citations": citations});
        let text = told(&answer);
        assert!(text.starts_with("[1] A\nab\n\n[1] A (a, 2-5)\n\n") && text.contains("7 tokens"), "{text}");
    }
}
