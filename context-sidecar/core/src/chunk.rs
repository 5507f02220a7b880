//! Documents become chunks: pieces of some tokens that overlap, cut where the text itself is cut.
//!
//! A chunk ends at the last end of a paragraph in its second half; where there is none, of a line, of a sentence, of a
//! word; and only in a text without any of these, anywhere. The next one begins before that end, with a sentence if one
//! begins there. Sizes are in tokens of the document, counted once, so that it takes time in proportion to the text,
//! whatever is in it. (A splitter for any measure, as `text-splitter` is, measures each piece again for each that it
//! tries.)
//!
//! The white space behind a chunk belongs to it: two chunks of which one begins where the other ends are the document's
//! text when they are put together. So does the white space before the first one, unless that alone is longer than a chunk.

mod cuts;

use std::borrow::Cow;
use std::fmt::Write as _;
use std::ops::Range;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::document::{Chunk, Document, Span};
use crate::tokens::Counter;
use cuts::Cuts;
pub(crate) use cuts::around;

/// How large chunks are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Wanted", into = "Wanted")]
pub struct Size {
    tokens: usize,
    overlap: usize,
}

/// What [`Size`] is made of.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wanted {
    tokens: usize,
    overlap: usize,
}

/// Why a size is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadSize {
    /// A chunk of it says nothing, or is longer than what any model embeds.
    #[error("chunks of {0} tokens: between 16 and 8192 are possible")]
    Tokens(usize),
    /// More than half would be there twice.
    #[error("an overlap of {overlap} tokens is more than half of chunks of {tokens}: make it {} at most", tokens / 2)]
    Overlap {
        /// Of a chunk.
        tokens: usize,
        /// Of two.
        overlap: usize,
    },
}

impl Size {
    /// Chunks of at most so many tokens, of which the first are the last of the chunk before.
    ///
    /// # Errors
    /// What is too small, too large, or overlaps by more than half.
    pub const fn new(tokens: usize, overlap: usize) -> Result<Self, BadSize> {
        if tokens < 16 || tokens > 8192 {
            return Err(BadSize::Tokens(tokens));
        }
        if overlap > tokens / 2 {
            return Err(BadSize::Overlap { tokens, overlap });
        }
        Ok(Self { tokens, overlap })
    }

    /// Tokens that a chunk has at most.
    #[must_use]
    pub const fn tokens(&self) -> usize {
        self.tokens
    }

    /// Tokens that two chunks have in common, about.
    #[must_use]
    pub const fn overlap(&self) -> usize {
        self.overlap
    }
}

impl Default for Size {
    fn default() -> Self {
        Self { tokens: 200, overlap: 50 }
    }
}

impl TryFrom<Wanted> for Size {
    type Error = BadSize;

    fn try_from(wanted: Wanted) -> Result<Self, BadSize> {
        Self::new(wanted.tokens, wanted.overlap)
    }
}

impl From<Size> for Wanted {
    fn from(size: Size) -> Self {
        Self { tokens: size.tokens, overlap: size.overlap }
    }
}

/// The chunks of a document, in its order. A document of white space has none.
#[must_use]
pub fn chunks(document: &Document, size: Size, counter: &dyn Counter) -> Vec<Chunk> {
    let text = document.text.as_str();
    let mut places = Places { text, start: (0, 0), end: (0, 0) };
    (0..)
        .zip(cut(text, size, counter))
        .map(|(chunk, bytes)| Chunk {
            document_id: document.id.clone(),
            chunk,
            text: text.get(bytes.clone()).unwrap_or_default().to_owned(),
            span: places.span(bytes),
            title: document.title.clone(),
            url: document.url.clone(),
            metadata: document.metadata.clone(),
        })
        .collect()
}

/// What of a chunk is indexed and embedded: the title with it.
#[must_use]
pub fn indexed<'c>(title: Option<&str>, text: &'c str) -> Cow<'c, str> {
    title
        .filter(|title| !title.trim().is_empty())
        .map_or_else(|| Cow::Borrowed(text.trim()), |title| Cow::Owned(format!("{}\n{}", title.trim(), text.trim())))
}

