//! Conversations: what was said, and what of it goes into the next prompt. They are kept in the same store, under the
//! tenant, in a collection that no user can name.

mod names;
mod recall;
mod said;
mod summary;

use context_core::pack::Packed;
use serde::{Deserialize, Serialize};

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
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Message {
    /// What the caller calls it: what has been put in under this id is not put in again.
    #[serde(default)]
    pub id: Option<String>,
    /// Who said it.
    pub role: Role,
    /// What was said.
    pub content: String,
}

/// A message as it is kept. Its content is not in its debug output.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct Turn {
    /// Unique in its scope, and in the order in which they were said.
    pub id: String,
    /// Who said it.
    pub role: Role,
    /// What was said.
    pub content: String,
    /// When it was put in, in milliseconds since 1970.
    pub at_ms: u64,
}

/// What of a conversation goes into a prompt. Its content is not in its debug output.
#[derive(Clone, Default, PartialEq, Eq, Serialize)]
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
