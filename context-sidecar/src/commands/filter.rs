//! `--filter`, as people write it, to a filter.

use serde_json::{Value, json};

/// The filter that all of these make; `None` for none.
///
/// # Errors
/// What is no filter, and how one is written.
pub(super) fn of(given: &[String]) -> Result<Option<Value>, String> {
    let mut filters = given.iter().map(|text| one(text)).collect::<Result<Vec<Value>, String>>()?;
    Ok(match filters.len() {
        0 | 1 => filters.pop(),
        _ => Some(json!({"type": "and", "filters": filters})),
    })
}

fn one(text: &str) -> Result<Value, String> {
    if text.trim_start().starts_with('{') {
        return serde_json::from_str(text).map_err(|error| format!("--filter: is no JSON: {error}"));
    }
    let (key, value) = text.split_once('=').filter(|(key, _)| !key.trim().is_empty()).ok_or_else(|| {
        "--filter: is neither KEY=VALUE nor JSON, as in {\"type\": \"gte\", \"key\": \"year\", \"value\": 2020}"
            .to_owned()
    })?;
    Ok(json!({"type": "eq", "key": key.trim(), "value": scalar(value.trim())}))
}

/// A number or a boolean if it is written as one; in quotes, or else, a text.
fn scalar(text: &str) -> Value {
    match serde_json::from_str(text) {
        Ok(value @ (Value::Bool(_) | Value::Number(_) | Value::String(_))) => value,
        _ => Value::String(text.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write_is_a_filter() {
        let of = |given: &[&str]| of(&given.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>());
        assert_eq!(of(&[]).unwrap(), None);
        let eq = |key: &str, value: Value| json!({"type": "eq", "key": key, "value": value});
        for (text, filter) in [
            ("lang=en", eq("lang", json!("en"))),
            ("year=2024", eq("year", json!(2024))),
            ("year=\"2024\"", eq("year", json!("2024"))),
            ("draft=false", eq("draft", json!(false))),
            ("url=https://a/?b=c", eq("url", json!("https://a/?b=c"))),
            ("v=1.2.3", eq("v", json!("1.2.3"))),
            ("lang=", eq("lang", json!(""))),
            ("{\"type\": \"gt\", \"key\": \"a\", \"value\": 1}", json!({"type": "gt", "key": "a", "value": 1})),
        ] {
            assert_eq!(of(&[text]).unwrap(), Some(filter), "{text}");
        }
        let both = json!({"type": "and", "filters": [eq("a", json!(1)), eq("b", json!(2))]});
        assert_eq!(of(&["a=1", "b=2"]).unwrap(), Some(both));
        for wrong in ["lang", "=en", "{", "{\"a\": }"] {
            assert!(of(&[wrong]).unwrap_err().starts_with("--filter: "), "{wrong}");
        }
    }
}
