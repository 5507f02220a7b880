//! Ids and names of calls, in the alphabet that the API takes.

use std::borrow::Cow;

/// The longest name of a tool, and the longest id that is kept as it is. The API names no limit for ids, but some
/// gateways hide whole documents in theirs.
const LONGEST: usize = 128;

/// How much of a foreign id stays readable.
const READABLE: usize = 40;

/// Whether the API takes `text` as a tool's name.
pub(super) fn is_name(text: &str) -> bool {
    !text.is_empty() && text.len() <= LONGEST && text.bytes().all(is_plain)
}

/// `text` in `[a-zA-Z0-9_-]{1,128}`: itself where it already is, else what is readable of it and a hash of the whole.
/// The same text gives the same result in every request, or the provider's prompt cache would never hit.
pub(super) fn plain(text: &str) -> Cow<'_, str> {
    if is_name(text) {
        return Cow::Borrowed(text);
    }
    let readable: String = text
        .chars()
        .take(READABLE)
        .map(|char| if char.is_ascii() && is_plain(char as u8) { char } else { '_' })
        .collect();
    Cow::Owned(format!("{readable}-{:016x}", fnv1a(text)))
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-'
}

/// FNV-1a, 64 bit. The standard library's hasher does not promise the same value from one release to the next.
fn fnv1a(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_native_id_is_kept_to_the_letter() {
        for id in ["toolu_01A09q90qw90lq917835lq9", "call_abc-1", "0"] {
            assert!(matches!(plain(id), Cow::Borrowed(same) if same == id));
        }
    }

    #[test]
    fn foreign_ids_that_look_alike_stay_apart() {
        assert_ne!(plain("a.b"), plain("a|b"));
        assert_ne!(plain("a.b"), plain("a_b"));
        assert_eq!(plain("chatcmpl.1|x"), "chatcmpl_1_x-ca48f5b67a37c3c6");
        assert_ne!(plain(&format!("{}1", "x".repeat(500))), plain(&format!("{}2", "x".repeat(500))));
    }

    proptest! {
        #[test]
        fn whatever_comes_fits(text in "\\PC{0,300}|\\u{0}*") {
            prop_assert!(is_name(&plain(&text)));
            prop_assert_eq!(plain(&text), plain(&text));
        }
    }
}
