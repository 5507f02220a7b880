//! Anthropic's Messages API at version 2023-06-01, as far as it is written and read here.
//!
//! What is written borrows from the request it is written for. What is read is picked apart lazily: the type of a block
//! or an event comes first, its fields only where the type is known, so that one that is not yet invented cannot break
//! an answer by giving a known field another shape.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, value::RawValue};

/// The body of `POST /v1/messages`.
#[derive(Serialize)]
pub struct Request<'a> {
    /// The model's name.
    pub model: &'a str,
    /// The one limit that the API insists on.
    pub max_tokens: u64,
    /// The operator's instructions: text blocks.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub system: Vec<Block<'a>>,
    /// The conversation.
    pub messages: Vec<Turn<'a>>,
    /// What the model may call.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tools: Vec<Tool<'a>>,
    /// How it may choose.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool_choice: Option<ToolChoice<'a>>,
    /// Whether it may think first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub thinking: Option<Thinking>,
    /// Shape and effort of the answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_config: Option<OutputConfig>,
    /// Sampling temperature, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f64>,
    /// Nucleus sampling, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_p: Option<f64>,
    /// Sampling from so many most likely tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_k: Option<u64>,
    /// Strings that end the answer.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stop_sequences: Vec<&'a str>,
    /// Who asks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Metadata<'a>>,
    /// Whether the answer comes as a stream.
    #[serde(skip_serializing_if = "is_false")]
    pub stream: bool,
}

/// One turn of the conversation.
#[derive(Serialize)]
pub struct Turn<'a> {
    /// Whose turn it is.
    pub role: Role,
    /// What was said, called or answered.
    pub content: Vec<Block<'a>>,
}

/// Whose turn it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the names are the published values")]
pub enum Role {
    User,
    Assistant,
}

/// A piece of a turn.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Block<'a> {
    /// Text with something in it: a blank one is refused.
    Text {
        /// The text.
        text: Cow<'a, str>,
    },
    /// An image.
    Image {
        /// Where its bytes are.
        source: Source<'a>,
    },
    /// A call that the model made.
    ToolUse {
        /// `[a-zA-Z0-9_-]+`.
        id: Cow<'a, str>,
        /// `[a-zA-Z0-9_-]{1,128}`.
        name: Cow<'a, str>,
        /// A JSON object.
        input: Cow<'a, RawValue>,
    },
    /// What a tool answered.
    ToolResult {
        /// The id of the call.
        tool_use_id: Cow<'a, str>,
        /// Text and images; left out where the tool said nothing.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        content: Vec<Self>,
    },
}

/// Where an image's bytes are.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Source<'a> {
    /// Here.
    Base64 {
        /// The type that the bytes have, not only claim.
        media_type: &'a str,
        /// Base64 with padding.
        data: &'a str,
    },
    /// At this address.
    Url {
        /// An http(s) URL.
        url: &'a str,
    },
}

/// A function that the model may call.
#[derive(Serialize)]
pub struct Tool<'a> {
    /// `[a-zA-Z0-9_-]{1,128}`, unique.
    pub name: Cow<'a, str>,
    /// What it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<&'a str>,
    /// JSON Schema of type `object`, without a union at the top.
    pub input_schema: Cow<'a, Map<String, Value>>,
    /// Whether sampling is held to the schema.
    #[serde(skip_serializing_if = "is_false")]
    pub strict: bool,
}

/// How the model may choose among the tools.
#[derive(Serialize)]
pub struct ToolChoice<'a> {
    /// `auto`, `any`, `tool` or `none`.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// Which one, where the type is `tool`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<&'a str>,
    /// At most one call; not a field of `none`.
    #[serde(skip_serializing_if = "is_false")]
    pub disable_parallel_tool_use: bool,
}

/// Whether and how the model thinks.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Thinking {
    /// Up to so many tokens.
    Enabled {
        /// At least 1024 and less than `max_tokens`.
        budget_tokens: u64,
    },
    /// As the model sees fit.
    Adaptive {
        /// `summarized`, or the thinking comes back empty.
        display: &'static str,
    },
    /// Not at all.
    Disabled {},
}

/// Shape and effort of the answer.
#[derive(Default, Serialize)]
pub struct OutputConfig {
    /// `low`, `medium`, `high` or `xhigh`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub effort: Option<&'static str>,
    /// The shape that the text must have.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub format: Option<OutputFormat>,
}

/// The shape that the text must have.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum OutputFormat {
    /// JSON that validates.
    JsonSchema {
        /// The subset of JSON Schema that sampling can be held to.
        schema: Map<String, Value>,
    },
}

