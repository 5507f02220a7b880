//! The conversation: a list of messages in the canonical model, instructions and turns in this API.
//!
//! Three rules of the API shape this file. Instructions stand apart from the turns. The answers to all calls of a turn
//! stand at the head of the very next one, whatever the caller put between. A block of blank text is refused, so it is
//! left out, and so is a turn of which nothing remains.

use super::{
    arguments::to_input,
    calls::{Calls, Misplaced},
    ids::plain,
    inexpressible, is_blank, is_blank_char,
};
use crate::{
    chat::{Message, Part, ToolCall},
    provider::Inexpressible,
    wire::anthropic::{Block, Role, Source, Turn},
};
use std::{borrow::Cow, collections::BTreeSet};

/// A conversation, translated.
#[derive(Default)]
pub(super) struct Conversation<'a> {
    /// What the operator says, wherever in the conversation it was said.
    pub(super) system: Vec<Block<'a>>,
    /// The turns; the roles alternate.
    pub(super) turns: Vec<Turn<'a>>,
    /// The tools that were called, each once, in order.
    pub(super) called: Vec<Cow<'a, str>>,
    /// Whether arguments had to be changed to be sent at all.
    pub(super) changed: bool,
    /// The names in `called`.
    names: BTreeSet<Cow<'a, str>>,
    /// The calls of the last assistant turn.
    calls: Calls<'a>,
    /// The answers to them so far: what the turn after it begins with.
    answers: Vec<Block<'a>>,
}

impl<'a> Conversation<'a> {
    pub(super) fn translate(messages: &'a [Message]) -> Result<Self, Inexpressible> {
        let mut conversation = Self::default();
        for (i, message) in messages.iter().enumerate() {
            match message {
                Message::System(parts) => {
                    let blocks = blocks(parts, i, Images::Refused)?;
                    conversation.system.extend(blocks);
                }
                Message::User(parts) => conversation.say(Role::User, blocks(parts, i, Images::Taken)?)?,
                Message::Assistant { content, calls } => {
                    conversation.say(Role::Assistant, blocks(content, i, Images::Refused)?)?;
                    conversation.call(calls, i)?;
                }
                Message::Tool { call_id, content } => conversation.answer(call_id, content, i)?,
            }
        }
        conversation.check_answered()?;
        conversation.put_answers();
        if conversation.turns.is_empty() {
            return Err(inexpressible(
                "messages",
                "Nothing remains to be answered: this provider takes instructions and blank text for no message. \
                 Add a message of role 'user' with text in it.",
            ));
        }
        conversation.trim_last_words();
        Ok(conversation)
    }

    /// Whether the turn that the answer follows on is the model's own.
    pub(super) fn ends_with_assistant(&self) -> bool {
        self.turns.last().is_some_and(|turn| turn.role == Role::Assistant)
    }

    /// Whether the model's last turn called tools.
    pub(super) fn last_turn_called(&self) -> bool {
        !self.calls.is_empty()
    }

    /// Adds blocks to the current turn if it is `role`'s, else begins one.
    fn say(&mut self, role: Role, blocks: Vec<Block<'a>>) -> Result<(), Inexpressible> {
        if blocks.is_empty() {
            return Ok(());
        }
        match self.turns.last_mut() {
            Some(turn) if turn.role == role => turn.content.extend(blocks),
            _ => {
                if role == Role::Assistant {
                    self.check_answered()?;
                    self.put_answers();
                    self.calls = Calls::default();
                }
                self.turns.push(Turn { role, content: blocks });
            }
        }
        Ok(())
    }

    /// Calls of one message. Some callers make a message of each parallel call; they all belong to one turn.
    fn call(&mut self, calls: &'a [ToolCall], message: usize) -> Result<(), Inexpressible> {
        for (n, call) in calls.iter().enumerate() {
            let (input, wrapped) = to_input(&call.arguments).map_err(|_| {
                let param = format!("messages[{message}].tool_calls[{n}].function.arguments");
                inexpressible(param, "The arguments cannot be written as JSON.")
            })?;
            self.changed |= wrapped;
            let name = plain(&call.name);
            if self.names.insert(name.clone()) {
                self.called.push(name.clone());
            }
            // A turn of calls only begins here, so the id is chosen after that: a new turn has its own ids.
            self.say(Role::Assistant, vec![Block::ToolUse { id: Cow::Borrowed(""), name, input }])?;
            let sent = self.calls.add(&call.id, message);
            if let Some(Block::ToolUse { id, .. }) = self.turns.last_mut().and_then(|turn| turn.content.last_mut()) {
                *id = sent;
            }
        }
        Ok(())
    }

