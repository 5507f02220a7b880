//! The shapes of conversations.

use schemars::JsonSchema;

use super::{Item, Packed};

/// A message that is put in.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct NewMessage {
    /// What has been put in under this id is not put in again.
    id: Option<String>,
    /// Who said it.
    role: Role,
    /// What was said.
    content: Content,
}

/// Text, or a list of parts that are.
#[derive(JsonSchema)]
#[schemars(untagged)]
pub(crate) enum Content {
    /// Text.
    Text(String),
    /// Parts that are text.
    Parts(Vec<Part>),
}

/// A part that is text.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct Part {
    /// What it is.
    r#type: PartKind,
    /// What was said.
    text: String,
}

/// What a part is.
#[derive(JsonSchema)]
#[schemars(rename_all = "lowercase")]
pub(crate) enum PartKind {
    /// Text.
    Text,
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

/// A message as it is kept.
#[derive(JsonSchema)]
#[schemars(deny_unknown_fields)]
pub(crate) struct Turn {
    /// Its id.
    id: String,
    /// Who said it.
    role: Role,
    /// What was said.
    content: String,
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
    /// What could not be done.
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
