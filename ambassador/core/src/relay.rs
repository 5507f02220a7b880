//! A streamed answer on its way: the upstream's bytes in, the caller's bytes out.
//!
//! Only whole events are let through, so that a cut never leaves half a line before the error that must follow it.

use std::collections::BTreeSet;

use crate::{
    chat::{self, Event},
    dialect::openai::Encoder,
    provider::{EventDecoder, StreamError},
    sse::{Frame, Splitter},
    wire::{openai::Passing, reason::reason},
};

/// How far a streamed answer has come.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    /// Content has been seen: from here on the answer is this provider's and no other's.
    pub content: bool,
    /// How many events have said something: what an idle time-out looks at. Pings and comments say nothing.
    pub said: u64,
    /// The provider said why the answer ended.
    pub finished: bool,
    /// The provider said that the stream is whole; nothing more is wanted from it.
    pub ended: bool,
    /// What it cost, as far as has been told.
    pub usage: Option<chat::Usage>,
    /// The model that answers, as the provider names it.
    pub model: Option<String>,
}

/// Carries one streamed answer.
pub trait Relay: Send {
    /// Takes the upstream's next bytes and appends to `out` what the caller gets of them.
    ///
    /// # Errors
    /// When the stream cannot go on. What was appended to `out` before the error stands.
    fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), StreamError>;

    /// Takes note that the upstream's body has ended, and appends what completes the answer.
    ///
    /// # Errors
    /// [`StreamError::Truncated`] when the provider never said that the answer was complete.
    fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), StreamError>;

    /// How far it has come.
    fn progress(&self) -> &Progress;
}

/// An OpenAI stream for an OpenAI client: events pass as they came, after a look at each.
#[derive(Debug)]
pub struct Passthrough {
    splitter: Splitter,
    progress: Progress,
    /// Whether the caller asked for the usage chunk that every upstream is asked for.
    include_usage: bool,
    choices: Choices,
}

/// Which of the choices of an answer (`n` of them are asked for) have said why they ended.
#[derive(Debug)]
struct Choices {
    wanted: u64,
    seen: BTreeSet<u64>,
    finished: BTreeSet<u64>,
}

impl Choices {
    fn all_finished(&self) -> bool {
        self.finished.len() as u64 >= self.wanted && self.seen.is_subset(&self.finished)
    }
}

impl Passthrough {
    /// A relay for a caller that wants so many choices, and the usage chunk or not.
    #[must_use]
    pub fn new(choices: u64, include_usage: bool) -> Self {
        let choices = Choices { wanted: choices, seen: BTreeSet::new(), finished: BTreeSet::new() };
        Self { splitter: Splitter::default(), progress: Progress::default(), include_usage, choices }
    }
}

impl Relay for Passthrough {
    fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), StreamError> {
        if self.progress.ended {
            return Ok(());
        }
        self.splitter.feed(bytes).map_err(|error| StreamError::Malformed(error.to_string()))?;
        while let Some(frame) = self.splitter.next_event() {
            pass(&mut self.progress, &mut self.choices, self.include_usage, frame, out)?;
            if self.progress.ended {
                break;
            }
        }
        Ok(())
    }

    fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), StreamError> {
        if self.progress.ended {
            return Ok(());
        }
        let rest = self.splitter.remainder();
        if rest.data().is_some_and(|data| !data.is_empty()) {
            pass(&mut self.progress, &mut self.choices, self.include_usage, rest, out).map_err(cut)?;
            if !out.ends_with(b"\n\n") {
                out.extend_from_slice(b"\n\n");
            }
        }
        if self.progress.ended {
            return Ok(());
        }
        if !self.progress.finished {
            return Err(StreamError::Truncated);
        }
        self.progress.ended = true;
        crate::sse::write(out, b"[DONE]");
        Ok(())
    }

    fn progress(&self) -> &Progress {
        &self.progress
    }
}

/// The last event of a body that ended too early cannot be read because it was cut, not because it was wrong.
fn cut(error: StreamError) -> StreamError {
    match error {
        StreamError::Malformed(_) => StreamError::Truncated,
        StreamError::Provider(_) | StreamError::Truncated => error,
    }
}

fn pass(
    progress: &mut Progress,
    known: &mut Choices,
    include_usage: bool,
    frame: Frame<'_>,
    out: &mut Vec<u8>,
) -> Result<(), StreamError> {
    let Some(data) = frame.data() else {
        // Comments keep connections alive; they are none of the caller's business before there is an answer.
        if progress.content {
            out.extend_from_slice(frame.raw());
        }
        return Ok(());
    };
    // An event without data says nothing by the grammar, and clients that read JSON in it would stumble.
    if data.is_empty() {
        return Ok(());
    }
    if data.trim_ascii() == b"[DONE]" {
        progress.ended = true;
        out.extend_from_slice(frame.raw());
        return Ok(());
    }
    let chunk: Passing<'_> = serde_json::from_slice(&data).map_err(|error| StreamError::Malformed(reason(&error)))?;
    if let Some(refusal) = chunk.refusal(&data) {
        return Err(StreamError::Provider(refusal));
    }
    let usage = chunk.usage();
    progress.usage = usage.or(progress.usage);
    let choices = chunk.choices.unwrap_or_default();
    if choices.is_empty() && usage.is_some() && !include_usage {
        return Ok(());
    }
    progress.said += 1;
    for choice in &choices {
        progress.content |= choice.delta.as_ref().is_some_and(|delta| delta.speaks());
        let index = choice.index.unwrap_or(0);
        known.seen.insert(index);
        // A reason is a word. Some engines send an empty one with every chunk.
        if choice.finish_reason.is_some_and(|reason| reason.get().len() > 2 && reason.get().starts_with('"')) {
            known.finished.insert(index);
        }
    }
    progress.finished = known.all_finished();
    if progress.model.is_none() {
        progress.model = chunk.model.map(Into::into);
    }
    out.extend_from_slice(frame.raw());
    Ok(())
}

