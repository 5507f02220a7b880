//! Strict JSON. serde_json keeps the last of two equal keys in silence, and other parsers the first.

use std::fmt;

use chassis::excerpt::excerpt;
use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::failure::Failure;

/// Reads a text that is one JSON value: every key once, nested 127 levels at most.
///
/// # Errors
/// What is wrong, with its line and column.
pub fn read(text: &str) -> Result<Value, Failure> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let value = Strict.deserialize(&mut deserializer).and_then(|value| deserializer.end().map(|()| value));
    value.map_err(|error| {
        let told = error.to_string();
        // The place is put first, as in every other message.
        let what = told.rsplit_once(" at line ").map_or(told.as_str(), |(what, _)| what);
        let what = match what {
            "recursion limit exceeded" => "nested deeper than 127 levels",
            what => what,
        };
        let hint = if text.trim().is_empty() { "the file is empty" } else { "correct it, for instance with jq" };
        Failure::data(format!("is not strict JSON: line {}, column {}: {what}", error.line(), error.column()))
            .with_hint(hint)
    })
}

/// Builds a value, and minds what is there twice.
#[derive(Clone, Copy)]
struct Strict;

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(element) = access.next_element_seed(self)? {
            list.push(element);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(key) = access.next_key::<String>()? {
            if map.contains_key(&key) {
                return Err(A::Error::custom(format_args!("the key `{}` is there twice", excerpt(&key))));
            }
            let value = access.next_value_seed(self)?;
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn told(text: &str) -> String {
        read(text).map_or_else(|failure| failure.message.replace("is not strict JSON: ", ""), |value| value.to_string())
    }

    #[test]
    fn what_is_wrong_has_a_line_and_a_column() {
        let deep = format!("{}1{}", "[".repeat(128), "]".repeat(128));
        let fits = format!("{}1{}", "[".repeat(127), "]".repeat(127));
        let table = [
            ("", "line 1, column 0: EOF while parsing a value"),
            ("{\n  \"a\": 1,\n  \"a\": 2\n}", "line 3, column 5: the key `a` is there twice"),
            (r#"[{"x": {"k": 1, "\u006b": 2}}]"#, "line 1, column 24: the key `k` is there twice"),
            ("{\"a\": 1,}", "line 1, column 9: trailing comma"),
            ("[1] [2]", "line 1, column 5: trailing characters"),
            ("// no\n{}", "line 1, column 1: expected value"),
            ("NaN", "line 1, column 1: expected value"),
            ("[1e999]", "line 1, column 6: number out of range"),
            (&deep, "line 1, column 128: nested deeper than 127 levels"),
            (&fits, &fits),
            (r#" {"b":[1,-2,0.5,true,null,"x"],"a":{}} "#, r#"{"b":[1,-2,0.5,true,null,"x"],"a":{}}"#),
        ];
        for (text, expected) in table {
            assert_eq!(told(text), expected, "{text}");
        }
    }

    /// Objects as lists of pairs, in which keys come twice now and then.
    #[derive(Debug, Clone)]
    enum Model {
        Number(u8),
        List(Vec<Self>),
        Object(Vec<(String, Self)>),
    }

    impl Model {
        fn text(&self) -> String {
            let joined = |parts: Vec<String>| parts.join(", ");
            match self {
                Self::Number(number) => number.to_string(),
                Self::List(list) => format!("[{}]", joined(list.iter().map(Self::text).collect())),
                Self::Object(pairs) => {
                    let pairs = pairs.iter().map(|(key, value)| format!("\"{key}\": {}", value.text()));
                    format!("{{{}}}", joined(pairs.collect()))
                }
            }
        }

        fn repeats(&self) -> bool {
            match self {
                Self::Number(_) => false,
                Self::List(list) => list.iter().any(Self::repeats),
                Self::Object(pairs) => {
                    let keys: std::collections::BTreeSet<_> = pairs.iter().map(|(key, _)| key).collect();
                    keys.len() < pairs.len() || pairs.iter().any(|(_, value)| value.repeats())
                }
            }
        }
    }

    fn model() -> impl Strategy<Value = Model> {
        any::<u8>().prop_map(Model::Number).prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Model::List),
                prop::collection::vec(("[a-h]", inner), 0..4).prop_map(Model::Object),
            ]
        })
    }

    proptest! {
        #[test]
        fn exactly_what_repeats_a_key_is_refused(model in model()) {
            let text = model.text();
            match read(&text) {
                Ok(value) => {
                    prop_assert!(!model.repeats());
                    prop_assert_eq!(value, serde_json::from_str::<Value>(&text).unwrap());
                }
                Err(failure) => prop_assert!(model.repeats() && failure.message.contains("is there twice")),
            }
        }

        #[test]
        fn any_text_is_json_or_a_failure(text: String) {
            prop_assert_eq!(read(&text).is_ok(), serde_json::from_str::<Value>(&text).is_ok());
        }
    }
}
