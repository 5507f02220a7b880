//! A request's words to a question that makes sense.

use std::time::Duration;

use context_core::{
    query::{self, NoQuery},
    scope::Scope,
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, value::RawValue};

use super::{App, Asked, filter, shapes::ChatMessage};
use crate::{
    failure::{Failure, Kind},
    object::object,
    question::{Marks, Question},
    wishes::{Expand, Fusion, MinScore, Mode, Newer, Wishes},
};

/// What is asked for.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(title = "Retrieve")]
#[derive(Default)]
pub(crate) struct Options {
    /// What is looked for. This, or `messages`.
    pub(crate) query: Option<String>,
    /// A conversation, whose last question is looked for.
    #[schemars(with = "Option<Vec<ChatMessage>>")]
    pub(crate) messages: Option<Vec<Box<RawValue>>>,
    /// In which collection. Default: that of the configuration.
    pub(crate) collection: Option<String>,
    /// Which documents: `{"type": "eq", "key": "lang", "value": "en"}`; `eq`, `ne`, `gt`, `gte`, `lt`, `lte`, `in`, `nin`,
    /// and `and` and `or` with `filters`.
    pub(crate) filter: Option<Value>,
    /// How many results, from 1 to 1000. Default: 10.
    pub(crate) top_k: Option<usize>,
    /// By what is searched. Default: hybrid where there is an embedder, else lexical.
    pub(crate) mode: Option<Mode>,
    /// How both legs become one ranking.
    #[serde(deserialize_with = "object")]
    #[schemars(with = "Option<Fusion>")]
    pub(crate) fusion: Option<Fusion>,
    /// The least that is good enough.
    #[serde(deserialize_with = "object")]
    #[schemars(with = "Option<MinScore>")]
    pub(crate) min_score: Option<MinScore>,
    /// Whether a reranker is asked. Default: where there is one.
    pub(crate) rerank: Option<bool>,
    /// How much of relevance, and not of novelty, from 0 to 1. Default: 1.
    pub(crate) mmr: Option<f32>,
    /// What stands around a passage is shown with it: `{"window": 1}` or `"parent"`.
    pub(crate) expand: Option<Expand>,
    /// What is newer is worth more.
    #[serde(deserialize_with = "object")]
    #[schemars(with = "Option<Newer>")]
    pub(crate) freshness: Option<Newer>,
    /// The tokens of the packed context. Default: none is packed; 2000 for `/v1/context`.
    pub(crate) max_tokens: Option<usize>,
    /// How long it may take in all, in milliseconds; at most, and by default, `limits.timeout`.
    pub(crate) timeout_ms: Option<u64>,
    /// Whether each stage tells what it did.
    pub(crate) explain: Option<bool>,
}

impl Options {
    fn wishes(&self) -> Wishes {
        Wishes {
            top_k: self.top_k,
            mode: self.mode,
            fusion: self.fusion,
            min_score: self.min_score,
            rerank: self.rerank,
            mmr: self.mmr,
            expand: self.expand,
            freshness: self.freshness.clone(),
            max_tokens: self.max_tokens,
        }
    }
}

fn invalid(param: impl Into<String>, message: impl Into<String>) -> Failure {
    Failure::new(Kind::Invalid, message).about(param)
}

/// The question that a request asks, and of whose documents. Without its own number of tokens, `tokens` are packed.
///
/// # Errors
/// The first thing that makes no sense.
pub(crate) fn question(
    app: &App,
    asked: &Asked,
    options: &Options,
    marks: Marks,
    tokens: Option<usize>,
) -> Result<(Scope, Question), Failure> {
    let scope = asked.scope(app, options.collection.as_deref())?;
    let query = match (&options.query, &options.messages) {
        (Some(query), None) => {
            checked(app, query)?;
            query.clone()
        }
        (None, Some(messages)) => query::query(messages).map_err(|none| {
            let param = match none {
                NoQuery::NoMessage(number) => format!("messages[{number}]"),
                NoQuery::NoQuestion => "messages".to_owned(),
            };
            let message = none.to_string();
            invalid(param, message.split_once(": ").map_or(message.as_str(), |(_, rest)| rest).to_owned())
        })?,
        (Some(_), Some(_)) => return Err(invalid("query", "There is one of `query` and `messages`, not both.")),
        (None, None) => return Err(invalid("query", "It is missing; or send `messages`.")),
    };
    let own = options.wishes();
    // Of what the configuration wishes for all, some has to do without; who asks for both in one breath is mistaken.
    if let Some((field, message)) = own.contradiction() {
        return Err(invalid(field, format!("It {message}.")));
    }
    let wishes = own.over(&app.settings.retrieval);
    if let Some((field, message)) = wishes.faults().into_iter().next() {
        return Err(invalid(field, format!("It {message}.")));
    }
    if options.timeout_ms == Some(0) {
        return Err(invalid("timeout_ms", "It must be above 0."));
    }
    let most = app.settings.limits.timeout;
    let timeout = options.timeout_ms.map_or(most, Duration::from_millis).min(most);
    let max_tokens = match marks {
        // Only who asks for a context gets one.
        Marks::Numbers => options.max_tokens.or(tokens),
        Marks::Delimited => wishes.max_tokens.or(tokens),
    };
    let question = Question {
        filter: filter(app, &scope.collection, options.filter.as_ref(), "filter")?,
        max_tokens,
        marks,
        explain: options.explain.unwrap_or(false),
        ..wishes.question(query, timeout)
    };
    Ok((scope, question))
}

/// Looks whether something can be looked for.
///
/// # Errors
/// It is blank, or too long.
pub(crate) fn checked(app: &App, query: &str) -> Result<(), Failure> {
    let most = app.settings.limits.max_query;
    if query.len() > most {
        let message = format!("It is longer than {most} bytes (limits.max_query).");
        return Err(Failure::new(Kind::TooLarge, message).about("query"));
    }
    if query.trim().is_empty() {
        return Err(invalid("query", "It is blank: there is nothing to look for."));
    }
    Ok(())
}
