//! JSON of a caller to a value, or to what is wrong with it and where. Nothing of what was sent is quoted but the names of
//! fields: the rest may be anybody's documents.

use serde::de::DeserializeOwned;
use serde_json::error::Category;

use crate::failure::{Failure, Kind};

/// The longest name of a field that is repeated, in bytes.
const LONGEST: usize = 64;

/// Reads an object, all of it.
///
/// # Errors
/// The first thing that is wrong with it, with its place as `param`.
pub(crate) fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Failure> {
    match bytes.iter().find(|byte| !byte.is_ascii_whitespace()) {
        None => return Err(Failure::new(Kind::Invalid, "It is empty: it must be a JSON object.")),
        // What is read here is always an object; serde would take a list of its fields' values for one.
        Some(b'[') => return Err(Failure::new(Kind::Invalid, "It is a list: it must be a JSON object.")),
        Some(_) => {}
    }
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let place = error.path().to_string();
        explained(error.inner(), if place == "." { "" } else { &place })
    })?;
    reader.end().map_err(|error| explained(&error, ""))?;
    Ok(value)
}

/// Why, in words that quote nothing, at `place`.
fn explained(error: &serde_json::Error, place: &str) -> Failure {
    let text = error.to_string();
    let text = text.get(..text.rfind(" at line ").unwrap_or(text.len())).unwrap_or_default();
    let at = format!("line {}, column {}", error.line(), error.column());
    let failure = |message: String| Failure::new(Kind::Invalid, message);
    match error.classify() {
        Category::Data | Category::Io => {}
        Category::Eof => return failure(format!("It is no JSON: it ends too early ({at}).")),
        Category::Syntax if text.starts_with("recursion limit") => {
            return failure(format!("It is nested too deeply: 127 levels are the limit ({at})."));
        }
        Category::Syntax if text.starts_with("number out of range") => {
            return failure(format!("It has a number that is too large ({at}).")).at(place);
        }
        Category::Syntax
            if text.starts_with("invalid unicode code point")
                || text.contains("hex escape")
                || text.contains("surrogate") =>
        {
            return failure(format!("It has a text that is no Unicode ({at})."));
        }
        Category::Syntax => return failure(format!("It is no JSON ({at}).")),
    }
    let inner = |name: &str| {
        let name = name.get(..name.floor_char_boundary(LONGEST)).unwrap_or_default();
        if place.is_empty() || place == name || place.ends_with(&format!(".{name}")) {
            if place.is_empty() { name.to_owned() } else { place.to_owned() }
        } else {
            format!("{place}.{name}")
        }
    };
    if let Some((name, rest)) = text.strip_prefix("unknown field `").and_then(|rest| rest.split_once('`')) {
        let known = rest.split_once("expected ").map(|(_, known)| plain_list(known));
        let known = known.map_or_else(|| "no field is known here".to_owned(), |known| format!("known is {known}"));
        return failure(format!("There is no such field; {known}.")).at(&inner(name));
    }
    if let Some((name, _)) = text.strip_prefix("missing field `").and_then(|rest| rest.split_once('`')) {
        return failure("It is missing.".to_owned()).at(&inner(name));
    }
    if let Some((name, _)) = text.strip_prefix("duplicate field `").and_then(|rest| rest.split_once('`')) {
        return failure("It is there twice.".to_owned()).at(&inner(name));
    }
    if text.starts_with("unknown variant `")
        && let Some((_, known)) = text.rsplit_once("expected ")
    {
        return failure(format!("It must be {}.", plain_list(known))).at(place);
    }
    if let Some((_, expected)) = text.rsplit_once(", expected ") {
        return failure(format!("It must be {}.", plainly(expected))).at(place);
    }
    if text.contains("did not match any variant") || text.starts_with("invalid") {
        return failure("It is of a type that it cannot be.".to_owned()).at(place);
    }
    // Our own types say it themselves, and quote nothing.
    failure(format!("It {text}.")).at(place)
}

