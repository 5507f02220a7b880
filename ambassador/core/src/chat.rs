//! The canonical chat exchange: what every dialect decodes to and every translated provider encodes from.
//!
//! N dialects and M providers meet here, so that a new one costs one translation and not N. A pair that speaks the
//! same dialect on both sides does not come through here at all: its bytes are forwarded (see [`crate::exchange`]).

use std::fmt;

use serde_json::{Map, Value};

/// A chat completion as asked for.
#[derive(Clone, PartialEq, Default)]
pub struct Request {
    /// The conversation so far, oldest first; never empty.
    pub messages: Vec<Message>,
    /// Tools the model may call.
    pub tools: Vec<Tool>,
    /// How the model may choose among `tools`; `None` leaves it to the provider.
    pub tool_choice: Option<ToolChoice>,
    /// `Some(false)`: at most one call in an answer.
    pub parallel_tool_calls: Option<bool>,
    /// The shape that the answer's text must have.
    pub format: Format,
    /// Sampling temperature, 0 to 2 as in OpenAI's API.
    pub temperature: Option<f64>,
    /// Nucleus sampling, 0 to 1.
    pub top_p: Option<f64>,
    /// Strings that end the answer.
    pub stop: Vec<String>,
    /// Most tokens to generate, reasoning included.
    pub max_tokens: Option<u64>,
    /// How much the model should think before it answers.
    pub effort: Option<Effort>,
    /// How many answers are wanted; 1 unless asked otherwise.
    pub n: u64,
    /// An opaque id of the end user, for the provider's abuse detection.
    pub user: Option<String>,
    /// Whether the answer is to be streamed.
    pub stream: bool,
    /// Fields of the caller's dialect that have no place above, by their name there. A provider that cannot send
    /// one reports it as dropped; none is lost in silence.
    pub extra: Map<String, Value>,
}

/// One turn of the conversation.
#[derive(Debug, Clone, PartialEq)]
pub enum Message {
    /// Instructions from the operator (`system` or `developer`).
    System(Vec<Part>),
    /// The end user.
    User(Vec<Part>),
    /// The model, in an earlier turn.
    Assistant {
        /// Text, possibly none where the turn only called tools.
        content: Vec<Part>,
        /// Calls it made.
        calls: Vec<ToolCall>,
    },
    /// What a tool answered.
    Tool {
        /// The id of the [`ToolCall`] that this answers.
        call_id: String,
        /// Text or images.
        content: Vec<Part>,
    },
}

/// A piece of a message.
#[derive(Clone, PartialEq)]
pub enum Part {
    /// Plain text.
    Text(String),
    /// The model declined to answer, in words.
    Refusal(String),
    /// An image carried in the request.
    Image {
        /// Media type, as `image/png`.
        media_type: String,
        /// Base64, standard alphabet with padding, validated.
        data: String,
    },
    /// An image that the provider is to fetch.
    ImageUrl(String),
    /// A part that no translation knows (audio, files), named by its type.
    Other(String),
}

/// A function that the model may call.
#[derive(Clone, PartialEq)]
pub struct Tool {
    /// `[a-zA-Z0-9_-]{1,64}`.
    pub name: String,
    /// What it does, for the model.
    pub description: Option<String>,
    /// JSON Schema of the arguments; `None` means no arguments.
    pub parameters: Option<Map<String, Value>>,
    /// Whether the arguments must follow the schema to the letter.
    pub strict: Option<bool>,
}

/// How the model may choose among the tools.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToolChoice {
    /// As it sees fit.
    Auto,
    /// None at all.
    None,
    /// At least one.
    Required,
    /// This one.
    Named(String),
}

/// The shape that an answer's text must have.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Format {
    /// Free text.
    #[default]
    Text,
    /// Any JSON object.
    JsonObject,
    /// JSON that validates.
    JsonSchema {
        /// The schema's name, for the provider's cache and messages.
        name: String,
        /// JSON Schema.
        schema: Map<String, Value>,
        /// Whether the provider must enforce it.
        strict: bool,
    },
}

/// How much the model should think, in OpenAI's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are the published values")]
pub enum Effort {
    None,
    Minimal,
    Low,
    Medium,
    High,
    XHigh,
}

/// A call that the model makes.
#[derive(Clone, PartialEq, Eq)]
pub struct ToolCall {
    /// Opaque; the answer to the call names it.
    pub id: String,
    /// Which tool.
    pub name: String,
    /// Arguments: the text of a JSON object. Never empty: no arguments are `{}`.
    pub arguments: String,
}

/// A whole answer.
#[derive(Clone, PartialEq)]
pub struct Response {
    /// The provider's id of the answer.
    pub id: String,
    /// The model that answered, as the provider names it.
    pub model: String,
    /// The answer's text; empty where there is none.
    pub text: String,
    /// What the model thought, where the provider shows it.
    pub reasoning: String,
    /// Why the model declined, in words, where the provider says so apart from the text.
    pub refusal: Option<String>,
    /// Calls, in the order the model made them.
    pub calls: Vec<ToolCall>,
    /// Why the answer ended.
    pub finish: Finish,
    /// What it cost.
    pub usage: Usage,
}

