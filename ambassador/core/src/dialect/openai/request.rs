//! Requests, decoded in two steps: what routing needs first, the whole conversation only where it is translated.

use std::{borrow::Cow, fmt};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{
    chat::{Effort, Format, Message, Part, Request, Tool, ToolCall, ToolChoice},
    provider::Operation,
    wire::{
        envelope::Envelope,
        openai as wire,
        reason::{reason, words_of_part},
    },
};

/// Why a request is the caller's mistake.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Invalid {
    /// What is wrong and what to do.
    pub message: String,
    /// The field at fault.
    pub param: Option<String>,
}

impl Invalid {
    fn new(param: impl Into<String>, message: impl Into<String>) -> Self {
        Self { message: message.into(), param: Some(param.into()) }
    }
}

/// What a request asks for, as far as the way to an answer depends on it.
pub struct Ask<'a> {
    /// The fields as they came.
    pub envelope: Envelope<'a>,
    /// What kind of answer is wanted.
    pub operation: Operation,
    /// The model's name as the caller wrote it.
    pub model: Cow<'a, str>,
    /// Whether the answer is to be streamed.
    pub stream: bool,
    /// How many answers are wanted (`n`).
    pub choices: u64,
    /// Whether the stream is to end with its usage.
    pub include_usage: bool,
    /// The conversation that this is a turn of, where the caller says so: `metadata.conversation_id`, else `user`.
    pub conversation: Option<Cow<'a, str>>,
}

impl<'a> Ask<'a> {
    /// Reads a request as far as routing needs it.
    ///
    /// # Errors
    /// When it is no JSON object, or lacks what every provider wants: a model and a list of messages (or an input).
    pub fn parse(operation: Operation, body: &'a Bytes) -> Result<Self, Invalid> {
        let envelope = Envelope::parse(body).map_err(|error| Invalid {
            message: format!("The body of the request cannot be read: {}. It must be one JSON object.", reason(&error)),
            param: None,
        })?;
        let model: Cow<'a, str> = match envelope.get("model") {
            None => return Err(Invalid::new("model", "Missing required parameter: 'model'.")),
            Some(model) => text(model).ok_or_else(|| Invalid::new("model", "'model' must be a string."))?,
        };
        if model.is_empty() {
            return Err(Invalid::new("model", "'model' must not be empty."));
        }
        let (mut stream, mut include_usage) = (false, false);
        match operation {
            Operation::Chat => {
                check_messages(envelope.get("messages"))?;
                stream = match envelope.get("stream") {
                    None | Some("false") => false,
                    Some("true") => true,
                    Some(_) => return Err(Invalid::new("stream", "'stream' must be true or false.")),
                };
                if let Some(options) = envelope.get("stream_options") {
                    let options: wire::StreamOptions = read(options, "stream_options")?;
                    include_usage = options.include_usage == Some(true);
                }
            }
            Operation::Embeddings => {
                if envelope.get("input").is_none() {
                    return Err(Invalid::new("input", "Missing required parameter: 'input'."));
                }
            }
        }
        let conversation = envelope
            .get("metadata")
            .and_then(|metadata| serde_json::from_str::<Metadata<'a>>(metadata).ok()?.conversation_id)
            .or_else(|| text(envelope.get("user")?));
        // What is wrong with it is for the provider to say.
        let choices = envelope.get("n").and_then(|n| n.parse().ok()).unwrap_or(1);
        Ok(Self { envelope, operation, model, stream, choices, include_usage, conversation })
    }
}

/// Shows the way it goes, and nothing of what it says.
impl fmt::Debug for Ask<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { envelope, operation, stream, .. } = self;
        f.debug_struct("Ask")
            .field("envelope", envelope)
            .field("operation", operation)
            .field("stream", stream)
            .finish_non_exhaustive()
    }
}

#[derive(Deserialize)]
struct Metadata<'a> {
    #[serde(borrow)]
    conversation_id: Option<Cow<'a, str>>,
}

