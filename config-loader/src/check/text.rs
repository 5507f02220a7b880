//! Bytes to text: UTF-8 without a byte order mark, with `\n` at the ends of its lines, and not a login page.

use std::borrow::Cow;

use crate::failure::Failure;

/// The text of a file.
///
/// # Errors
/// What is wrong with it, and at which byte and line.
pub fn read(bytes: &[u8]) -> Result<Cow<'_, str>, Failure> {
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(Failure::data("is UTF-16 text").with_hint("save it as UTF-8"));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let at = error.valid_up_to();
        Failure::data(format!("is not UTF-8 text: {} does not belong there", place(bytes, at)))
            .with_hint("save it as UTF-8, or give it the type binary")
    })?;
    if let Some(at) = text.bytes().position(|byte| byte == 0) {
        return Err(Failure::data(format!("has a NUL character at {}", place(bytes, at)))
            .with_hint("remove it, or give the file the type binary"));
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    Ok(if text.contains("\r\n") { text.replace("\r\n", "\n").into() } else { text.into() })
}

/// `byte 12 (line 2)`, both counted from 1.
fn place(bytes: &[u8], at: usize) -> String {
    let line = bytes.iter().take(at).filter(|byte| **byte == b'\n').count() + 1;
    format!("byte {} (line {line})", at + 1)
}

/// Refuses a web page where something else is due: proxies and portals answer with one, and with 200.
///
/// # Errors
/// [`Failure::data`] if it is one.
pub fn refuse_page(text: &str, media_type: Option<&str>) -> Result<(), Failure> {
    let said = media_type.is_some_and(|it| {
        let it = it.split(';').next().unwrap_or_default().trim();
        it.eq_ignore_ascii_case("text/html") || it.eq_ignore_ascii_case("application/xhtml+xml")
    });
    if is_page(text) || (said && text.trim_start().starts_with('<')) {
        return Err(Failure::data("is an HTML page, perhaps a login page or a proxy's error").with_hint(
            "look at the address with curl, give credentials if it wants some; give it the type binary if HTML is wanted",
        ));
    }
    Ok(())
}

/// Whether it begins as a page does, behind white space, comments and an XML declaration.
fn is_page(text: &str) -> bool {
    let mut rest = text.trim_start();
    loop {
        let skipped = [("<!--", "-->"), ("<?xml", "?>")]
            .into_iter()
            .find_map(|(begin, end)| rest.strip_prefix(begin)?.split_once(end).map(|(_, rest)| rest.trim_start()));
        match skipped {
            Some(after) => rest = after,
            None => break,
        }
    }
    let begins = |tag: &str| {
        let (head, after) = (rest.get(..tag.len()), rest.get(tag.len()..));
        head.is_some_and(|head| head.eq_ignore_ascii_case(tag))
            && after.is_some_and(|after| after.starts_with(|next: char| next == '>' || next.is_whitespace()))
    };
    ["<!doctype html", "<html", "<head", "<body"].into_iter().any(begins)
}

/// Refuses a prompt that says nothing.
///
/// # Errors
/// [`Failure::data`] if it is empty or white space.
pub fn refuse_empty(text: &str) -> Result<(), Failure> {
    if text.trim().is_empty() {
        return Err(Failure::data("is empty").with_hint("an agent without a prompt does anything: write one"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn told(bytes: &[u8]) -> String {
        read(bytes).map_or_else(|failure| failure.message, |text| format!("fine: {text}"))
    }

    #[test]
    fn text_is_cleaned_or_its_fault_is_told() {
        let table: [(&[u8], &str); 9] = [
            ("naïve".as_bytes(), "fine: naïve"),
            (b"", "fine: "),
            (b"\xef\xbb\xbfhello", "fine: hello"),
            (b"a\r\nb\rc\n", "fine: a\nb\rc\n"),
            (b"ab\nc\xff", "is not UTF-8 text: byte 5 (line 2) does not belong there"),
            (b"cut \xe2\x82", "is not UTF-8 text: byte 5 (line 1) does not belong there"),
            (b"\xff\xfea\0", "is UTF-16 text"),
            (b"\xfe\xff\0a", "is UTF-16 text"),
            (b"a\n\nb\0", "has a NUL character at byte 5 (line 3)"),
        ];
        for (bytes, expected) in table {
            assert_eq!(told(bytes), expected);
        }
    }

    #[test]
    fn a_page_is_known_by_its_beginning() {
        let pages = [
            "<!DOCTYPE html>\n<html>",
            "\n <html lang=\"en\">",
            "<!-- portal --><?xml version=\"1.0\"?><!-- -->\n<!doctype html PUBLIC",
            "<HEAD><title>Sign in",
            "<body\n>",
        ];
        for page in pages {
            assert!(refuse_page(page, None).is_err(), "{page}");
        }
        for text in
            ["", "<instructions>be kind</instructions>", "<htmlish>", "{}", "Say <html> never.", "<!-- cut", "<head"]
        {
            assert!(refuse_page(text, None).is_ok(), "{text}");
            assert!(refuse_page(text, Some("text/plain")).is_ok(), "{text}");
        }
        assert!(refuse_page("<div>Sign in</div>", Some("Text/HTML; charset=utf-8")).is_err());
        assert!(refuse_page("You are a helper.", Some("text/html")).is_ok());
    }

    #[test]
    fn white_space_is_no_prompt() {
        assert!(refuse_empty("\n \t").is_err());
        assert!(refuse_empty(" x ").is_ok());
    }

    proptest! {
        #[test]
        fn any_bytes_are_text_or_a_failure(bytes: Vec<u8>) {
            if let Ok(text) = read(&bytes) {
                prop_assert!(!text.contains('\0') && !text.contains("\r\n"));
                let _ = refuse_page(&text, Some("text/html"));
            }
        }

        #[test]
        fn plain_text_stays_as_it_is(text in "[^\\x00\\r\u{feff}]*") {
            prop_assert_eq!(read(text.as_bytes()).unwrap(), text.as_str());
        }
    }
}
