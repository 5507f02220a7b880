//! Why JSON could not be read, in words that quote nothing of it.
//!
//! serde's own messages repeat the offending value (`invalid type: string "...", expected u64`), and that value may be
//! a prompt. What was expected is safe to tell, what was found is not.

/// What an envelope says that has more fields than any request.
pub(super) const TOO_MANY_FIELDS: &str = "too many fields";

/// What `error` expected, and where, without what it found.
#[must_use]
pub fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = text.rfind(" at line ").unwrap_or(text.len());
    let text = text.get(..place).unwrap_or_default();
    let what = if text.starts_with("missing field") || text.starts_with("duplicate field") || text == TOO_MANY_FIELDS {
        text
    } else if let Some(expected) = text.rfind(", expected ") {
        text.get(expected + 2..).unwrap_or_default()
    } else if error.is_data() {
        "a value of the wrong type"
    } else if error.is_eof() {
        "the text ends too early"
    } else {
        "not JSON"
    };
    if error.line() == 0 {
        what.to_owned()
    } else {
        format!("{what} (line {}, column {})", error.line(), error.column())
    }
}

#[cfg(test)]
mod tests {
    use super::reason;

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
}