/// A provider's own stream, told in the client's dialect.
pub struct Translated {
    splitter: Splitter,
    decoder: Box<dyn EventDecoder>,
    encoder: Encoder,
    progress: Progress,
    events: Vec<Event>,
}

impl std::fmt::Debug for Translated {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Translated").field("progress", &self.progress).finish_non_exhaustive()
    }
}

impl Translated {
    /// A relay from `decoder`'s provider to the caller of `encoder`.
    #[must_use]
    pub fn new(decoder: Box<dyn EventDecoder>, encoder: Encoder) -> Self {
        Self { splitter: Splitter::default(), decoder, encoder, progress: Progress::default(), events: Vec::new() }
    }

    fn event(&mut self, data: &[u8], out: &mut Vec<u8>) -> Result<(), StreamError> {
        let result = self.decoder.event(data, &mut self.events);
        for event in self.events.drain(..) {
            note(&mut self.progress, &event);
            self.encoder.event(&event, out);
        }
        result
    }
}

impl Relay for Translated {
    fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), StreamError> {
        if self.progress.ended {
            return Ok(());
        }
        self.splitter.feed(bytes).map_err(|error| StreamError::Malformed(error.to_string()))?;
        // The decoder is lent the event while the splitter holds it, so the splitter steps aside meanwhile.
        let mut splitter = std::mem::take(&mut self.splitter);
        let mut result = Ok(());
        while let Some(frame) = splitter.next_event() {
            if let Some(data) = frame.data().filter(|data| !data.is_empty()) {
                result = self.event(&data, out);
            }
            if result.is_err() || self.progress.ended {
                break;
            }
        }
        self.splitter = splitter;
        result
    }

    fn finish(&mut self, out: &mut Vec<u8>) -> Result<(), StreamError> {
        if self.progress.ended {
            return Ok(());
        }
        let splitter = std::mem::take(&mut self.splitter);
        if let Some(data) = splitter.remainder().data() {
            self.event(&data, out).map_err(cut)?;
        }
        if self.progress.ended {
            return Ok(());
        }
        if !self.progress.finished {
            return Err(StreamError::Truncated);
        }
        self.progress.ended = true;
        self.encoder.event(&Event::End, out);
        Ok(())
    }

    fn progress(&self) -> &Progress {
        &self.progress
    }
}

fn note(progress: &mut Progress, event: &Event) {
    progress.said += 1;
    match event {
        Event::Start { model, .. } => progress.model = Some(model.clone()),
        Event::Text(text) | Event::Reasoning(text) | Event::Refusal(text) => progress.content |= !text.is_empty(),
        Event::CallStart { .. } | Event::CallArguments { .. } => progress.content = true,
        Event::Finish(_) => progress.finished = true,
        Event::Usage(usage) => progress.usage = Some(*usage),
        Event::End => progress.ended = true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(index: u64, finish: &str) -> String {
        let delta = r#""delta":{"content":"a"}"#;
        format!("data: {{\"choices\":[{{\"index\":{index},{delta},\"finish_reason\":{finish}}}]}}\n\n")
    }

    fn cut_after(choices: u64, chunks: &[String]) -> Result<(), StreamError> {
        let mut relay = Passthrough::new(choices, false);
        let mut out = Vec::new();
        relay.push(chunks.concat().as_bytes(), &mut out)?;
        relay.finish(&mut out)
    }

    #[test]
    fn an_answer_is_whole_when_every_choice_is() {
        let both = [chunk(0, "\"stop\""), chunk(1, "\"length\"")];
        assert_eq!(cut_after(2, &both), Ok(()));
        assert_eq!(cut_after(2, &both[..1]), Err(StreamError::Truncated), "the second has not begun");
        let begun = [chunk(1, "null"), chunk(0, "\"stop\"")];
        assert_eq!(cut_after(1, &begun), Err(StreamError::Truncated), "the second has not ended");
    }

    #[test]
    fn an_empty_reason_is_none() {
        assert_eq!(cut_after(1, &[chunk(0, "\"\"")]), Err(StreamError::Truncated));
        assert_eq!(cut_after(1, &[chunk(0, "null")]), Err(StreamError::Truncated));
    }

    #[test]
    fn an_event_without_data_is_not_passed_on() {
        let mut relay = Passthrough::new(1, false);
        let mut out = Vec::new();
        relay.push(format!("{}data:\n\n", chunk(0, "null")).as_bytes(), &mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), chunk(0, "null"));
    }
}
