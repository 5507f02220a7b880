//! Bytes to text: UTF-8, or UTF-16 that says so. What else it seems to be is told, with how to convert it: a guess that is
//! wrong would be found by nobody.

/// As many bytes as tell what they are.
const LOOKED_AT: usize = 4_096;

/// The text of some bytes.
///
/// # Errors
/// What they are instead, and what to do; `name` is the file's, for the command that converts it.
pub(super) fn text(bytes: Vec<u8>, name: &str) -> Result<String, String> {
    // The longer mark first: it begins with the shorter one.
    if bytes.starts_with(&[0xff, 0xfe, 0, 0]) || bytes.starts_with(&[0, 0, 0xfe, 0xff]) {
        return Err(format!("is UTF-32, and not UTF-8: {}", convert("UTF-32", name)));
    }
    for (mark, unit) in [([0xff, 0xfe], u16::from_le_bytes as fn([u8; 2]) -> u16), ([0xfe, 0xff], u16::from_be_bytes)] {
        if let Some(rest) = bytes.strip_prefix(&mark) {
            return utf16(rest, unit);
        }
    }
    let text = match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let (at, bytes) = (error.utf8_error().valid_up_to(), error.as_bytes());
            return Err(match guess(bytes) {
                None => "is binary, whatever its name says".to_owned(),
                Some(seems) => {
                    let line = bytes.iter().take(at).filter(|byte| **byte == b'\n').count() + 1;
                    format!("is no UTF-8 text (byte {at}, in line {line}); {seems}: {}", convert_from(seems, name))
                }
            });
        }
    };
    if text.contains('\0') {
        return Err(match guess(text.as_bytes()) {
            Some(seems) if seems.contains("UTF-16") => {
                format!("is no UTF-8 text; {seems}: {}", convert_from(seems, name))
            }
            _ => "is binary, whatever its name says".to_owned(),
        });
    }
    Ok(text.strip_prefix('\u{feff}').map(str::to_owned).unwrap_or(text))
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<String, String> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let text: Result<String, _> = char::decode_utf16(pairs.iter().map(|pair| unit(*pair))).collect();
    match text {
        Ok(text) if rest.is_empty() && !text.contains('\0') => Ok(text),
        _ => Err("begins as UTF-16, and goes on as something else".to_owned()),
    }
}

/// What bytes seem to be that are no UTF-8; `None` where they are no text at all.
fn guess(bytes: &[u8]) -> Option<&'static str> {
    let head = bytes.get(..LOOKED_AT.min(bytes.len())).unwrap_or_default();
    let nuls = |odd: usize| head.iter().skip(odd).step_by(2).filter(|byte| **byte == 0).count();
    let half = head.len() / 2;
    if nuls(0) + nuls(1) > 0 {
        // Latin letters have a zero for their other half.
        return match (nuls(0), nuls(1)) {
            _ if half < 4 => None,
            (0, low) if low > half / 2 => Some("it seems to be UTF-16LE"),
            (high, 0) if high > half / 2 => Some("it seems to be UTF-16BE"),
            _ => None,
        };
    }
    let controls = head.iter().filter(|byte| matches!(byte, 0x01..=0x08 | 0x0e..=0x1a | 0x1c..=0x1f | 0x7f)).count();
    if controls * 50 > head.len() {
        return None;
    }
    let high = bytes.iter().filter(|byte| **byte >= 0x80).count();
    if high * 3 > bytes.len() {
        // No language that is written in Latin letters has so many others.
        return Some("it is in an encoding for letters that are not Latin (Windows-1251, GB18030, Shift_JIS ...)");
    }
    let is_windows = bytes.iter().any(|byte| matches!(byte, 0x80..=0x9f));
    Some(if is_windows { "it seems to be Windows-1252" } else { "it seems to be ISO-8859-1 (Latin-1)" })
}

fn convert_from(seems: &str, name: &str) -> String {
    let known = ["UTF-16LE", "UTF-16BE", "WINDOWS-1252", "ISO-8859-1"];
    let upper = seems.to_ascii_uppercase();
    convert(known.into_iter().find(|encoding| upper.contains(encoding)).unwrap_or("ENCODING"), name)
}

fn convert(encoding: &str, name: &str) -> String {
    format!("convert it (iconv -f {encoding} -t UTF-8 '{}')", name.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_says_what_it_is_is_read() {
        assert_eq!(text("\u{feff}grün".into(), "a").unwrap(), "grün");
        let little: Vec<u8> = "\u{feff}grün 🦀".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = "\u{feff}grün 🦀".encode_utf16().flat_map(u16::to_be_bytes).collect();
        assert_eq!((text(little, "a").unwrap(), text(big, "a").unwrap()), ("grün 🦀".to_owned(), "grün 🦀".to_owned()));
        assert!(text(vec![0xff, 0xfe, 0x00, 0xd8], "a").unwrap_err().contains("UTF-16"));
        assert!(text(vec![0xff, 0xfe, b'a', 0, b'b'], "a").unwrap_err().contains("UTF-16"));
    }

    #[test]
    fn what_does_not_is_told_with_what_to_do() {
        let wide: Vec<u8> = "plain words, and many of them".encode_utf16().flat_map(u16::to_le_bytes).collect();
        let russian: Vec<u8> = (0..100).map(|n| if n % 8 == 0 { b' ' } else { 0xc0 + n % 32 }).collect();
        for (bytes, says) in [
            (b"first\ngr\xfcn".to_vec(), "(byte 8, in line 2); it seems to be ISO-8859-1"),
            (b"first\ngr\xfcn".to_vec(), "iconv -f ISO-8859-1 -t UTF-8 'it'\\''s.txt'"),
            (b"\x93quoted\x94 words".to_vec(), "iconv -f WINDOWS-1252"),
            (wide, "iconv -f UTF-16LE"),
            (russian, "not Latin"),
            (b"\xff\xfe\0\0a\0\0\0".to_vec(), "iconv -f UTF-32"),
            (b"a\0b".to_vec(), "is binary"),
            (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\xff".to_vec(), "is binary"),
        ] {
            let told = text(bytes, "it's.txt").unwrap_err();
            assert!(told.contains(says), "`{told}` does not say `{says}`");
        }
    }
}