/// Looks at the outside of the list only: what is in it is read by whoever has to understand it.
fn check_messages(messages: Option<&str>) -> Result<(), Invalid> {
    let Some(messages) = messages else {
        return Err(Invalid::new("messages", "Missing required parameter: 'messages'."));
    };
    let Some(inside) = messages.strip_prefix('[') else {
        return Err(Invalid::new("messages", "'messages' must be a list of messages."));
    };
    match inside.trim_start().bytes().next() {
        Some(b']') => Err(Invalid::new("messages", "'messages' must not be empty: it takes at least one message.")),
        Some(b'{') => Ok(()),
        _ => Err(Invalid::new("messages[0]", "'messages[0]' must be an object with a role and content.")),
    }
}

/// A JSON string, borrowed where it holds no escapes.
fn text(json: &str) -> Option<Cow<'_, str>> {
    #[derive(Deserialize)]
    struct Text<'a>(#[serde(borrow)] Cow<'a, str>);
    serde_json::from_str(json).ok().map(|Text(text)| text)
}

fn read<'a, T: Deserialize<'a>>(json: &'a str, param: &str) -> Result<T, Invalid> {
    serde_json::from_str(json)
        .map_err(|error| Invalid::new(param, format!("Invalid '{param}': {}.", words_of_part(&error))))
}

/// Reads the whole of a chat request, for a provider with an API of its own.
///
/// # Errors
/// When a field has the wrong type or a message cannot be understood; the error names it.
pub fn chat(envelope: &Envelope<'_>) -> Result<Request, Invalid> {
    let mut request = Request { n: 1, ..Request::default() };
    let mut max_tokens = None;
    for (name, json) in envelope.iter().filter(|(_, json)| *json != "null") {
        match name {
            "model" | "stream_options" => {}
            "messages" => request.messages = messages(json)?,
            "tools" => request.tools = tools(json)?,
            "tool_choice" => request.tool_choice = Some(tool_choice(json)?),
            "parallel_tool_calls" => request.parallel_tool_calls = Some(read(json, name)?),
            "response_format" => request.format = format(read(json, name)?),
            "temperature" => request.temperature = Some(read(json, name)?),
            "top_p" => request.top_p = Some(read(json, name)?),
            "stop" => request.stop = read::<OneOrMany>(json, name)?.into_vec(),
            "max_tokens" => max_tokens = Some(read(json, name)?),
            "max_completion_tokens" => request.max_tokens = Some(read(json, name)?),
            "reasoning_effort" => request.effort = Some(effort(json)?),
            "n" => request.n = read(json, name)?,
            "user" => request.user = Some(read(json, name)?),
            "stream" => request.stream = read(json, name)?,
            _ => {
                request.extra.insert(name.to_owned(), read(json, name)?);
            }
        }
    }
    request.max_tokens = request.max_tokens.or(max_tokens);
    Ok(request)
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "a string or a list of strings")]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    fn into_vec(self) -> Vec<String> {
        match self {
            Self::One(one) => vec![one],
            Self::Many(many) => many,
        }
    }
}

fn messages(json: &str) -> Result<Vec<Message>, Invalid> {
    let messages: Vec<&RawValue> = read(json, "messages")?;
    messages.into_iter().enumerate().map(|(i, json)| message(json.get(), &format!("messages[{i}]"))).collect()
}

fn message(json: &str, path: &str) -> Result<Message, Invalid> {
    let message: wire::Message = read(json, path)?;
    let mut content = match message.content {
        None => Vec::new(),
        Some(wire::Content::Text(text)) if text.is_empty() => Vec::new(),
        Some(wire::Content::Text(text)) => vec![Part::Text(text)],
        Some(wire::Content::Parts(parts)) => parts
            .into_iter()
            .enumerate()
            .map(|(i, content)| part(content, &format!("{path}.content[{i}]")))
            .collect::<Result<_, _>>()?,
    };
    Ok(match message.role {
        wire::Role::System | wire::Role::Developer => Message::System(content),
        wire::Role::User => Message::User(content),
        wire::Role::Assistant => {
            content.extend(message.refusal.map(Part::Refusal));
            let calls = message.tool_calls.unwrap_or_default();
            Message::Assistant { content, calls: calls.into_iter().map(call).collect() }
        }
        wire::Role::Tool => Message::Tool {
            call_id: message.tool_call_id.ok_or_else(|| {
                let param = format!("{path}.tool_call_id");
                let message = format!("Missing '{param}': a message of role 'tool' says which call it answers.");
                Invalid::new(param, message)
            })?,
            content,
        },
    })
}

