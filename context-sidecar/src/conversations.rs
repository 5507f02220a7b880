//! Conversations: what was said, and what of it goes into the next prompt. They are kept in the same store, under the
//! tenant, in a collection that no user can name.

use async_trait::async_trait;
use context_core::{pack::Packed, scope::Tenant};
use serde::{Deserialize, Serialize};

use crate::{
    failure::{Failure, Kind},
    http::{Call, Trouble},
    ingest::ItemOutcome,
    pipeline::Pipeline,
};

/// Makes a summary of what was said; fails open.
#[async_trait]
pub trait Summarize: std::fmt::Debug + Send + Sync {
    /// A summary of at most so many tokens, more or less.
    ///
    /// # Errors
    /// Why there is none.
    async fn summarize(&self, transcript: &str, tokens: usize, call: &Call) -> Result<String, Trouble>;
}

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
    /// What could not be done: `dense`, `lexical`, `rerank`, `summary`.
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

impl Pipeline {
    /// Puts messages behind those of a conversation, in the order in which they came; the first begins it.
    ///
    /// # Errors
    /// What is wrong with the id or with a message (then none is put in), or with the store.
    pub async fn say(
        &self,
        tenant: &Tenant,
        conversation: &str,
        messages: Vec<Message>,
        call: &Call,
    ) -> Result<Vec<ItemOutcome>, Failure> {
        let _ = (tenant, conversation, messages, call);
        Err(Failure::new(Kind::Internal, "not built yet"))
    }

    /// What of a conversation goes into a prompt of which `max_tokens` are for it: the last messages, whole, and of those
    /// before what is about `query` (or, without one, about what the user said last).
    ///
    /// # Errors
    /// There is no such conversation, and what may be wrong with a store.
    pub async fn recall(
        &self,
        tenant: &Tenant,
        conversation: &str,
        max_tokens: usize,
        query: Option<&str>,
        call: &Call,
    ) -> Result<Recalled, Failure> {
        let _ = (tenant, conversation, max_tokens, query, call);
        Err(Failure::new(Kind::Internal, "not built yet"))
    }

    /// Conversations of a tenant after `after`, by their ids.
    ///
    /// # Errors
    /// What may be wrong with a store.
    pub async fn conversations(
        &self,
        tenant: &Tenant,
        after: Option<&str>,
        limit: usize,
        call: &Call,
    ) -> Result<Vec<Known>, Failure> {
        let _ = (tenant, after, limit, call);
        Err(Failure::new(Kind::Internal, "not built yet"))
    }

    /// Forgets a conversation; whether there was one.
    ///
    /// # Errors
    /// What may be wrong with a store.
    pub async fn forget(&self, tenant: &Tenant, conversation: &str, call: &Call) -> Result<bool, Failure> {
        let _ = (tenant, conversation, call);
        Err(Failure::new(Kind::Internal, "not built yet"))
    }
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
