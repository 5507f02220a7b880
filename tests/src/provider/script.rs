//! The failures that can be asked for. In a test by value, over HTTP as JSON:
//!
//! ```text
//! POST /_control  {"rules": [{"key": "sk-bad", "repeat": true, "steps": [{"fault": {"status": {"code": 401}}}]}]}
//! POST /_control  {"rules": [{"steps": [{"fault": {"stream": {"after": 3, "ending": "reset"}}, "delay_ms": 20}]}]}
//! ```

use std::collections::VecDeque;

use serde::Deserialize;

/// How one request is treated. The default answers it.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Step {
    pub fault: Fault,
    /// Pause before the head of the answer.
    pub head_delay_ms: u64,
    /// Pause before each piece of content of a stream.
    pub delay_ms: u64,
    /// Every byte of a stream in a chunk, and a write, of its own.
    pub byte_by_byte: bool,
}

/// What goes wrong.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Fault {
    #[default]
    None,
    /// A refusal in the provider's own shape.
    Status {
        code: u16,
        #[serde(default)]
        retry_after: Option<String>,
        #[serde(default)]
        message: Option<String>,
    },
    /// A refusal as a proxy between would word it.
    Html { code: u16 },
    /// The request is read and nothing is ever said.
    HangBeforeHead,
    /// The request is read and the connection reset.
    ResetBeforeHead,
    /// The request is read and the connection closed.
    CloseBeforeHead,
    /// A whole answer that is shorter than its content length says.
    ShortBody,
    /// A whole answer, a 200, that is not JSON.
    NotJson,
    /// A stream that goes wrong once `after` pieces of content were sent. With 0, what comes before the first content
    /// (a role, the start of a message) is sent all the same.
    Stream { after: usize, ending: Ending },
}

/// How a stream goes wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// The connection closes, the chunked body unfinished.
    Fin,
    /// The connection is reset.
    Reset,
    /// The connection closes after half of an event.
    MidEvent,
    /// The body ends as it should, but no finish reason and no terminator came.
    Clean,
    /// Nothing more is said.
    Hang,
    /// The provider says that it failed.
    Error,
    /// An event that is not JSON; the rest follows as if nothing were.
    Malformed,
}

impl Step {
    /// A refusal with `code`.
    #[must_use]
    pub fn status(code: u16) -> Self {
        Fault::Status { code, retry_after: None, message: None }.into()
    }

    /// A stream that goes wrong.
    #[must_use]
    pub fn stream(after: usize, ending: Ending) -> Self {
        Fault::Stream { after, ending }.into()
    }

    /// An answer whose stream takes its time.
    #[must_use]
    pub fn slow(delay_ms: u64) -> Self {
        Self { delay_ms, ..Self::default() }
    }
}

impl From<Fault> for Step {
    fn from(fault: Fault) -> Self {
        Self { fault, ..Self::default() }
    }
}

/// Whom the steps befall, and in which order.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rule {
    /// Only requests that came with this key.
    pub key: Option<String>,
    /// Only requests for this model.
    pub model: Option<String>,
    /// The first step holds for all of them, instead of each step for one.
    pub repeat: bool,
    pub steps: VecDeque<Step>,
}

impl Rule {
    pub fn always(step: impl Into<Step>) -> Self {
        Self { repeat: true, steps: VecDeque::from([step.into()]), ..Self::default() }
    }

    pub fn once(step: impl Into<Step>) -> Self {
        Self { repeat: false, ..Self::always(step) }
    }

    #[must_use]
    pub fn for_key(self, key: &str) -> Self {
        Self { key: Some(key.into()), ..self }
    }

    fn is_for(&self, key: &str, model: &str) -> bool {
        self.key.as_deref().is_none_or(|wanted| wanted == key)
            && self.model.as_deref().is_none_or(|wanted| wanted == model)
            && !self.steps.is_empty()
    }
}

/// The rules, in order: the first that is for a request says how it is treated.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Script {
    rules: Vec<Rule>,
}

impl Script {
    pub fn push(&mut self, rule: Rule) {
        self.rules.push(rule);
    }

    pub(super) fn next(&mut self, key: &str, model: &str) -> Step {
        let Some(rule) = self.rules.iter_mut().find(|rule| rule.is_for(key, model)) else { return Step::default() };
        let step = if rule.repeat { rule.steps.front().cloned() } else { rule.steps.pop_front() };
        step.unwrap_or_default()
    }
}
