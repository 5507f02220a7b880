//! Conversations: what was said, and what of it goes into the next prompt. They are kept in the same store, under the
//! tenant, in a collection that no user can name.

mod names;
mod recall;
mod said;
mod summary;
pub(crate) mod whole;

use context_core::pack::Packed;
use serde::{Deserialize, Serialize, Serializer, ser::SerializeMap as _};
use serde_json::{Map, Value};

pub(crate) use names::collection;
pub use names::{INDEXES, MOST_AT_ONCE};
pub(crate) use summary::Summaries;
pub use summary::{ChatCompletions, Summarize};

/// Who said something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// The developer, of old.
    System,
    /// The developer.
    Developer,
    /// The user.
    User,
    /// The model.
    Assistant,
    /// A tool.
    Tool,
}

/// A message that is put in. Its content is not in its debug output.
#[derive(Clone, PartialEq)]
pub struct Message {
    /// What the caller calls it: what has been put in under this id is not put in again.
    pub id: Option<String>,
    /// Who said it.
    pub role: Role,
    /// What was said, as far as it is text.
    pub content: String,
    /// What it has besides: calls of tools, parts that are no text.
    pub rest: Map<String, Value>,
}

/// A message as it is kept; it is written as it came, with its name and its time. Its content is not in its debug output.
#[derive(Clone, PartialEq)]
pub struct Turn {
    /// Unique in its scope, and in the order in which they were said.
    pub id: String,
    /// Who said it.
    pub role: Role,
    /// What was said, as far as it is text.
    pub content: String,
    /// What it has besides.
    pub rest: Map<String, Value>,
    /// When it was put in, in milliseconds since 1970.
    pub at_ms: u64,
}

impl Serialize for Turn {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (content, rest) = whole::together(&self.content, self.rest.clone());
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("id", &self.id)?;
        map.serialize_entry("role", &self.role)?;
        map.serialize_entry("content", &content)?;
        for (key, value) in rest.iter().filter(|(key, _)| !["id", "role", "at_ms"].contains(&key.as_str())) {
            map.serialize_entry(key, value)?;
        }
        map.serialize_entry("at_ms", &self.at_ms)?;
        map.end()
    }
}

/// What of a conversation goes into a prompt. Its content is not in its debug output.
#[derive(Clone, Default, PartialEq, Serialize)]
pub struct Recalled {
    /// What was said before those below, in short.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// What was said before those below and is about what is asked, as a delimited block for a prompt.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub relevant: Option<Packed>,
    /// The last ones, whole, in the order in which they were said.
    pub messages: Vec<Turn>,
    /// How many tokens all of it has.
    pub tokens: usize,
    /// How many messages the conversation has.
    pub of: usize,
    /// What could not be done: `dense`, `rerank`, `cache_only`, `relevant`, `summary`.
    pub degraded: Vec<&'static str>,
}

/// A conversation of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Known {
    /// Its id.
    pub id: String,
    /// How many messages it has.
    pub messages: usize,
}

impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Message").field("role", &self.role).field("bytes", &self.content.len()).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Turn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Turn").field("role", &self.role).field("bytes", &self.content.len()).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for Recalled {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recalled").field("messages", &self.messages).field("of", &self.of).finish_non_exhaustive()
    }
}
