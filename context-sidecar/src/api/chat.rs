//! The whole body of a chat completion, as an agent has it in hand: in, and out again with what was found among its
//! messages. It goes on to the model as it comes out, so that there is nothing of ours in it; that is in headers.

use std::fmt;

use context_core::pack::Packed;
use http::Response;
use serde::{
    Deserialize, Deserializer,
    de::{Error as _, MapAccess, Visitor},
};
use serde_json::value::RawValue;

use super::{Options, json, render};
use crate::{
    answer::Answer,
    body::Body,
    failure::{Failure, Kind},
};

/// The field of such a body that is ours.
const OURS: &str = "context";

/// Ours, too, where there is no model: here they would go to it, or be taken for its own.
const MISPLACED: [&str; 12] = [
    "query",
    "collection",
    "filter",
    "mode",
    "fusion",
    "min_score",
    "rerank",
    "mmr",
    "expand",
    "freshness",
    "timeout_ms",
    "explain",
];

/// As much of a header as everybody takes, in bytes.
const LONGEST: usize = 4 << 10;

/// A body with a `model`: its fields, in their order, byte for byte.
pub(super) struct Chat(Vec<(String, Box<RawValue>)>);

impl Chat {
    /// The body, if it is one for a model.
    pub(super) fn of(body: &[u8]) -> Option<Self> {
        serde_json::from_slice(body).ok().filter(|Self(fields)| fields.iter().any(|(name, _)| name == "model"))
    }

    /// What is asked for with it.
    pub(super) fn options(&self) -> Result<Options, Failure> {
        let Self(fields) = self;
        if let Some((name, _)) = fields.iter().find(|(name, _)| MISPLACED.contains(&name.as_str())) {
            let why = format!("Beside a `model`, what is for the search goes into `{OURS}`: {{\"{name}\": ...}}.");
            return Err(Failure::new(Kind::Invalid, why).about(name.as_str()));
        }
        let of = |wanted: &str| fields.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.get());
        let mut options: Options = json::read(of(OURS).unwrap_or("{}").as_bytes()).map_err(|failure| {
            let param = failure.param.as_deref().map_or_else(|| OURS.to_owned(), |param| format!("{OURS}.{param}"));
            failure.about(param)
        })?;
        for (name, is_there) in [("messages", options.messages.is_some()), ("query", options.query.is_some())] {
            if is_there {
                let why = "It cannot be here: what is looked for is the last question of `messages`.";
                return Err(Failure::new(Kind::Invalid, why).about(format!("{OURS}.{name}")));
            }
        }
        options.messages = match of("messages") {
            None => None,
            Some(text) => Some(
                serde_json::from_str(text)
                    .map_err(|_| Failure::new(Kind::Invalid, "It must be a list of messages.").about("messages"))?,
            ),
        };
        Ok(options)
    }

    /// The same body with other messages.
    pub(super) fn with(&self, messages: &[Box<RawValue>], answer: &Answer, context: &Packed) -> Response<Body> {
        let mut text = Vec::with_capacity(self.0.iter().map(|(name, value)| name.len() + value.get().len() + 4).sum());
        for (name, value) in self.0.iter().filter(|(name, _)| name != OURS) {
            text.push(if text.is_empty() { b'{' } else { b',' });
            text.extend(serde_json::Value::from(name.as_str()).to_string().bytes());
            text.push(b':');
            if name == "messages" {
                text.push(b'[');
                let parts: Vec<&str> = messages.iter().map(|message| message.get()).collect();
                text.extend(parts.join(",").bytes());
                text.push(b']');
            } else {
                text.extend(value.get().bytes());
            }
        }
        text.push(b'}');
        render::with(render::whole(text), about(answer, context))
    }
}

/// What is told of an answer in headers.
fn about(answer: &Answer, context: &Packed) -> Vec<(&'static str, String)> {
    let mut all = render::about(answer);
    all.push(("x-context-tokens", context.tokens.to_string()));
    let citations = ascii(&serde_json::to_string(&context.citations).unwrap_or_default());
    if citations.len() <= LONGEST {
        all.push(("x-context-citations", citations));
    }
    all
}

/// JSON without any letter that a header cannot have.
fn ascii(json: &str) -> String {
    json.chars().fold(String::with_capacity(json.len()), |mut text, letter| {
        if letter.is_ascii() {
            text.push(letter);
        } else {
            letter.encode_utf16(&mut [0; 2]).iter().for_each(|unit| text.push_str(&format!("\\u{unit:04x}")));
        }
        text
    })
}

impl<'de> Deserialize<'de> for Chat {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;

        impl<'de> Visitor<'de> for Fields {
            type Value = Chat;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Chat, A::Error> {
                let mut fields: Vec<(String, Box<RawValue>)> = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, Box<RawValue>>()? {
                    if fields.iter().any(|(other, _)| *other == name) {
                        return Err(A::Error::custom("is there twice"));
                    }
                    fields.push((name, value));
                }
                Ok(Chat(fields))
            }
        }

        deserializer.deserialize_map(Fields)
    }
}
