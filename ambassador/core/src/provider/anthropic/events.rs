//! Streamed answers: from this API's events to the canonical ones.
//!
//! Blocks come one after another, each under an index; the canonical model has no blocks, only text, thinking and
//! calls, and numbers the calls alone.

use serde_json::value::RawValue;

use super::{
    arguments::{Extent, from_input},
    decode::{explanation, finish, read, usage},
    read_refusal,
};
use crate::{
    chat::{Event, Finish},
    provider::{EventDecoder, Malformed, StreamError},
    wire::anthropic::{self as wire, Typed},
};

/// The decoder of one stream.
#[derive(Debug, Default)]
pub(super) struct Events {
    progress: Progress,
    /// The blocks that have begun and not ended: one at a time as the API is today, but it does not say so.
    open: Vec<(u64, Block)>,
    /// How many calls have begun.
    calls: usize,
    /// Whether the arguments of a call ended before they were whole.
    cut: bool,
    usage: wire::Usage,
}

/// How far the answer is.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Progress {
    #[default]
    Expected,
    Begun,
    Finished(Finish),
    Ended,
}

/// A block that has begun.
#[derive(Debug)]
enum Block {
    Text,
    Thinking,
    Call {
        /// Which call of the answer.
        index: usize,
        /// The arguments that it began with, where it came whole at once.
        initial: String,
        extent: Extent,
    },
    /// Of no interest: a tool of the provider's own, or a type that is not known.
    Other,
}

impl EventDecoder for Events {
    fn event(&mut self, data: &[u8], out: &mut Vec<Event>) -> Result<(), StreamError> {
        if self.progress == Progress::Ended {
            return Ok(());
        }
        let Typed { kind } = read(data)?;
        match kind.as_ref() {
            "content_block_delta" => self.delta(&read(data)?, out)?,
            "content_block_start" => self.block_start(&read(data)?, out)?,
            "content_block_stop" => self.block_stop(&read(data)?, out)?,
            "message_start" => self.start(read(data)?, out),
            "message_delta" => self.message_delta(&read(data)?, out)?,
            "message_stop" => self.stop(out)?,
            "error" => return Err(StreamError::Provider(read_refusal(data))),
            // `ping`, and what is not yet invented.
            _ => {}
        }
        Ok(())
    }
}

impl Events {
    /// Some proxies repeat this event when they resume upstream; one answer begins once.
    fn start(&mut self, wire::MessageStart { message }: wire::MessageStart, out: &mut Vec<Event>) {
        if self.progress == Progress::Expected {
            self.progress = Progress::Begun;
            self.usage = message.usage;
            out.push(Event::Start { id: message.id, model: message.model });
            out.push(Event::Usage(usage(&self.usage)));
        }
    }

    fn block_start(&mut self, start: &wire::BlockStart<'_>, out: &mut Vec<Event>) -> Result<(), Malformed> {
        if self.progress != Progress::Begun {
            return Err(Malformed("a block outside of the answer".to_owned()));
        }
        if self.open.iter().any(|(index, _)| *index == start.index) {
            return Err(Malformed("a block that begins twice".to_owned()));
        }
        let block = start.content_block.get().as_bytes();
        let Typed { kind } = read(block)?;
        let block = match kind.as_ref() {
            "text" => {
                push_text(read::<wire::Text>(block)?.text, out);
                Block::Text
            }
            "thinking" => {
                push_reasoning(read::<wire::Thought>(block)?.thinking, out);
                Block::Thinking
            }
            "tool_use" => {
                let call: wire::ToolUse<'_> = read(block)?;
                let initial = call.input.and_then(from_input).unwrap_or_else(|| "{}".to_owned());
                let index = self.calls;
                self.calls += 1;
                out.push(Event::CallStart { index, id: call.id, name: call.name });
                Block::Call { index, initial, extent: Extent::default() }
            }
            _ => Block::Other,
        };
        self.open.push((start.index, block));
        Ok(())
    }

