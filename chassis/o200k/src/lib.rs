//! How many tokens a text has, and where they end, by `o200k_base`: what OpenAI's models count with, and near what others
//! do.
//!
//! The vocabulary is within the binary, ready to be read: unpacking it took 70 ms and 30 MB, the price of an ordinary
//! tokenizer that is started for one prompt.

mod pieces;
mod table;
mod vocabulary;

/// Bytes of one piece that are merged at once. Merging takes some fifty bytes of memory for each of the piece, so that what
/// nobody writes is cut once more; at each cut there may be a token too many.
const LONGEST_PIECE: usize = 256 * 1024;

/// How many tokens a text has.
#[must_use]
pub fn count(text: &str) -> usize {
    let mut tokens = 0;
    each_end(text, |_| tokens += 1);
    tokens
}

/// Where each token of a text ends, in bytes of the text, in order. Tokens can be parts of a character; such a one is said
/// to end with the character, so that the text can be cut at each of the ends.
#[must_use]
pub fn ends(text: &str) -> Vec<usize> {
    let mut ends = Vec::with_capacity(text.len() / 4);
    each_end(text, |end| {
        let mut end = end;
        while !text.is_char_boundary(end) {
            end += 1;
        }
        ends.push(end);
    });
    ends
}

fn each_end(text: &str, mut say: impl FnMut(usize)) {
    let mut before = 0;
    for piece in pieces::Pieces(text) {
        for part in piece.as_bytes().chunks(LONGEST_PIECE) {
            vocabulary::each_end(part, |end| say(before + end));
            before += part.len();
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Text in which everything occurs that is treated differently.
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

    /// The ends, as the published tokenizer has them.
    fn published(text: &str) -> Vec<usize> {
        let encoding = tiktoken::get_encoding("o200k_base").unwrap();
        let mut end = 0;
        let tokens = encoding.encode(text).into_iter();
        tokens
            .map(|token| {
                end += encoding.decode(&[token]).len();
                (end..).find(|end| text.is_char_boundary(*end)).unwrap()
            })
            .collect()
    }

    #[test]
    fn all_that_is_treated_differently_is_counted_as_published() {
        for text in TEXTS.into_iter().chain([include_str!("lib.rs"), include_str!("pieces.rs")]) {
            assert_eq!(ends(text), published(text), "{text:?}");
            assert_eq!(count(text), ends(text).len());
        }
    }

    #[test]
    fn what_nobody_writes_is_counted_all_the_same() {
        let long = "ab".repeat(LONGEST_PIECE);
        let (counted, published) = (count(&long), published(&long).len());
        assert!(counted.abs_diff(published) <= 2, "{counted} {published}");
    }

    fn texts() -> impl Strategy<Value = String> {
        let part = prop_oneof![
            "[a-zA-Z]{1,12}",
            "[a-z]{30,90}",
            "[ \t\r\n]{1,4}",
            "['sStTrReEvVmMlLdD]{1,4}",
            "[\\p{L}\\p{M}]{1,6}",
            "[\\p{N}0-9]{1,5}",
            "[\\p{P}\\p{S}/]{1,5}",
            "\\PC{1,5}",
            "[\u{0}-\u{ff}]{1,6}",
        ];
        prop::collection::vec(part, 0..12).prop_map(|parts| parts.concat())
    }

    proptest! {
        #[test]
        fn every_text_is_counted_as_published(text in texts()) {
            prop_assert_eq!(ends(&text), published(&text));
        }

        /// What packs by adding up relies on it.
        #[test]
        fn behind_the_end_of_a_line_counts_add_up(first in texts(), second in "[^\\s/]", rest in texts()) {
            let (first, second) = (format!("{first}\n"), format!("{second}{rest}"));
            prop_assert_eq!(count(&format!("{first}{second}")), count(&first) + count(&second));
        }
    }
}
