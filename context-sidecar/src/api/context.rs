//! `POST /v1/context`: chat messages in, the same messages out, with what was found as one block among them.

use std::sync::Arc;

use context_core::{pack::Packed, prompt};
use http::{Method, Response};
use serde::Serialize;
use serde_json::value::RawValue;

use super::{App, Asked, Options, Route, chat::Chat, question, render, shapes};
use crate::{
    answer::{Answer, Found},
    body::Body,
    failure::{Failure, Kind},
    question::Marks,
};

/// Enough for ten passages.
const TOKENS: usize = 2_000;

pub(super) const ROUTES: &[Route] = &[Route {
    method: Method::POST,
    path: "/v1/context",
    name: "context",
    about: "The same messages, byte for byte, and before the last one of the user one with what was found, marked as data.",
    open: false,
    writes: false,
    query: &[],
    takes: Some(|generator| {
        let (options, chat) = (generator.subschema_for::<Options>(), generator.subschema_for::<shapes::Chat>());
        schemars::json_schema!({ "anyOf": [options, chat] })
    }),
    gives: Some(|generator| {
        let (ours, chat) =
            (generator.subschema_for::<shapes::WithContext>(), generator.subschema_for::<shapes::Chat>());
        schemars::json_schema!({ "anyOf": [ours, chat] })
    }),
    answer: |app, asked| Box::pin(context(app, asked)),
}];

/// The body of an answer.
#[derive(Serialize)]
struct WithContext<'a> {
    messages: Vec<Box<RawValue>>,
    context: &'a Packed,
    results: &'a [Found],
    mode: crate::question::Mode,
    degraded: &'a [&'static str],
    #[serde(skip_serializing_if = "Option::is_none")]
    stale: Option<crate::answer::Stale>,
    timings: &'a crate::answer::Timings,
    cache: crate::answer::CacheUse,
    #[serde(skip_serializing_if = "Option::is_none")]
    explain: Option<&'a serde_json::Value>,
}

async fn context(app: Arc<App>, asked: Asked) -> Result<Response<Body>, Failure> {
    let chat = Chat::of(&asked.body);
    let options: Options = match &chat {
        Some(chat) => chat.options()?,
        None => asked.json()?,
    };
    let Some(messages) = &options.messages else {
        let message = "It is missing: what comes back is these messages, and what was found among them.";
        return Err(Failure::new(Kind::Invalid, message).about("messages"));
    };
    let (scope, question) = question(&app, &asked, &options, Marks::Delimited, Some(TOKENS))?;
    let call = asked.call(question.timeout);
    let answer = app.pipeline.retrieve(&scope, &question, &call).await?;
    let nothing = Packed::default();
    let Answer { results, context, mode, degraded, stale, timings, cache, explain, fusion: _ } = &*answer;
    let context = context.as_ref().unwrap_or(&nothing);
    if let Some(chat) = &chat {
        return Ok(chat.with(&prompt::insert(messages, &context.text), &answer, context));
    }
    render::json(&WithContext {
        messages: prompt::insert(messages, &context.text),
        context,
        results,
        mode: *mode,
        degraded,
        stale: *stale,
        timings,
        cache: *cache,
        explain: explain.as_ref(),
    })
}
