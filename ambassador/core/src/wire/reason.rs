//! Why JSON could not be read, in words that quote nothing of it.
//!
//! serde's own messages repeat the offending value (`invalid type: string "...", expected u64`), and that value may be
//! a prompt. What was expected is safe to tell, what was found is not.

/// What an envelope says that has more fields than any request.
pub(super) const TOO_MANY_FIELDS: &str = "too many fields";

/// What is said where serde says less.
const WRONG_TYPE: &str = "a value of the wrong type";
const NOT_JSON: &str = "not JSON";

/// What `error` expected, and where, without what it found.
#[must_use]
pub fn reason(error: &serde_json::Error) -> String {
    let what = words(error);
    if error.line() == 0 { what } else { format!("{what} (line {}, column {})", error.line(), error.column()) }
}

/// The same without the place, for a part of a body that is known to be JSON: lines and columns that count from the
/// part's beginning lead nowhere.
#[must_use]
pub fn words_of_part(error: &serde_json::Error) -> String {
    // To serde_json, a list that is longer than its shape has "trailing characters", and a number for a word is no value.
    Some(words(error)).filter(|words| words != NOT_JSON).unwrap_or_else(|| WRONG_TYPE.to_owned())
}

fn words(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = text.rfind(" at line ").unwrap_or(text.len());
    let text = text.get(..place).unwrap_or_default();
    if text.starts_with("missing field") || text.starts_with("duplicate field") || text == TOO_MANY_FIELDS {
        text.to_owned()
    } else if let Some((_, expected)) = text.rsplit_once(", expected ") {
        format!("expected {}", plainly(expected))
    } else if error.is_data() {
        WRONG_TYPE.to_owned()
    } else if text == "recursion limit exceeded" {
        "nested too deeply".to_owned()
    } else if error.is_eof() {
        "the text ends too early".to_owned()
    } else {
        NOT_JSON.to_owned()
    }
}

/// What serde expects, in the words of JSON instead of Rust's: whoever sent the request may write no Rust.
fn plainly(expected: &str) -> &str {
    match expected {
        "f32" | "f64" => "a number",
        "u8" | "u16" | "u32" | "u64" | "u128" | "usize" => "a whole number, 0 or more",
        "i8" | "i16" | "i32" | "i64" | "i128" | "isize" => "a whole number",
        "a boolean" => "true or false",
        "a sequence" => "a list",
        "a map" => "an object",
        "str" | "a borrowed string" | "variant identifier" | "field identifier" | "string or map" => "a string",
        "unit" | "unit struct" => "null",
        "any valid JSON value" => "any value",
        _ if expected.starts_with("tuple ") || expected.starts_with("a tuple") => "a list",
        _ if ["struct ", "internally tagged ", "adjacently tagged ", "enum "]
            .iter()
            .any(|start| expected.starts_with(start)) =>
        {
            "an object"
        }
        // The words of our own shapes, and the names that a field may hold.
        _ => expected,
    }
}

#[cfg(test)]
mod tests {
    use super::{reason, words_of_part};

    #[test]
    fn the_value_found_is_never_told() {
        #[derive(Debug, serde::Deserialize)]
        #[allow(dead_code, reason = "only its errors matter")]
        struct Shape {
            n: u64,
            role: Option<Role>,
        }
        #[derive(Debug, serde::Deserialize)]
        #[serde(rename_all = "lowercase")]
        enum Role {
            User,
            Tool,
        }
        for text in [
            r#"{"n":"CANARY, expected CANARY?"}"#,
            r#"{"n":1,"role":"CANARY"}"#,
            r#"["CANARY"]"#,
            r#"{"n":CANARY}"#,
            r#"{"n":1,"role":"CAN"#,
        ] {
            let told = reason(&serde_json::from_str::<Shape>(text).unwrap_err());
            assert!(!told.contains("CAN"), "{told}");
        }
        let told = reason(&serde_json::from_str::<Shape>("{}").unwrap_err());
        assert_eq!(told, "missing field `n` (line 1, column 2)");
    }

    #[test]
    fn what_was_expected_is_told_in_the_words_of_json() {
        #[derive(serde::Deserialize)]
        struct Empty {}
        #[derive(serde::Deserialize)]
        #[serde(tag = "type", rename_all = "snake_case")]
        enum Tagged {
            This,
            That,
        }
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "snake_case")]
        enum Word {
            One,
            Two,
            Three,
        }
        fn told<T: serde::de::DeserializeOwned>(json: &str) -> String {
            serde_json::from_str::<T>(json).map(|_| ()).map_err(|error| words_of_part(&error)).unwrap_err()
        }
        for (told, expected) in [
            (told::<f64>("\"x\""), "a number"),
            (told::<u64>("-1"), "a whole number, 0 or more"),
            (told::<u32>("1.5"), "a whole number, 0 or more"),
            (told::<i64>("[]"), "a whole number"),
            (told::<bool>("1"), "true or false"),
            (told::<String>("1"), "a string"),
            (told::<Vec<u64>>("{}"), "a list"),
            (told::<serde_json::Map<String, serde_json::Value>>("1"), "an object"),
            (told::<Empty>("7"), "an object"),
            (told::<Tagged>("7"), "an object"),
            (told::<Tagged>(r#"{"type":7}"#), "a string"),
            (told::<Tagged>(r#"{"type":"other"}"#), "`this` or `that`"),
            (told::<Word>("\"four\""), "one of `one`, `two`, `three`"),
        ] {
            assert_eq!(told, format!("expected {expected}"));
        }
        assert_eq!(told::<Empty>("[1]"), "a value of the wrong type");
        assert_eq!(told::<Word>("7"), "a value of the wrong type");
        assert_eq!(told::<serde_json::Value>(&"[".repeat(1000)), "nested too deeply");
        assert_eq!(told::<Tagged>("{}"), "missing field `type`");
    }
}
