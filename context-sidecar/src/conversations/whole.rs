//! A message as chat APIs have it, taken apart for the search and put together again as it was: its text is what is
//! indexed; all else (parts that are no text, calls of tools, names) is kept beside it, once, as JSON.

use serde_json::{Map, Value};

/// As much of a call's arguments as is searched, in code points.
const ARGUMENTS: usize = 1_000;

/// Under this the white space before and behind a text is kept.
const AROUND: &str = "_around";

/// Between two parts that are text.
const BETWEEN: char = '\n';

/// The text of a message, and what of its content is not that: in a part that is text stands the number of bytes that it
/// has of the whole text.
///
/// # Errors
/// Why this is no content of a message, to be read after "it".
pub(crate) fn apart(content: Option<Value>, rest: &mut Map<String, Value>) -> Result<String, &'static str> {
    match content {
        Some(Value::String(text)) if !text.trim().is_empty() => return Ok(trimmed(text, rest)),
        Some(Value::Array(mut parts)) => {
            let text = texts(&mut parts)?;
            if !text.trim().is_empty() {
                rest.insert("content".to_owned(), Value::Array(parts));
                return Ok(trimmed(text, rest));
            }
            // Nothing in it is text: as it came.
            lengths_to_texts(&mut parts, &text);
            let kinds = parts.iter().filter_map(|part| part.get("type")?.as_str()).filter(|kind| *kind != "text");
            let kinds: Vec<String> = kinds.map(|kind| format!("[{kind}]")).collect();
            rest.insert("content".to_owned(), Value::Array(parts));
            return Ok(if kinds.is_empty() { said_otherwise(rest) } else { kinds.join(" ") });
        }
        Some(content @ (Value::String(_) | Value::Null)) => {
            rest.insert("content".to_owned(), content);
        }
        Some(_) => return Err("must be a text, a list of parts, or null"),
        None => {}
    }
    let text = said_otherwise(rest);
    // Without content it stays so.
    rest.entry("content").or_insert(Value::Null);
    Ok(text)
}

/// The content as it was, and what else the message had.
#[must_use]
pub(crate) fn together(text: &str, mut rest: Map<String, Value>) -> (Value, Map<String, Value>) {
    let around = rest.remove(AROUND);
    let side = |index: usize| around.as_ref().and_then(|around| around.get(index)?.as_str()).unwrap_or_default();
    let text = format!("{}{text}{}", side(0), side(1));
    let content = match rest.remove("content") {
        None => Value::String(text),
        Some(Value::Array(mut parts)) => {
            lengths_to_texts(&mut parts, &text);
            Value::Array(parts)
        }
        Some(content) => content,
    };
    (content, rest)
}

/// The text without the white space around it, which no chunk has; that is kept beside it.
fn trimmed(text: String, rest: &mut Map<String, Value>) -> String {
    let inner = text.trim();
    if inner.len() == text.len() {
        return text;
    }
    let (lead, tail) = (text.len() - text.trim_start().len(), text.trim_end().len());
    let sides = [text.get(..lead), text.get(tail..)].map(Option::unwrap_or_default);
    rest.insert(AROUND.to_owned(), Value::from(sides.to_vec()));
    inner.to_owned()
}

/// The texts of parts, and in their place how long they are.
fn texts(parts: &mut [Value]) -> Result<String, &'static str> {
    let mut texts: Vec<String> = Vec::new();
    for part in parts {
        let Some(part) = part.as_object_mut() else { return Err("must be a list of objects with a `type`") };
        if !part.get("type").is_some_and(Value::is_string) {
            return Err("must be a list of objects with a `type`");
        }
        match part.get_mut("text") {
            None => {}
            Some(text @ Value::String(_)) => {
                let length = text.as_str().map_or(0, str::len);
                if let Value::String(text) = std::mem::replace(text, Value::from(length)) {
                    texts.push(text);
                }
            }
            Some(_) => return Err("has a part whose `text` is no text"),
        }
    }
    Ok(texts.join(BETWEEN.encode_utf8(&mut [0; 4])))
}