fn call(call: wire::ToolCall) -> ToolCall {
    let wire::FunctionCall { name, arguments } = call.function;
    let arguments = if arguments.trim().is_empty() { "{}".to_owned() } else { arguments };
    ToolCall { id: call.id, name, arguments }
}

fn part(part: wire::Part, path: &str) -> Result<Part, Invalid> {
    let missing = |field: &str| Invalid::new(format!("{path}.{field}"), format!("Missing '{path}.{field}'."));
    match part.kind.as_str() {
        "text" => part.text.map(Part::Text).ok_or_else(|| missing("text")),
        "refusal" => part.refusal.map(Part::Refusal).ok_or_else(|| missing("refusal")),
        "image_url" => image(part.image_url.ok_or_else(|| missing("image_url"))?.url, path),
        _ => Ok(Part::Other(part.kind)),
    }
}

/// An image by its URL; `data:image/png;base64,...` carries the image itself.
fn image(url: String, path: &str) -> Result<Part, Invalid> {
    let param = || format!("{path}.image_url.url");
    let Some(rest) = url.strip_prefix("data:") else {
        if url.starts_with("https://") || url.starts_with("http://") {
            return Ok(Part::ImageUrl(url));
        }
        return Err(Invalid::new(param(), format!("'{}' must be an http(s) URL or a data URL.", param())));
    };
    let Some((media_type, data)) = rest.split_once(";base64,") else {
        return Err(Invalid::new(param(), format!("'{}' must be a data URL in base64.", param())));
    };
    if STANDARD.decode(data).is_err() {
        return Err(Invalid::new(param(), format!("The data URL at '{}' is not valid base64.", param())));
    }
    Ok(Part::Image { media_type: media_type.to_owned(), data: data.to_owned() })
}

fn tools(json: &str) -> Result<Vec<Tool>, Invalid> {
    let tools: Vec<&RawValue> = read(json, "tools")?;
    tools.into_iter().enumerate().map(|(i, json)| tool(json.get(), &format!("tools[{i}]"))).collect()
}

fn tool(json: &str, path: &str) -> Result<Tool, Invalid> {
    let tool: wire::Tool = read(json, path)?;
    match tool.function {
        Some(function) if tool.kind == "function" => Ok(Tool {
            name: function.name,
            description: function.description,
            parameters: function.parameters,
            strict: function.strict,
        }),
        _ => {
            let param = format!("{path}.type");
            let message = format!("'{param}' must be 'function', with a 'function': this provider has no other.");
            Err(Invalid::new(param, message))
        }
    }
}

fn tool_choice(json: &str) -> Result<ToolChoice, Invalid> {
    match read(json, "tool_choice")? {
        wire::ToolChoice::Named { function } => Ok(ToolChoice::Named(function.name)),
        wire::ToolChoice::Mode(mode) => match mode.as_str() {
            "auto" => Ok(ToolChoice::Auto),
            "none" => Ok(ToolChoice::None),
            "required" => Ok(ToolChoice::Required),
            _ => Err(Invalid::new(
                "tool_choice",
                "Invalid 'tool_choice': expected 'auto', 'none', 'required' or a named function.",
            )),
        },
    }
}

fn format(format: wire::ResponseFormat) -> Format {
    match format {
        wire::ResponseFormat::Text => Format::Text,
        wire::ResponseFormat::JsonObject => Format::JsonObject,
        wire::ResponseFormat::JsonSchema { json_schema } => Format::JsonSchema {
            name: json_schema.name,
            schema: json_schema.schema,
            strict: json_schema.strict == Some(true),
        },
    }
}

fn effort(json: &str) -> Result<Effort, Invalid> {
    match json {
        "\"none\"" => Ok(Effort::None),
        "\"minimal\"" => Ok(Effort::Minimal),
        "\"low\"" => Ok(Effort::Low),
        "\"medium\"" => Ok(Effort::Medium),
        "\"high\"" => Ok(Effort::High),
        "\"xhigh\"" => Ok(Effort::XHigh),
        _ => Err(Invalid::new(
            "reasoning_effort",
            "Invalid 'reasoning_effort': expected none, minimal, low, medium, high or xhigh.",
        )),
    }
}