/// The hash of all that is in a chunk, in hex: of which text it is, what is known of it, and where it stands.
#[must_use]
pub fn hash(chunk: &Chunk) -> String {
    let mut hash = Sha256::new();
    let mut add = |part: &str| {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    };
    add(&chunk.text);
    add(&format!("{}-{}", chunk.span.start, chunk.span.end));
    for part in [&chunk.title, &chunk.url] {
        add(if part.is_some() { "some" } else { "none" });
        add(part.as_deref().unwrap_or_default());
    }
    add(&sorted(&Value::Object(chunk.metadata.clone())).to_string());
    hash.finalize().iter().fold(String::with_capacity(64), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// The same, with its keys in order: metadata in another order is the same metadata.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut keys: Vec<_> = map.iter().collect();
            keys.sort_by_key(|(key, _)| *key);
            keys.into_iter().map(|(key, value)| (key.clone(), sorted(value))).collect()
        }
        Value::Array(values) => values.iter().map(sorted).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

/// Counts code points as far as a text is read, once for starts and once for ends: both only rise.
struct Places<'t> {
    text: &'t str,
    start: (usize, usize),
    end: (usize, usize),
}

impl Places<'_> {
    fn span(&mut self, bytes: Range<usize>) -> Span {
        let forward = |(byte, point): (usize, usize), to: usize| {
            (to, point + self.text.get(byte..to).unwrap_or_default().chars().count())
        };
        self.start = forward(self.start, bytes.start);
        self.end = forward(self.end, bytes.end);
        Span { start: self.start.1, end: self.end.1 }
    }
}

