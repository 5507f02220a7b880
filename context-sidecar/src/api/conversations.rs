//! `/v1/conversations`: what was said, and what of it goes into the next prompt.

use std::sync::Arc;

use http::{Method, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{App, Asked, Route, render, shapes};
use crate::{
    body::Body,
    conversations::{Known, Message, Role},
    failure::{Failure, Kind},
    ingest::ItemOutcome,
    object::Object,
    wishes::MOST_TOKENS,
};

/// Enough for a prompt, unless it is said how many.
const TOKENS: usize = 2_000;

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
            ("max_tokens", "How many tokens it has, from 1 to 1000000. Default: 2000."),
            ("query", "What it is to be about. Default: what the user said last."),
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
            ("after", "What `next` said of the page before."),
            ("limit", "How many, from 1 to 1000. Default: 100."),
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

/// A message, as chat messages are: its content is text, or a list of parts that are.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Given {
    #[serde(default)]
    id: Option<String>,
    role: Role,
    content: Content,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "must be a text, or a list of parts of the type `text`")]
enum Content {
    Text(String),
    Parts(Vec<Part>),
}

/// A part that is text. Others would be lost without a word.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Part {
    #[serde(rename = "type")]
    _kind: Text,
    text: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Text {
    Text,
}

impl From<Given> for Message {
    fn from(Given { id, role, content }: Given) -> Self {
        let content = match content {
            Content::Text(text) => text,
            Content::Parts(parts) => parts.into_iter().map(|part| part.text).collect::<Vec<_>>().join("\n"),
        };
        Self { id, role, content }
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
    let messages = messages.into_iter().map(|Object(given)| given.into()).collect();
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