/// Who asks.
#[derive(Serialize)]
pub struct Metadata<'a> {
    /// An opaque id.
    pub user_id: &'a str,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes fields by reference")]
fn is_false(flag: &bool) -> bool {
    !flag
}

/// What every body, block, event and delta has: its type.
#[derive(Deserialize)]
pub struct Typed<'a> {
    /// The type.
    #[serde(rename = "type", borrow)]
    pub kind: Cow<'a, str>,
}

/// A whole answer.
#[derive(Deserialize)]
pub struct Message<'a> {
    /// The answer's id.
    pub id: String,
    /// The model that answered.
    pub model: String,
    /// Blocks, unread.
    #[serde(borrow)]
    pub content: Vec<&'a RawValue>,
    /// Why it ended.
    pub stop_reason: Option<String>,
    /// More about it, unread.
    #[serde(borrow, default)]
    pub stop_details: Option<&'a RawValue>,
    /// What it cost.
    pub usage: Usage,
}

/// Why the model declined.
#[derive(Deserialize)]
pub struct StopDetails {
    /// In words.
    pub explanation: Option<String>,
}

/// A block of type `text`.
#[derive(Deserialize)]
pub struct Text {
    /// The text.
    pub text: String,
}

/// A block of type `thinking`.
#[derive(Deserialize)]
pub struct Thought {
    /// The text; empty where the provider keeps it to itself.
    pub thinking: String,
}

/// A block of type `tool_use`.
#[derive(Deserialize)]
pub struct ToolUse<'a> {
    /// The call's id.
    pub id: String,
    /// Which tool.
    pub name: String,
    /// A JSON object as it came, its keys in the model's order.
    #[serde(borrow, default)]
    pub input: Option<&'a RawValue>,
}

/// Token counts. A stream repeats them, each time in full for those that it names.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
pub struct Usage {
    /// Read, and neither from nor into the cache.
    pub input_tokens: Option<u64>,
    /// Read and written to the cache.
    pub cache_creation_input_tokens: Option<u64>,
    /// Read from the cache.
    pub cache_read_input_tokens: Option<u64>,
    /// Generated.
    pub output_tokens: Option<u64>,
    /// Of those generated: which for what.
    pub output_tokens_details: Option<OutputTokensDetails>,
}

/// Tokens generated, by purpose.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
pub struct OutputTokensDetails {
    /// For thinking.
    pub thinking_tokens: Option<u64>,
}

/// Event `message_start`.
#[derive(Deserialize)]
pub struct MessageStart {
    /// The answer, still empty.
    pub message: Started,
}

/// An answer that has begun.
#[derive(Deserialize)]
pub struct Started {
    /// The answer's id.
    pub id: String,
    /// The model that answers.
    pub model: String,
    /// What reading the request cost.
    #[serde(default)]
    pub usage: Usage,
}

/// Event `content_block_start`.
#[derive(Deserialize)]
pub struct BlockStart<'a> {
    /// Which block.
    pub index: u64,
    /// The block as it begins, unread.
    #[serde(borrow)]
    pub content_block: &'a RawValue,
}

/// Event `content_block_delta`.
#[derive(Deserialize)]
pub struct BlockDelta<'a> {
    /// Which block.
    pub index: u64,
    /// What comes to it.
    #[serde(borrow)]
    pub delta: Delta<'a>,
}

/// What comes to a block. Only the field that its type names is read.
#[derive(Deserialize)]
pub struct Delta<'a> {
    /// `text_delta`, `input_json_delta`, `thinking_delta`, `signature_delta`, `citations_delta`, ...
    #[serde(rename = "type", borrow)]
    pub kind: Cow<'a, str>,
    /// Of a `text_delta`.
    #[serde(borrow, default)]
    pub text: Option<&'a RawValue>,
    /// Of a `thinking_delta`.
    #[serde(borrow, default)]
    pub thinking: Option<&'a RawValue>,
    /// Of an `input_json_delta`.
    #[serde(borrow, default)]
    pub partial_json: Option<&'a RawValue>,
}

/// Event `content_block_stop`.
#[derive(Deserialize)]
pub struct BlockStop {
    /// Which block.
    pub index: u64,
}

/// Event `message_delta`.
#[derive(Deserialize)]
pub struct MessageDelta<'a> {
    /// What has become known of the answer.
    #[serde(borrow)]
    pub delta: Ending<'a>,
    /// What it cost so far.
    #[serde(default)]
    pub usage: Usage,
}

/// How an answer ends.
#[derive(Deserialize)]
pub struct Ending<'a> {
    /// Why it ended; absent while it has not.
    pub stop_reason: Option<String>,
    /// More about it, unread.
    #[serde(borrow, default)]
    pub stop_details: Option<&'a RawValue>,
}