/// Where the chunks are, in bytes.
fn cut(text: &str, size: Size, counter: &dyn Counter) -> Vec<Range<usize>> {
    let text = text.trim_end();
    let ends = counter.ends(text);
    let cuts = Cuts::new(text, &ends);
    // So that each chunk begins behind the one before it, and by enough.
    let fewest = (size.tokens / 2).max(2 * size.overlap);
    let mut chunks: Vec<Range<usize>> = Vec::with_capacity(ends.len() / (size.tokens - size.overlap) + 1);
    let mut first = 0;
    while first < ends.len() {
        let last = first + size.tokens;
        let end = if last >= ends.len() { ends.len() } else { cuts.best_end(first + fewest, last) };
        let (from, to) = (cuts.at(first), cuts.at(end));
        if text.get(from..to).is_some_and(|text| !text.trim().is_empty()) {
            chunks.push(from..to);
        }
        // There may be tokens left over: parts of the last character.
        if to >= text.len() {
            break;
        }
        first = cuts.best_start(end.saturating_sub(size.overlap).max(first + 1), end);
    }
    chunks
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::tokens::O200k;

    fn document(text: &str) -> Document {
        serde_json::from_value(json!({"id": "d", "title": "T", "text": text})).unwrap()
    }

    fn cut_up(text: &str, size: Size) -> Vec<Chunk> {
        chunks(&document(text), size, &O200k)
    }

    fn holds(text: &str, size: Size) -> Result<(), TestCaseError> {
        let points: Vec<char> = text.chars().collect();
        let chunks = cut_up(text, size);
        prop_assert_eq!(&chunks, &cut_up(text, size));
        let mut covered = vec![false; points.len()];
        for (number, chunk) in chunks.iter().enumerate() {
            prop_assert_eq!(chunk.chunk as usize, number);
            let within: String = points[chunk.span.start..chunk.span.end].iter().collect();
            prop_assert_eq!(&chunk.text, &within);
            prop_assert!(!chunk.text.trim().is_empty());
            covered[chunk.span.start..chunk.span.end].fill(true);
            // One for the space that belonged to the first word, some for what is behind the last.
            prop_assert!(O200k.count(chunk.text.trim()) <= size.tokens() + 8, "{}", O200k.count(&chunk.text));
        }
        for pair in chunks.windows(2) {
            prop_assert!(pair[0].span.start < pair[1].span.start && pair[0].span.end < pair[1].span.end);
        }
        prop_assert!(points.iter().zip(&covered).all(|(char, covered)| *covered || char.is_whitespace()));
        Ok(())
    }

    #[test]
    fn cuts_are_where_the_text_is_cut() {
        let size = Size::new(16, 4).unwrap();
        for (text, first) in [
            (
                "One two three four five six seven eight nine.\n\nTen eleven twelve. Thirteen fourteen fifteen sixteen.",
                "nine.\n\n",
            ),
            (
                "One two three four five six seven eight nine.\nTen eleven twelve. Thirteen fourteen fifteen sixteen.",
                "nine.\n",
            ),
            (
                "One two three four five six seven eight nine. Ten eleven twelve thirteen fourteen fifteen sixteen.",
                "nine. ",
            ),
            (
                "One two three four five six seven eight\n# nine\nTen eleven twelve thirteen fourteen fifteen sixteen.",
                "eight\n",
            ),
            (
                "One two three four five six seven eight \"nine.\" Ten eleven twelve thirteen fourteen fifteen sixteen.",
                "nine.\" ",
            ),
            (
                "One two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen",
                "sixteen ",
            ),
            ("今日はとても良い天気です。明日は雨が降るかもしれません。明後日は晴れるでしょう。", "。"),
        ] {
            let chunks = cut_up(text, size);
            assert!(chunks.len() > 1 && chunks[0].text.ends_with(first), "{:?}", chunks[0].text);
        }
    }

    #[test]
    fn a_chunk_begins_with_a_sentence_where_one_is_near() {
        let text = "Alpha beta gamma delta. One two three. Four five six seven eight. Nine ten eleven twelve thirteen fourteen.";
        let chunks = cut_up(text, Size::new(16, 6).unwrap());
        assert!(chunks[1].text.starts_with("Four"), "{chunks:?}");
        // Together they are the text.
        let without = cut_up(text, Size::new(16, 0).unwrap());
        assert_eq!(without.iter().map(|chunk| chunk.text.as_str()).collect::<String>(), text);
    }

    #[test]
    fn nothing_and_white_space_have_no_chunks() {
        for text in ["", " ", "\n\n\t", &" ".repeat(100_000)] {
            assert_eq!(cut_up(text, Size::default()), []);
        }
        let far = format!("{}x{}y  ", " \n".repeat(50_000), " ".repeat(100_000));
        assert!(cut_up(&far, Size::default()).len() <= 4);
        holds(&far, Size::default()).unwrap();
    }

    #[test]
    fn what_stands_before_the_text_is_of_the_first_chunk() {
        let chunks = cut_up("\n\n  def run():\n    pass\n", Size::default());
        assert_eq!((chunks[0].text.as_str(), chunks[0].span.start), ("\n\n  def run():\n    pass", 0));
    }

    #[test]
    fn texts_that_nobody_writes_take_no_longer() {
        for part in ["x", ")", "\u{1f468}", "語", "\n", "a b", ".", "# \n", "é"] {
            let text = part.repeat(60_000 / part.len());
            holds(&text, Size::new(64, 16).unwrap()).unwrap();
        }
    }

    #[test]
    fn sizes_are_checked() {
        assert!(Size::new(15, 0).is_err() && Size::new(8193, 0).is_err() && Size::new(100, 51).is_err());
        assert!(Size::new(100, 50).is_ok());
        assert!(serde_json::from_value::<Size>(json!({"tokens": 100, "overlap": 60})).is_err());
    }

    #[test]
    fn the_hash_is_of_all_that_is_in_it() {
        let chunk = |about: Value| {
            let mut chunk: Value = json!({"document_id": "d", "chunk": 0, "text": "t", "span": {"start": 0, "end": 1}, "metadata": {"a": 1, "b": {"c": [1], "d": 2}}});
            chunk.as_object_mut().unwrap().extend(about.as_object().unwrap().clone());
            hash(&serde_json::from_value(chunk).unwrap())
        };
        let one = chunk(json!({}));
        assert_eq!(one.len(), 64);
        assert_eq!(one, chunk(json!({"metadata": {"b": {"d": 2, "c": [1]}, "a": 1}})));
        for other in [
            json!({"text": "u"}),
            json!({"title": ""}),
            json!({"url": ""}),
            json!({"span": {"start": 1, "end": 2}}),
            json!({"metadata": {"a": 1}}),
            json!({"metadata": {"a": "1", "b": {"c": [1], "d": 2}}}),
        ] {
            assert_ne!(one, chunk(other));
        }
    }

    proptest! {
        #[test]
        fn chunks_are_the_text(
            parts in prop::collection::vec(prop_oneof!["[a-z]{1,9}", " ", "\n", "\n\n", "[.!?] ", r"\PC{1,4}", "[ \t\n]{1,9}", "# ", "。", "[\u{300}-\u{303}\u{1f3fb}]"], 0..400),
            tokens in 16_usize..80, overlap in 0_usize..40,
        ) {
            holds(&parts.concat(), Size::new(tokens, overlap.min(tokens / 2)).unwrap())?;
        }
    }
}