/// Why an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    /// The model was done, or met a stop string.
    Stop,
    /// The token limit.
    Length,
    /// The model waits for its calls to be answered.
    ToolCalls,
    /// The provider or the model declined.
    ContentFilter,
}

/// Tokens of one exchange.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Tokens read, those from a cache *included* (as OpenAI counts; Anthropic does not).
    pub input: u64,
    /// Of `input`: read from the provider's cache.
    pub cached: u64,
    /// Of `input`: written to the provider's cache.
    pub cache_written: u64,
    /// Tokens generated, reasoning included.
    pub output: u64,
    /// Of `output`: reasoning.
    pub reasoning: u64,
}

/// A step of a streamed answer.
#[derive(Clone, PartialEq)]
pub enum Event {
    /// The answer begins. No content yet.
    Start {
        /// The provider's id of the answer.
        id: String,
        /// The model that answers, as the provider names it.
        model: String,
    },
    /// A piece of text.
    Text(String),
    /// A piece of what the model thinks.
    Reasoning(String),
    /// Why the model declines, in words, where the provider says so apart from the text.
    Refusal(String),
    /// A call begins. Its `index` counts calls from 0 without gaps, whatever the provider's own numbering.
    CallStart {
        /// Which call of this answer.
        index: usize,
        /// The call's id.
        id: String,
        /// Which tool.
        name: String,
    },
    /// A piece of a call's arguments. All pieces of one call concatenate to the text of a JSON object.
    CallArguments {
        /// Which call of this answer.
        index: usize,
        /// The piece, cut anywhere.
        fragment: String,
    },
    /// Why the answer ended. Comes once.
    Finish(Finish),
    /// What it cost so far; a later one replaces an earlier one.
    Usage(Usage),
    /// The provider said that the stream is whole. Nothing follows.
    End,
}

// What is said in a conversation is nobody's business but its parties': none of it is shown, whatever prints these.

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("messages", &self.messages)
            .field("tools", &self.tools)
            .field("stream", &self.stream)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "Text({} bytes)", text.len()),
            Self::Refusal(text) => write!(f, "Refusal({} bytes)", text.len()),
            Self::Image { data, .. } => write!(f, "Image({} bytes)", data.len()),
            Self::ImageUrl(_) => f.write_str("ImageUrl"),
            Self::Other(_) => f.write_str("Other"),
        }
    }
}

impl fmt::Debug for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tool").field("name", &self.name).finish_non_exhaustive()
    }
}

impl fmt::Debug for ToolCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ToolCall({}, {} bytes)", self.name, self.arguments.len())
    }
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("id", &self.id)
            .field("model", &self.model)
            .field("text", &self.text.len())
            .field("reasoning", &self.reasoning.len())
            .field("calls", &self.calls)
            .field("finish", &self.finish)
            .field("usage", &self.usage)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start { id, model } => write!(f, "Start({id}, {model})"),
            Self::Text(text) => write!(f, "Text({} bytes)", text.len()),
            Self::Reasoning(text) => write!(f, "Reasoning({} bytes)", text.len()),
            Self::Refusal(text) => write!(f, "Refusal({} bytes)", text.len()),
            Self::CallStart { index, name, .. } => write!(f, "CallStart({index}, {name})"),
            Self::CallArguments { index, fragment } => write!(f, "CallArguments({index}, {} bytes)", fragment.len()),
            Self::Finish(finish) => write!(f, "Finish({finish:?})"),
            Self::Usage(usage) => write!(f, "{usage:?}"),
            Self::End => f.write_str("End"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_conversation_is_shown() {
        let said = || "CANARY".to_owned();
        let call = ToolCall { id: "1".into(), name: "t".into(), arguments: said() };
        let parts = vec![
            Part::Text(said()),
            Part::Refusal(said()),
            Part::Image { media_type: "image/png".into(), data: said() },
            Part::ImageUrl(said()),
            Part::Other(said()),
        ];
        let tool = Tool { name: "t".into(), description: Some(said()), parameters: None, strict: None };
        let messages = vec![
            Message::System(parts.clone()),
            Message::Assistant { content: parts.clone(), calls: vec![call.clone()] },
            Message::Tool { call_id: "1".into(), content: parts },
        ];
        let extra = Map::from_iter([("x".to_owned(), Value::String(said()))]);
        let request = Request {
            messages,
            tools: vec![tool],
            user: Some(said()),
            stop: vec![said()],
            extra,
            ..Request::default()
        };
        let response = Response {
            id: "1".into(),
            model: "m".into(),
            text: said(),
            reasoning: said(),
            refusal: Some(said()),
            calls: vec![call],
            finish: Finish::Stop,
            usage: Usage::default(),
        };
        let events = [
            Event::Text(said()),
            Event::Reasoning(said()),
            Event::Refusal(said()),
            Event::CallArguments { index: 0, fragment: said() },
        ];
        let shown = format!("{request:?} {request:#?} {response:?} {events:?}");
        assert!(!shown.contains("CANARY"), "{shown}");
    }
}