    fn delta(&mut self, event: &wire::BlockDelta<'_>, out: &mut Vec<Event>) -> Result<(), Malformed> {
        let Some((_, block)) = self.open.iter_mut().find(|(index, _)| *index == event.index) else {
            return Err(Malformed("a piece of a block that is not open".to_owned()));
        };
        let delta = &event.delta;
        match (block, delta.kind.as_ref()) {
            (Block::Text, "text_delta") => push_text(piece(delta.text)?, out),
            (Block::Thinking, "thinking_delta") => push_reasoning(piece(delta.thinking)?, out),
            (Block::Call { index, extent, .. }, "input_json_delta") => {
                let fragment = piece(delta.partial_json)?;
                extent.feed(&fragment);
                if !fragment.is_empty() {
                    out.push(Event::CallArguments { index: *index, fragment });
                }
            }
            // Signatures and citations have no place in the canonical model.
            _ => {}
        }
        Ok(())
    }

    fn block_stop(&mut self, stop: &wire::BlockStop, out: &mut Vec<Event>) -> Result<(), Malformed> {
        let Some(at) = self.open.iter().position(|(index, _)| *index == stop.index) else {
            return Err(Malformed("the end of a block that is not open".to_owned()));
        };
        if let (_, Block::Call { index, initial, extent }) = self.open.swap_remove(at) {
            if !extent.has_begun() {
                // A call without arguments streams empty pieces only.
                out.push(Event::CallArguments { index, fragment: initial });
            } else if !extent.is_whole() {
                self.cut = true;
            }
        }
        Ok(())
    }

    fn message_delta(&mut self, event: &wire::MessageDelta<'_>, out: &mut Vec<Event>) -> Result<(), Malformed> {
        if self.progress == Progress::Expected {
            return Err(Malformed("an answer that ends before it begins".to_owned()));
        }
        if let (Progress::Begun, Some(stop_reason)) = (self.progress, &event.delta.stop_reason) {
            let finish = finish(stop_reason, self.calls > 0);
            self.check_calls(finish)?;
            self.progress = Progress::Finished(finish);
            if finish == Finish::ContentFilter {
                let why = event.delta.stop_details.and_then(explanation).filter(|why| !why.is_empty());
                out.extend(why.map(Event::Refusal));
            }
            out.push(Event::Finish(finish));
        }
        // The counts are totals so far, and not all are repeated.
        let (now, known) = (event.usage, &mut self.usage);
        *known = wire::Usage {
            input_tokens: now.input_tokens.or(known.input_tokens),
            cache_creation_input_tokens: now.cache_creation_input_tokens.or(known.cache_creation_input_tokens),
            cache_read_input_tokens: now.cache_read_input_tokens.or(known.cache_read_input_tokens),
            output_tokens: now.output_tokens.or(known.output_tokens),
            output_tokens_details: now.output_tokens_details.or(known.output_tokens_details),
        };
        out.push(Event::Usage(usage(known)));
        Ok(())
    }

    fn stop(&mut self, out: &mut Vec<Event>) -> Result<(), Malformed> {
        let Progress::Finished(finish) = self.progress else {
            return Err(Malformed("an end without a stop_reason".to_owned()));
        };
        self.check_calls(finish)?;
        self.progress = Progress::Ended;
        out.push(Event::End);
        Ok(())
    }

    /// The provider says that all is there; whether it is can be seen. It is looked at before the reason is passed on,
    /// because a caller who has been told of calls goes and makes them. The token limit and a refusal may cut a call in
    /// the middle, and are passed on as what they are.
    fn check_calls(&self, finish: Finish) -> Result<(), Malformed> {
        let open = self.open.iter().any(|(_, block)| match block {
            Block::Call { extent, .. } => !extent.is_whole(),
            Block::Text | Block::Thinking | Block::Other => false,
        });
        if (open || self.cut) && matches!(finish, Finish::Stop | Finish::ToolCalls) {
            return Err(Malformed("a call whose arguments are cut".to_owned()));
        }
        Ok(())
    }
}

fn push_text(text: String, out: &mut Vec<Event>) {
    if !text.is_empty() {
        out.push(Event::Text(text));
    }
}

fn push_reasoning(text: String, out: &mut Vec<Event>) {
    if !text.is_empty() {
        out.push(Event::Reasoning(text));
    }
}

/// The text of a delta, which must have the field that its type names.
fn piece(field: Option<&RawValue>) -> Result<String, Malformed> {
    read(field.ok_or_else(|| Malformed("an empty delta".to_owned()))?.get().as_bytes())
}
