//! What a deserialiser's complaint means.
//!
//! Serde hands errors over as text only. Its phrases are part of its documented behaviour
//! (`de::Error::unknown_field` and its kin), and they are read here, once, into what the
//! [`super::draft`] can act on. They are rewritten on the way: a found string is never quoted,
//! because it may be a credential in the wrong place.

use super::suggest::closest;
use crate::excerpt::excerpt;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Diagnosis {
    /// A required key is not there.
    Missing { name: String },
    /// There is a key nobody asked for.
    Unknown { name: String, hint: Option<String> },
    /// A key has no value where one is needed.
    Null { message: String },
    /// A word that is not among those allowed here.
    Variant { allowed: Vec<String>, message: String, hint: Option<String> },
    /// Anything else.
    Other { message: String, hint: Option<String> },
}

impl Diagnosis {
    pub(super) fn of(complaint: &str) -> Self {
        missing(complaint)
            .or_else(|| unknown_key(complaint))
            .or_else(|| unknown_variant(complaint))
            .or_else(|| mismatch(complaint))
            .unwrap_or_else(|| Self::Other { message: complaint.to_owned(), hint: None })
    }
}

fn missing(complaint: &str) -> Option<Diagnosis> {
    let name = complaint.strip_prefix("missing field `")?.strip_suffix('`')?;
    Some(Diagnosis::Missing { name: name.to_owned() })
}

fn unknown_key(complaint: &str) -> Option<Diagnosis> {
    let (name, allowed) = unknown(complaint.strip_prefix("unknown field `")?)?;
    let hint = match (closest(name, &allowed), allowed.is_empty()) {
        (Some(near), _) => Some(format!("did you mean `{near}`?")),
        (None, false) => Some(format!("known keys: {}", allowed.join(", "))),
        (None, true) => None,
    };
    Some(Diagnosis::Unknown { name: name.to_owned(), hint })
}

fn unknown_variant(complaint: &str) -> Option<Diagnosis> {
    let (name, allowed) = unknown(complaint.strip_prefix("unknown variant `")?)?;
    let hint = closest(name, &allowed).map(|near| format!("did you mean `{near}`?"));
    let message = format!("expected one of {}, found `{}`", allowed.join(", "), excerpt(name));
    Some(Diagnosis::Variant { allowed, message, hint })
}

/// Takes ``x`, expected one of `a`, `b` `` apart. The name is what stands before the last ``
/// `, `` that precedes our own list, so nothing within the name can be taken for the list.
fn unknown(rest: &str) -> Option<(&str, Vec<String>)> {
    let (name, list) = rest.rsplit_once("`, expected ").or_else(|| rest.rsplit_once("`, there are no "))?;
    let allowed = list.split('`').skip(1).step_by(2).map(str::to_owned).collect();
    Some((name, allowed))
}

/// `invalid type: integer `5`, expected a string`, and the like for values and lengths.
fn mismatch(complaint: &str) -> Option<Diagnosis> {
    let rest = complaint
        .strip_prefix("invalid type: ")
        .or_else(|| complaint.strip_prefix("invalid value: "))
        .or_else(|| complaint.strip_prefix("invalid "))?;
    let (found, expected) = rest.rsplit_once(", expected ")?;
    let message = format!("expected {}, found {}", wanted(expected), nameable(found));
    if found == "null" {
        return Some(Diagnosis::Null { message });
    }
    let number = ["integer", "floating point", "boolean"].iter().any(|kind| found.starts_with(kind));
    let yes_or_no = ["yes", "no", "on", "off"].iter().any(|word| {
        found.strip_prefix("string ").is_some_and(|text| text.trim_matches('"').eq_ignore_ascii_case(word))
    });
    let hint = match expected {
        "a string" if number => Some("put quotes around it".to_owned()),
        "a boolean" if yes_or_no => Some("write true or false".to_owned()),
        _ => None,
    };
    Some(Diagnosis::Other { message, hint })
}

/// What was wanted, in the words of YAML instead of those of Rust.
fn wanted(expected: &str) -> &str {
    match expected {
        "u8" => "a whole number from 0 to 255",
        "u16" => "a whole number from 0 to 65535",
        "u32" | "u64" | "usize" => "a whole number, 0 or more",
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number",
        "f32" | "f64" => "a number",
        "a sequence" => "a list",
        "a map" => "a mapping",
        // What has variants is written as one of some words, which serde does not tell here.
        "string or map" | "map with a single key" | "variant identifier" | "unit variant" | "unit" => "a word",
        index if index.starts_with("variant index ") => "a word",
        choice if choice.starts_with("enum ") => "a word",
        structure if structure.starts_with("struct ") => "a mapping",
        tagged if tagged.contains(" tagged enum ") => "a mapping",
        other => other,
    }
}

/// What was found, in the words of YAML, and without the text of a string.
fn nameable(found: &str) -> String {
    match found {
        "map" => "a mapping".to_owned(),
        "sequence" => "a list".to_owned(),
        "null" | "unit value" => "nothing".to_owned(),
        text if text.starts_with("string ") => "a string".to_owned(),
        other => other.replace("floating point", "number"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn other(message: &str, hint: Option<&str>) -> Diagnosis {
        Diagnosis::Other { message: message.to_owned(), hint: hint.map(str::to_owned) }
    }

    #[test]
    fn a_string_is_never_quoted() {
        let complaint = r#"invalid type: string "sk-live-4711, expected it", expected a sequence"#;
        assert_eq!(Diagnosis::of(complaint), other("expected a list, found a string", None));
        let long = "s".repeat(164);
        let complaint = format!("unknown variant `{long}`, expected `a` or `b`");
        assert!(!format!("{:?}", Diagnosis::of(&complaint)).contains(&long));
    }

    #[test]
    fn a_number_for_a_string_wants_quotes() {
        let complaint = "invalid type: floating point `4.1`, expected a string";
        let expected = other("expected a string, found number `4.1`", Some("put quotes around it"));
        assert_eq!(Diagnosis::of(complaint), expected);
    }

    #[test]
    fn names_are_taken_apart() {
        let complaint = "unknown field `tagets`, expected one of `model`, `targets`";
        let hint = Some("did you mean `targets`?".to_owned());
        assert_eq!(Diagnosis::of(complaint), Diagnosis::Unknown { name: "tagets".to_owned(), hint });
        let complaint = "unknown field `x`, there are no fields";
        assert_eq!(Diagnosis::of(complaint), Diagnosis::Unknown { name: "x".to_owned(), hint: None });
    }
}
