//! The shapes of conversations.

use schemars::JsonSchema;
use serde_json::{Map, Value};

use super::{Item, Packed};

/// A message that is put in: as chat messages are, and kept whole, with whatever else it has.
#[derive(JsonSchema)]
pub(crate) struct NewMessage {
    /// What has been put in under this id is not put in again.
    id: Option<String>,
    /// Who said it.
    role: Role,
    /// What was said; null, or not there, where tools are called.
    content: Option<Content>,
    /// Which tools are called.
    tool_calls: Option<Vec<Map<String, Value>>>,
}

/// Text, a list of parts, or null.
#[derive(JsonSchema)]
#[schemars(untagged)]
pub(crate) enum Content {
    /// Text.
    Text(String),
    /// Parts.
    Parts(Vec<Part>),
    /// None, where tools are called.
    Nothing(()),
}

/// A part: what is text is found again, and the others are kept with it.
#[derive(JsonSchema)]
pub(crate) struct Part {
    /// What it is: `text`, `image_url`.
    r#type: String,
    /// What was said.
    text: Option<String>,
}

/// Who said something.
#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
pub(crate) enum Role {
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

/// What became of messages.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct SaidAnswer {
    /// In the order in which they came.
    results: Vec<Item>,
}

/// A message as it came, with its name and its time.
#[derive(JsonSchema)]
pub(crate) struct Turn {
    /// Its id.
    id: String,
    /// Who said it.
    role: Role,
    /// What was said.
    content: Content,
    /// When it was put in, in milliseconds since 1970.
    at_ms: u64,
}

/// What of a conversation goes into a prompt.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct Recalled {
    /// What was said before those below, in short.
    summary: Option<String>,
    /// What was said before those below and matters, as a delimited block.
    relevant: Option<Packed>,
    /// The last ones, whole.
    messages: Vec<Turn>,
    /// How many tokens all of it has.
    tokens: usize,
    /// How many messages the conversation has.
    of: usize,
    /// What could not be done: `dense` and `rerank` as for a question, `cache_only` (the store is down, and this was found
    /// before), `relevant` (nothing was looked for among older messages), `summary` (there is none).
    degraded: Vec<String>,
}

/// Some conversations.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct Conversations {
    /// In the order of their ids.
    conversations: Vec<Known>,
    /// What to give as `after` for more.
    next: Option<String>,
}

/// A conversation of a list.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct Known {
    /// Which.
    id: String,
    /// How many messages it has.
    messages: usize,
}