    /// An answer goes before whatever else the user's turn holds, in the order in which answers come.
    fn answer(&mut self, call_id: &str, content: &'a [Part], message: usize) -> Result<(), Inexpressible> {
        let tool_use_id = self.calls.answer(call_id).map_err(|misplaced| {
            let param = format!("messages[{message}].tool_call_id");
            let message = match misplaced {
                Misplaced::Unknown => format!("'{param}' names no call of the assistant's turn before it."),
                Misplaced::Answered => format!("'{param}' names a call that is already answered."),
            };
            inexpressible(param, message)
        })?;
        self.answers.push(Block::ToolResult { tool_use_id, content: blocks(content, message, Images::Taken)? });
        if self.turns.last().is_none_or(|turn| turn.role != Role::User) {
            self.turns.push(Turn { role: Role::User, content: Vec::new() });
        }
        Ok(())
    }

    /// Puts the answers at the head of the turn that they belong to, all at once: one after another, each would move
    /// all that follows.
    fn put_answers(&mut self) {
        if let Some(turn) = self.turns.last_mut().filter(|_| !self.answers.is_empty()) {
            turn.content.splice(..0, self.answers.drain(..));
        }
    }

    /// Refuses what OpenAI refuses as well: inventing an answer would have the model reason from it.
    fn check_answered(&mut self) -> Result<(), Inexpressible> {
        match self.calls.unanswered() {
            None => Ok(()),
            Some(message) => Err(inexpressible(
                format!("messages[{message}].tool_calls"),
                "Every call of an assistant message must be answered by a message of role 'tool' before the \
                 assistant's next message.",
            )),
        }
    }

    /// The model goes on from the end of its own last turn, and the API refuses blanks there.
    fn trim_last_words(&mut self) {
        if let Some(Turn { role: Role::Assistant, content }) = self.turns.last_mut()
            && let Some(Block::Text { text }) = content.last_mut()
        {
            *text = Cow::Owned(text.trim_end_matches(is_blank_char).to_owned());
        }
    }
}

/// Whether a place takes images.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Images {
    Taken,
    Refused,
}

fn blocks(parts: &[Part], message: usize, images: Images) -> Result<Vec<Block<'_>>, Inexpressible> {
    let mut blocks = Vec::with_capacity(parts.len());
    for (n, part) in parts.iter().enumerate() {
        let param = || format!("messages[{message}].content[{n}]");
        let source = match part {
            Part::Text(text) | Part::Refusal(text) if is_blank(text) => continue,
            Part::Text(text) | Part::Refusal(text) => {
                blocks.push(Block::Text { text: Cow::Borrowed(text) });
                continue;
            }
            Part::Image { media_type, data } => Source::Base64 {
                media_type: image_type(media_type, data).ok_or_else(|| {
                    let message = format!("'{}' must be a PNG, JPEG, GIF or WebP image for this provider.", param());
                    inexpressible(param(), message)
                })?,
                data,
            },
            Part::ImageUrl(url) => Source::Url { url },
            Part::Other(kind) => {
                let message = format!("'{}' is of type '{kind}', which this provider does not take.", param());
                return Err(inexpressible(param(), message));
            }
        };
        if images == Images::Refused {
            let message = format!("'{}' is an image: this provider takes images from users and tools only.", param());
            return Err(inexpressible(param(), message));
        }
        blocks.push(Block::Image { source });
    }
    Ok(blocks)
}

/// The media type of an image. OpenAI goes by the bytes and forgives a wrong label, this API does not; so the bytes
/// decide here too, by their first few in base64.
fn image_type(declared: &str, data: &str) -> Option<&'static str> {
    const KNOWN: [(&str, &str); 4] =
        [("image/png", "iVBORw0KGg"), ("image/jpeg", "/9j/"), ("image/gif", "R0lGOD"), ("image/webp", "UklGR")];
    let declared = if declared == "image/jpg" { "image/jpeg" } else { declared };
    let known = KNOWN.iter().find(|(_, magic)| data.starts_with(magic));
    known.or_else(|| KNOWN.iter().find(|(name, _)| *name == declared)).map(|(name, _)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_of_an_image_overrule_its_label() {
        assert_eq!(image_type("image/png", "/9j/4AAQ"), Some("image/jpeg"));
        assert_eq!(image_type("application/octet-stream", "iVBORw0KGgo="), Some("image/png"));
        assert_eq!(image_type("image/jpg", "AAAA"), Some("image/jpeg"));
        assert_eq!(image_type("image/tiff", "SUkqAA=="), None);
    }
}
