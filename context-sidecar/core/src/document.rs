//! What is put in, and the pieces of it that are found.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What users know about a document, and filter by. Values are strings, numbers, booleans, or lists of these.
pub type Metadata = Map<String, Value>;

/// A document as it is put in.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Document {
    /// Unique in its scope.
    pub id: String,
    /// Indexed with every chunk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// All of it.
    pub text: String,
    /// Where people find it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// What is known about it.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub metadata: Metadata,
}

/// A range of a document's text, in Unicode code points; `end` is the first that is no part of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Span {
    /// The first.
    pub start: usize,
    /// Behind the last.
    pub end: usize,
}

impl Span {
    /// Where in a text, which is at this span, its code point of this number begins, in bytes; `None` beyond its end. What
    /// is ASCII is not looked through, and else it is from the nearer end.
    #[must_use]
    pub fn chars_to_bytes(self, text: &str, chars: usize) -> Option<usize> {
        let all = self.end.checked_sub(self.start)?;
        if text.len() == all {
            return (chars <= all).then_some(chars);
        }
        if chars <= all / 2 {
            return text.char_indices().map(|(at, _)| at).chain([text.len()]).nth(chars);
        }
        match all.checked_sub(chars)?.checked_sub(1) {
            None => Some(text.len()),
            Some(left) => text.char_indices().rev().nth(left).map(|(at, _)| at),
        }
    }
}

/// A piece of a document.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Chunk {
    /// Of which document.
    pub document_id: String,
    /// Which piece, from 0.
    pub chunk: u32,
    /// What is in it: the document's text in `span`.
    pub text: String,
    /// Where in the document it is.
    pub span: Span,
    /// The document's title.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// The document's address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The document's metadata.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub metadata: Metadata,
}

/// What is in documents is nobody's business but their owner's: not that of a log.
impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Document").field("id", &self.id).field("bytes", &self.text.len()).finish_non_exhaustive()
    }
}

impl fmt::Debug for Chunk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut chunk = f.debug_struct("Chunk");
        chunk.field("document_id", &self.document_id).field("chunk", &self.chunk).field("span", &self.span);
        chunk.finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_the_same_from_either_end() {
        for text in ["", "plain", "größer als 語", "語語語"] {
            let many = text.chars().count();
            let span = Span { start: 7, end: 7 + many };
            for chars in 0..=many {
                let expected: usize = text.chars().take(chars).map(char::len_utf8).sum();
                assert_eq!(span.chars_to_bytes(text, chars), Some(expected), "{text} {chars}");
            }
            assert_eq!(span.chars_to_bytes(text, many + 1), None);
        }
    }

    #[test]
    fn nothing_that_is_in_documents_gets_into_logs() {
        let value = serde_json::json!({
            "id": "d", "document_id": "d", "chunk": 0, "span": {"start": 0, "end": 6},
            "text": "secret", "title": "secret", "url": "secret", "metadata": {"secret": "secret"}
        });
        let document: Document = serde_json::from_value(value.clone()).unwrap();
        let chunk: Chunk = serde_json::from_value(value).unwrap();
        let shown = format!("{document:?} {chunk:?}");
        assert!(shown.contains("\"d\"") && !shown.contains("secret"), "{shown}");
    }
}