fn lengths_to_texts(parts: &mut [Value], text: &str) {
    let mut at = 0;
    for place in parts.iter_mut().filter_map(|part| part.get_mut("text")) {
        let Some(length) = place.as_u64().and_then(|length| usize::try_from(length).ok()) else { continue };
        let end = at + length;
        *place = Value::from(text.get(at..end).or_else(|| text.get(at..)).unwrap_or_default());
        at = end + BETWEEN.len_utf8();
    }
}

/// What is searched of a message without text: which tools are called and with what, or what it is refused with.
fn said_otherwise(rest: &Map<String, Value>) -> String {
    let functions = rest.get("tool_calls").and_then(Value::as_array).into_iter().flatten();
    let functions = functions.map(|call| call.get("function").or_else(|| call.get("custom")).unwrap_or(call));
    let functions = functions.chain(rest.get("function_call"));
    let calls: Vec<String> = functions
        .map(|function| {
            let text = |name: &str| function.get(name).and_then(Value::as_str).unwrap_or_default();
            let arguments: String = text("arguments").chars().take(ARGUMENTS).collect();
            format!("{}({arguments})", text("name"))
        })
        .collect();
    match rest.get("refusal").and_then(Value::as_str) {
        Some(refusal) if calls.is_empty() => refusal.to_owned(),
        _ => calls.join("\n"),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn apart_of(message: &Value) -> Result<(String, Map<String, Value>), &'static str> {
        let mut rest = message.as_object().unwrap().clone();
        let content = rest.remove("content");
        apart(content, &mut rest).map(|text| (text, rest))
    }

    fn again(message: &Value) -> Value {
        let (text, rest) = apart_of(message).unwrap();
        let (content, mut all) = together(&text, rest);
        all.insert("content".to_owned(), content);
        Value::Object(all)
    }

    #[test]
    fn what_is_searched_is_what_was_said() {
        let call = json!({"content": null, "tool_calls": [{"id": "1", "type": "function",
            "function": {"name": "weather", "arguments": "{\"city\": \"Apia\"}"}}]});
        for (message, text) in [
            (json!({"content": "Hello."}), "Hello."),
            (
                json!({"content": [{"type": "text", "text": "a"}, {"type": "image_url", "image_url": {"url": "x"}},
                {"type": "text", "text": "b"}]}),
                "a\nb",
            ),
            (json!({"content": [{"type": "image_url", "image_url": {"url": "x"}}]}), "[image_url]"),
            (call, "weather({\"city\": \"Apia\"})"),
            (json!({"content": "", "refusal": "I cannot."}), "I cannot."),
            (json!({"content": " "}), ""),
            (json!({"content": "\n a b \t"}), "a b"),
            (json!({"content": null, "tool_calls": [{"id": "1"}]}), "()"),
        ] {
            assert_eq!(apart_of(&message).unwrap().0, text);
            assert_eq!(again(&message), message);
        }
    }

    #[test]
    fn what_is_no_content_is_refused() {
        for content in [json!(7), json!({}), json!(["a"]), json!([{}]), json!([{"type": "text", "text": 7}])] {
            assert!(apart_of(&json!({"content": content})).is_err(), "{content}");
        }
    }

    proptest! {
        #[test]
        fn whatever_it_is_it_comes_back_whole(texts in prop::collection::vec(prop::option::of(".{0,12}"), 0..6)) {
            let part = |text: Option<String>| match text {
                Some(text) => json!({"type": "text", "text": text, "more": 1}),
                None => json!({"type": "input_audio", "input_audio": {"data": "x"}}),
            };
            let parts: Vec<Value> = texts.into_iter().map(part).collect();
            let message = json!({"content": parts, "name": "n", "tool_calls": []});
            prop_assert_eq!(again(&message), message);
        }
    }
}