/// `one of `a`, `b`` without the accents.
fn plain_list(list: &str) -> String {
    list.replace('`', "")
}

/// What serde expects, in the words of JSON instead of Rust's.
fn plainly(expected: &str) -> &str {
    match expected {
        "f32" | "f64" => "a number",
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number, 0 or more",
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number",
        "a boolean" => "true or false",
        "a sequence" => "a list",
        "a map" => "an object",
        "str" | "a borrowed string" | "variant identifier" | "field identifier" | "string or map" => "a string",
        _ if ["struct ", "internally tagged ", "adjacently tagged ", "enum "]
            .iter()
            .any(|start| expected.starts_with(start)) =>
        {
            "an object"
        }
        _ => expected,
    }
}

impl Failure {
    /// The same, about a field if there is one.
    fn at(self, place: &str) -> Self {
        if place.is_empty() || place == "?" { self } else { self.about(place.trim_end_matches(".?")) }
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;
    use crate::wishes::Wishes;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[allow(dead_code, reason = "it is only read into")]
    struct Outer {
        name: String,
        #[serde(default)]
        wishes: Wishes,
        #[serde(default)]
        list: Vec<Wishes>,
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place_and_without_quoting() {
        for (text, param, says) in [
            ("", None, "empty"),
            (" \n", None, "empty"),
            ("{", None, "too early"),
            ("secret", None, "no JSON"),
            ("[]", None, "a list"),
            (r#"{"name": "a"} {}"#, None, "no JSON"),
            ("{}", Some("name"), "missing"),
            (r#"{"name": 7}"#, Some("name"), "a string"),
            (r#"{"name": "a", "name": "b"}"#, Some("name"), "twice"),
            (r#"{"name": "a", "secret2": 1}"#, Some("secret2"), "known is one of name, wishes, list"),
            (r#"{"name": "a", "wishes": {"topk": 1}}"#, Some("wishes.topk"), "top_k"),
            (r#"{"name": "a", "wishes": {"top_k": "secret"}}"#, Some("wishes.top_k"), "a whole number"),
            (r#"{"name": "a", "wishes": {"top_k": -1}}"#, Some("wishes.top_k"), "a whole number"),
            (r#"{"name": "a", "wishes": {"top_k": 1.5}}"#, Some("wishes.top_k"), "a whole number"),
            (r#"{"name": "a", "wishes": {"mmr": NaN}}"#, None, "no JSON"),
            (r#"{"name": "a", "wishes": {"mmr": 1e999}}"#, None, "too large"),
            (r#"{"name": "a", "wishes": {"mode": "secret"}}"#, Some("wishes.mode"), "one of hybrid, dense, lexical"),
            (r#"{"name": "a", "list": [{}, {"rerank": "secret"}]}"#, Some("list[1].rerank"), "true or false"),
            (r#"{"name": "a", "wishes": {"fusion": {"weights": []}}}"#, Some("wishes.fusion.weights"), "an object"),
            (r#"{"name": "a", "wishes": {"fusion": {"weights": {"x": 1}}}}"#, Some("wishes.fusion.weights.x"), "dense"),
            ("{\"name\": \"\\ud800\"}", None, "Unicode"),
        ] {
            let failure = read::<Outer>(text.as_bytes()).unwrap_err();
            assert!(failure.message.contains(says), "{text}: {failure}");
            assert!(!failure.message.contains("secret") || says.is_empty(), "{text}: {failure}");
            if param.is_some() {
                assert_eq!(failure.param.as_deref(), param, "{text}: {failure}");
            }
        }
        let deep = format!("{{\"a\": {}{}}}", "[".repeat(1_000), "]".repeat(1_000));
        let told = read::<serde_json::Value>(deep.as_bytes()).unwrap_err();
        assert!(told.message.contains("too deeply"), "{told}");
    }
}
