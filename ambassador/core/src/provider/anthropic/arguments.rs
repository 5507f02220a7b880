//! A call's arguments: text in the canonical model, a JSON object in this API.
//!
//! The text passes as it is wherever it can. Going through a tree would reorder the keys, and a model that reads back
//! its own calls in another order than it wrote them is a model that is taught to do so.

use std::borrow::Cow;

use serde_json::{
    json,
    value::{RawValue, to_raw_value},
};

/// The `input` of a call whose arguments are `text`, and whether it had to be wrapped.
///
/// An answer that met its token limit inside a call leaves text that is no JSON, and the caller sends it back in every
/// later turn. Refusing it would end the conversation for good, and an empty object would tell the model that it had
/// said nothing, so the text itself goes along as the one argument `arguments`.
pub(super) fn to_input(text: &str) -> Result<(Cow<'_, RawValue>, bool), serde_json::Error> {
    if text.trim().is_empty() {
        return Ok((Cow::Owned(to_raw_value(&json!({}))?), false));
    }
    match serde_json::from_str::<&RawValue>(text) {
        Ok(raw) if raw.get().starts_with('{') => Ok((Cow::Borrowed(raw), false)),
        _ => Ok((Cow::Owned(to_raw_value(&json!({ "arguments": text }))?), true)),
    }
}

/// The arguments of a call whose `input` is `raw`, without the blanks between tokens; `None` where it is no object.
pub(super) fn from_input(raw: &RawValue) -> Option<String> {
    let text = raw.get();
    if !text.starts_with('{') {
        return None;
    }
    let mut strings = Strings::default();
    Some(text.chars().filter(|char| strings.inside(*char) || !char.is_ascii_whitespace()).collect())
}

/// Follows JSON text character by character and knows what is inside a string.
#[derive(Debug, Default)]
struct Strings {
    open: bool,
    escaped: bool,
}

impl Strings {
    /// Whether `char`, the next one, belongs to a string; its quotes do.
    fn inside(&mut self, char: char) -> bool {
        let was_open = self.open;
        match char {
            _ if self.escaped => self.escaped = false,
            '\\' if self.open => self.escaped = true,
            '"' => self.open = !self.open,
            _ => {}
        }
        was_open || self.open
    }
}

/// Follows the pieces of a streamed object and knows whether they make a whole one. It counts brackets outside of
/// strings and no more: it is there to notice a cut, not to validate.
#[derive(Debug, Default)]
pub(super) struct Extent {
    strings: Strings,
    depth: usize,
    begun: bool,
    whole: bool,
}

impl Extent {
    pub(super) fn feed(&mut self, fragment: &str) {
        for char in fragment.chars() {
            let inside = self.strings.inside(char);
            self.begun |= !char.is_ascii_whitespace();
            match char {
                _ if inside => {}
                '{' | '[' => {
                    self.depth += 1;
                    self.whole = false;
                }
                '}' | ']' => {
                    self.whole = self.depth == 1 && char == '}';
                    self.depth = self.depth.saturating_sub(1);
                }
                _ => {}
            }
        }
    }

    /// Whether anything but blanks came.
    pub(super) fn has_begun(&self) -> bool {
        self.begun
    }

    /// Whether what came is a whole object.
    pub(super) fn is_whole(&self) -> bool {
        self.whole && !self.strings.open
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input(text: &str) -> (String, bool) {
        let (input, wrapped) = to_input(text).unwrap();
        (input.get().to_owned(), wrapped)
    }

    #[test]
    fn objects_pass_to_the_letter_and_nothing_is_an_empty_one() {
        assert_eq!(input(r#"{"z":1,"a":1.0e2}"#), (r#"{"z":1,"a":1.0e2}"#.into(), false));
        assert_eq!(input(""), ("{}".into(), false));
        assert_eq!(input(" \n"), ("{}".into(), false));
    }

    #[test]
    fn what_is_no_object_is_wrapped_whole() {
        assert_eq!(input(r#"{"city":"Par"#), (r#"{"arguments":"{\"city\":\"Par"}"#.into(), true));
        assert_eq!(input("[1]"), (r#"{"arguments":"[1]"}"#.into(), true));
        assert_eq!(input("{} {}"), (r#"{"arguments":"{} {}"}"#.into(), true));
        assert_eq!(input("null"), (r#"{"arguments":"null"}"#.into(), true));
    }

    #[test]
    fn arguments_are_compact_and_keep_order_and_strings() {
        let raw: &RawValue =
            serde_json::from_str("{ \"z\" : [ 1 , 2 ],\n \"a\": \"x \\\" y\\\\\" , \"é\":{} }").unwrap();
        assert_eq!(from_input(raw).unwrap(), r#"{"z":[1,2],"a":"x \" y\\","é":{}}"#);
        assert_eq!(from_input(serde_json::from_str("[]").unwrap()), None);
    }

    #[test]
    fn a_cut_object_is_not_whole_however_it_is_split() {
        let text = r#" {"a":"}\"{","b":[{"c":"\\"}]} "#;
        for split in (0..=text.len()).filter(|at| text.is_char_boundary(*at)) {
            let (head, tail) = text.split_at(split);
            let mut extent = Extent::default();
            extent.feed(head);
            assert_eq!(extent.is_whole(), split >= text.len() - 1, "{head}");
            extent.feed(tail);
            assert!(extent.is_whole() && extent.has_begun());
        }
        let mut blank = Extent::default();
        blank.feed("");
        blank.feed(" ");
        assert!(!blank.has_begun() && !blank.is_whole());
    }
}
