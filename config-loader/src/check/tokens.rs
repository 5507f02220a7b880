//! How many tokens a prompt has, by o200k_base: what OpenAI's models count with, and near what others do.
//!
//! The vocabulary is within the binary, ready to be read: unpacking it took 70 ms and 30 MB, the price of an ordinary
//! tokenizer that is started for one prompt.

#[cfg(feature = "tokens")]
mod pieces;
#[cfg(feature = "tokens")]
mod table;
#[cfg(feature = "tokens")]
mod vocabulary;

use crate::failure::Failure;

/// The number of tokens; `None` where this program was built without the vocabulary.
#[must_use]
pub fn count(text: &str) -> Option<u64> {
    #[cfg(feature = "tokens")]
    let counted = Some(pieces::Pieces(text).map(tokens).sum());
    #[cfg(not(feature = "tokens"))]
    let counted = {
        let _ = text;
        None
    };
    counted
}

/// The tokens of one piece. Merging takes some fifty bytes of memory for each of the piece, so that what nobody writes is
/// cut once more; at each cut the count may be one too high.
#[cfg(feature = "tokens")]
fn tokens(piece: &str) -> u64 {
    piece.as_bytes().chunks(LONGEST_PIECE).map(|part| vocabulary::count(part) as u64).sum()
}

/// Bytes of one piece that are merged at once.
#[cfg(feature = "tokens")]
const LONGEST_PIECE: usize = 256 * 1024;

/// Refuses what has too many tokens.
///
/// # Errors
/// [`Failure`] if it has, or if that cannot be told.
pub fn bound(counted: Option<u64>, most: u32) -> Result<(), Failure> {
    match counted {
        Some(counted) if counted <= u64::from(most) => Ok(()),
        Some(counted) => Err(Failure::data(format!("has {counted} tokens, and checks.max_tokens allows {most}"))
            .with_hint("shorten it, or allow more")),
        None => Err(Failure::new(
            chassis::exit::Code::Config,
            "checks.max_tokens is set, and this config-loader was built without the feature `tokens`",
        )
        .with_hint("remove checks.max_tokens, or use the image that counts tokens")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(feature = "tokens")]
    #[test]
    fn tokens_are_those_of_o200k_base() {
        // As OpenAI's own tiktoken counts them.
        let table = [("", 0), ("hello world", 2), ("You are a helpful assistant.", 6), ("<|endoftext|>", 7)];
        for (text, expected) in table {
            assert_eq!(count(text), Some(expected), "{text}");
        }
    }

    /// Text in which everything occurs that is treated differently.
    #[cfg(feature = "tokens")]
    const TEXTS: [&str; 14] = [
        "You'RE  right; it's 12345.67 \u{20ac}, isn't it?\r\n\r\n  - Yes/no\n\n\t\tHTTPServer iOS XMLHttpRequest\n",
        "a\u{301}b \u{301}x A\u{301}B \u{301}\u{301} !\u{301}! 'S'\u{17f}'LL'Ll 'l",
        "\u{1c5}ungla \u{2b0}\u{aa}X \u{410}\u{411}\u{412}\u{433}\u{434} \u{660}\u{661}\u{662}\u{663} \u{2163}\u{bd}",
        "\u{4f60}\u{597d}\u{ff0c}\u{4e16}\u{754c}\u{3002}ABC\u{4f60}DEF \u{e2a}\u{e27}\u{e31}\u{e2a}\u{e14}\u{e35} \u{928}\u{92e}\u{938}\u{94d}\u{924}\u{947}",
        "\u{1f468}\u{200d}\u{1f469}\u{200d}\u{1f467} \u{1f1e9}\u{1f1ea}\u{fe0f} \u{0}\u{7f}\u{ad}\u{feff}",
        "   \n   x\u{a0}\u{a0}y\u{3000}\u{2028}z \u{85}\u{b}\u{c} ",
        " ",
        "   ",
        "\n",
        " \r",
        "x   ",
        "//\n/a /\r\n b",
        "aGVsbG8gd29ybGQhIHRoaXMgaXMgYSB0ZXN0IG9mIGJhc2U2NA==",
        "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz",
    ];

    #[cfg(feature = "tokens")]
    fn as_published(text: &str) -> Option<u64> {
        tiktoken::get_encoding("o200k_base").map(|encoding| encoding.count(text) as u64)
    }

    #[cfg(feature = "tokens")]
    #[test]
    fn all_that_is_treated_differently_is_counted_as_published() {
        for text in TEXTS.into_iter().chain([include_str!("tokens.rs"), include_str!("tokens/pieces.rs")]) {
            assert_eq!(count(text), as_published(text), "{text:?}");
        }
    }

    #[cfg(feature = "tokens")]
    #[test]
    fn what_nobody_writes_is_counted_all_the_same() {
        let long = "ab".repeat(LONGEST_PIECE);
        let (counted, published) = (count(&long).unwrap(), as_published(&long).unwrap());
        assert!(counted.abs_diff(published) <= 2, "{counted} {published}");
    }

    #[cfg(feature = "tokens")]
    proptest::proptest! {
        #[test]
        fn every_text_is_counted_as_published(
            parts in proptest::collection::vec(
                proptest::prop_oneof![
                    "[a-zA-Z]{1,12}",
                    "[ \t\r\n]{1,4}",
                    "['sStTrReEvVmMlLdD]{1,4}",
                    "[\\p{L}\\p{M}]{1,6}",
                    "[\\p{N}0-9]{1,5}",
                    "[\\p{P}\\p{S}/]{1,5}",
                    "\\PC{1,5}",
                    "[\u{0}-\u{ff}]{1,6}",
                ],
                0..12,
            ),
        ) {
            let text = parts.concat();
            proptest::prop_assert_eq!(count(&text), as_published(&text));
        }
    }

    #[test]
    fn too_many_are_refused() {
        assert_eq!(bound(Some(10), 10), Ok(()));
        assert_eq!(bound(Some(11), 10).unwrap_err().message, "has 11 tokens, and checks.max_tokens allows 10");
        assert_eq!(bound(None, 10).unwrap_err().code, chassis::exit::Code::Config);
    }
}
