//! Streamed answers: canonical events to chunks.

use serde::Serialize;

use super::answer::finish_reason;
use crate::{
    chat::{self, Event},
    sse,
    wire::openai::Usage,
};

/// Encodes one streamed answer.
#[derive(Debug)]
pub struct Encoder {
    id: String,
    model: String,
    created: u64,
    /// Whether the caller asked for the usage; then every other chunk says `usage: null`.
    include_usage: bool,
    usage: Option<chat::Usage>,
    role_sent: bool,
}

#[derive(Serialize)]
struct Chunk<'a> {
    id: &'a str,
    object: &'static str,
    created: u64,
    model: &'a str,
    choices: &'a [Choice<'a>],
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<Option<Usage>>,
}

#[derive(Serialize)]
struct Choice<'a> {
    index: usize,
    delta: Delta<'a>,
    logprobs: Option<()>,
    finish_reason: Option<&'static str>,
}

#[derive(Default, Serialize)]
struct Delta<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reasoning_content: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_calls: Option<[Call<'a>; 1]>,
}

/// The id, type and name come only with a call's first delta; the index alone ties the later ones to it.
#[derive(Serialize)]
struct Call<'a> {
    index: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    function: Function<'a>,
}

#[derive(Serialize)]
struct Function<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    arguments: &'a str,
}

impl Encoder {
    /// An encoder; `created` is the time in seconds since 1970.
    #[must_use]
    pub fn new(created: u64, include_usage: bool) -> Self {
        Self { id: String::new(), model: String::new(), created, include_usage, usage: None, role_sent: false }
    }

    /// Appends what `event` means to a client.
    pub fn event(&mut self, event: &Event, out: &mut Vec<u8>) {
        match event {
            Event::Start { id, model } => {
                self.id.clone_from(id);
                self.model.clone_from(model);
                self.delta(Delta { content: Some(""), ..Delta::default() }, None, out);
            }
            Event::Text(text) => self.delta(Delta { content: Some(text), ..Delta::default() }, None, out),
            Event::Reasoning(text) => {
                self.delta(Delta { reasoning_content: Some(text), ..Delta::default() }, None, out);
            }
            Event::Refusal(text) => self.delta(Delta { refusal: Some(text), ..Delta::default() }, None, out),
            Event::CallStart { index, id, name } => {
                let function = Function { name: Some(name), arguments: "" };
                let call = Call { index: *index, id: Some(id), kind: Some("function"), function };
                self.delta(Delta { tool_calls: Some([call]), ..Delta::default() }, None, out);
            }
            Event::CallArguments { index, fragment } => {
                let function = Function { name: None, arguments: fragment };
                let call = Call { index: *index, id: None, kind: None, function };
                self.delta(Delta { tool_calls: Some([call]), ..Delta::default() }, None, out);
            }
            Event::Finish(finish) => self.delta(Delta::default(), Some(finish_reason(*finish)), out),
            Event::Usage(usage) => self.usage = Some(*usage),
            Event::End => {
                if let Some(usage) = self.usage.filter(|_| self.include_usage) {
                    self.chunk(&[], Some(Some(usage.into())), out);
                }
                sse::write(out, b"[DONE]");
            }
        }
    }

    fn delta(&mut self, mut delta: Delta<'_>, finish_reason: Option<&'static str>, out: &mut Vec<u8>) {
        if !self.role_sent {
            self.role_sent = true;
            delta.role = Some("assistant");
        }
        let choice = Choice { index: 0, delta, logprobs: None, finish_reason };
        self.chunk(&[choice], self.include_usage.then_some(None), out);
    }

    fn chunk(&self, choices: &[Choice<'_>], usage: Option<Option<Usage>>, out: &mut Vec<u8>) {
        let Self { id, model, created, .. } = self;
        let chunk = Chunk { id, object: "chat.completion.chunk", created: *created, model, choices, usage };
        out.extend_from_slice(b"data: ");
        // Writing to memory cannot fail, and neither can strings and numbers.
        let _infallible = serde_json::to_writer(&mut *out, &chunk);
        out.extend_from_slice(b"\n\n");
    }
}
