//! `/v1/conversations`: what was said, and what of it goes into the next prompt.

use std::{fmt, sync::Arc};

use http::{Method, Response};
use schemars::JsonSchema;
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{Error as _, MapAccess, Visitor},
};
use serde_json::{Map, Value};

use super::{App, Asked, Route, render, route::Parameter, shapes};
use crate::{
    body::Body,
    conversations::{Known, Message, Role, whole},
    failure::{Failure, Kind},
    ingest::ItemOutcome,
    object::Object,
    wishes::MOST_TOKENS,
};

/// Enough for a prompt, unless it is said how many.
const TOKENS: usize = 2_000;

/// What stands for the ids of messages that have none, so that a request can be sent again.
const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// How many conversations a page has at most.
const PAGE: usize = 1_000;

pub(super) const ROUTES: &[Route] = &[
    Route {
        method: Method::POST,
        path: "/v1/conversations/{id}/messages",
        name: "add_messages",
        about: "Puts messages behind those of a conversation; the first begins it.",
        open: false,
        writes: false,
        query: &[],
        takes: Some(|generator| generator.subschema_for::<Said>()),
        gives: Some(|generator| generator.subschema_for::<shapes::SaidAnswer>()),
        answer: |app, asked| Box::pin(say(app, asked)),
    },
    Route {
        method: Method::GET,
        path: "/v1/conversations/{id}/context",
        name: "conversation_context",
        about: "What of a conversation goes into a prompt: the last messages, whole, and of those before what matters.",
        open: false,
        writes: false,
        query: &[
            Parameter::up_to(MOST_TOKENS, "max_tokens", "How many tokens it has, from 1 to 1000000. Default: 2000."),
            Parameter::text("query", "What it is to be about. Default: what the user said last."),
        ],
        takes: None,
        gives: Some(|generator| generator.subschema_for::<shapes::Recalled>()),
        answer: |app, asked| Box::pin(recall(app, asked)),
    },
    Route {
        method: Method::GET,
        path: "/v1/conversations",
        name: "list_conversations",
        about: "Conversations in the order of their ids.",
        open: false,
        writes: false,
        query: &[
            Parameter::text("after", "What `next` said of the page before."),
            Parameter::up_to(PAGE, "limit", "How many, from 1 to 1000. Default: 100."),
        ],
        takes: None,
        gives: Some(|generator| generator.subschema_for::<shapes::Conversations>()),
        answer: |app, asked| Box::pin(list(app, asked)),
    },
    Route {
        method: Method::DELETE,
        path: "/v1/conversations/{id}",
        name: "delete_conversation",
        about: "Forgets a conversation.",
        open: false,
        writes: false,
        query: &[],
        takes: None,
        gives: Some(|generator| generator.subschema_for::<Forgotten>()),
        answer: |app, asked| Box::pin(forget(app, asked)),
    },
];

/// What was said.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Said {
    /// In the order in which it was said.
    #[schemars(with = "Vec<shapes::NewMessage>")]
    messages: Vec<Object<Given>>,
}

/// A message, as chat messages are: whatever else it has is kept with it.
struct Given {
    id: Option<String>,
    role: Role,
    content: Option<Value>,
    rest: Map<String, Value>,
}

/// By hand: read field by field, each error has its place.
impl<'de> Deserialize<'de> for Given {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;

        impl<'de> Visitor<'de> for Fields {
            type Value = Given;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Given, A::Error> {
                let (mut id, mut role, mut content, mut rest) = (None, None, None, Map::new());
                while let Some(key) = map.next_key::<String>()? {
                    match key.as_str() {
                        "id" => id = map.next_value()?,
                        "role" => role = Some(map.next_value()?),
                        "content" => content = Some(map.next_value()?),
                        _ => _ = rest.insert(key, map.next_value()?),
                    }
                }
                let role = role.ok_or_else(|| A::Error::missing_field("role"))?;
                Ok(Given { id, role, content, rest })
            }
        }

        deserializer.deserialize_map(Fields)
    }
}

impl Given {
    /// The message at `index`, of which `key` is the caller's name for all of them.
    fn message(self, index: usize, key: Option<&str>) -> Result<Message, Failure> {
        let Self { id, role, content, mut rest } = self;
        let content = whole::apart(content, &mut rest).map_err(|why| {
            Failure::new(Kind::Invalid, format!("It {why}.")).about(format!("messages[{index}].content"))
        })?;
        let id = id.or_else(|| key.map(|key| format!("{key}/{index}")));
        Ok(Message { id, role, content, rest })
    }
}

#[derive(Serialize)]
struct Kept {
    results: Vec<ItemOutcome>,
}

#[derive(Serialize)]
struct Page {
    conversations: Vec<Known>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// What was forgotten.
#[derive(Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Forgotten {
    /// Whether there was such a conversation.
    deleted: bool,
}

async fn say(app: Arc<App>, asked: Asked) -> Result<Response<Body>, Failure> {
    let Said { messages } = asked.json()?;
    let key = match asked.parts.headers.get(IDEMPOTENCY_KEY) {
        None => None,
        Some(key) => Some(key.to_str().ok().filter(|key| (1..=255).contains(&key.len())).ok_or_else(|| {
            Failure::new(Kind::Invalid, "It must have 1 to 255 characters of ASCII.").about(IDEMPOTENCY_KEY)
        })?),
    };
    let messages = messages.into_iter().enumerate();
    let messages: Result<_, Failure> = messages.map(|(index, Object(given))| given.message(index, key)).collect();
    let messages = messages?;
    let call = asked.call(app.ingest_within());
    render::json(&Kept { results: app.pipeline.say(&asked.tenant, asked.id(), messages, &call).await? })
}

async fn recall(app: Arc<App>, asked: Asked) -> Result<Response<Body>, Failure> {
    let tokens = asked.number("max_tokens", 1, MOST_TOKENS)?.unwrap_or(TOKENS);
    let query = asked.said("query");
    if query.is_some_and(|query| query.trim().is_empty()) {
        return Err(
            Failure::new(Kind::Invalid, "It is blank; leave it out for what the user said last.").about("query")
        );
    }
    let call = asked.call(app.settings.limits.timeout);
    render::json(&app.pipeline.recall(&asked.tenant, asked.id(), tokens, query, &call).await?)
}

async fn list(app: Arc<App>, asked: Asked) -> Result<Response<Body>, Failure> {
    let limit = asked.number("limit", 1, PAGE)?.unwrap_or(100);
    let call = asked.call(app.settings.limits.timeout);
    let conversations = app.pipeline.conversations(&asked.tenant, asked.said("after"), limit, &call).await?;
    let next = conversations.last().filter(|_| conversations.len() == limit).map(|last| last.id.clone());
    render::json(&Page { conversations, next })
}

async fn forget(app: Arc<App>, asked: Asked) -> Result<Response<Body>, Failure> {
    let call = asked.call(app.ingest_within());
    render::json(&Forgotten { deleted: app.pipeline.forget(&asked.tenant, asked.id(), &call).await? })
}
