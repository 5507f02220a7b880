//! What is put in, and the pieces of it that are found.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What users know about a document, and filter by. Values are strings, numbers, booleans, or lists of these.
pub type Metadata = Map<String, Value>;

/// A document as it is put in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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

/// A piece of a document.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
