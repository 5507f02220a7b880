//! `/v1/documents`: put in, looked at, listed, removed.

pub(super) mod upload;

use std::{borrow::Cow, str, sync::Arc, time::Duration};

use context_core::{document::Document, filter::Filter};
use http::{Method, Response};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, value::RawValue};

use super::{App, Asked, Route, filter, json, render, route::Parameter, shapes};
use crate::{
    body::Body,
    failure::{Failure, Kind},
    ingest::{ItemFailure, ItemOutcome, Outcome, Target},
};

/// How many documents a page has at most.
const PAGE: usize = 1_000;

const COLLECTION: Parameter = Parameter::text("collection", "In which collection. Default: that of the configuration.");

pub(super) const ROUTES: &[Route] = &[
    Route {
        method: Method::PUT,
        path: "/v1/documents",
        name: "put_documents",
        about: "Puts documents, or a file, in, each by itself: created, unchanged, replaced or failed. Makes the collection.",
        open: false,
        writes: true,
        query: upload::QUERY,
        takes: Some(|generator| generator.subschema_for::<Put>()),
        gives: Some(|generator| generator.subschema_for::<shapes::PutAnswer>()),
        answer: |app, asked| Box::pin(put(app, asked)),
    },
    Route {
        method: Method::GET,
        path: "/v1/documents",
        name: "list_documents",
        about: "Documents in the order of their ids.",
        open: false,
        writes: false,
        query: &[
            COLLECTION,
            Parameter::text("after", "What `next` said of the page before."),
            Parameter::up_to(1000, "limit", "How many, from 1 to 1000. Default: 100."),
            Parameter::text("filter", "Which, as JSON."),
        ],
        takes: None,
        gives: Some(|generator| generator.subschema_for::<shapes::Page>()),
        answer: |app, asked| Box::pin(list(app, asked)),
    },
    Route {
        method: Method::GET,
        path: "/v1/documents/{id}",
        name: "get_document",
        about: "A document, with its text put together again.",
        open: false,
        writes: false,
        query: &[COLLECTION],
        takes: None,
        gives: Some(|generator| generator.subschema_for::<shapes::Stored>()),
        answer: |app, asked| Box::pin(get(app, asked)),
    },
    Route {
        method: Method::DELETE,
        path: "/v1/documents",
        name: "delete_documents",
        about: "Removes documents by id, by filter, or all of them: exactly one of the three.",
        open: false,
        writes: true,
        query: &[],
        takes: Some(|generator| generator.subschema_for::<Delete>()),
        gives: Some(|generator| generator.subschema_for::<Deleted>()),
        answer: |app, asked| Box::pin(delete(app, asked)),
    },
    Route {
        method: Method::DELETE,
        path: "/v1/documents/{id}",
        name: "delete_document",
        about: "Removes a document.",
        open: false,
        writes: true,
        query: &[COLLECTION],
        takes: None,
        gives: Some(|generator| generator.subschema_for::<Deleted>()),
        answer: |app, asked| Box::pin(delete_one(app, asked)),
    },
];

/// Documents to put in.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Put {
    /// Into which collection. Default: that of the configuration.
    #[serde(default)]
    collection: Option<String>,
    /// Each is taken or refused by itself.
    #[schemars(with = "Vec<shapes::NewDocument>")]
    documents: Vec<Box<RawValue>>,
    /// They are gone after so many seconds. Default: they stay.
    #[serde(default)]
    ttl_seconds: Option<u64>,
}

/// A document, and nothing else.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Given {
    id: String,
    #[serde(default)]
    title: Option<String>,
    text: String,
    #[serde(default)]
    url: Option<String>,
    #[serde(default)]
    metadata: Option<serde_json::Map<String, Value>>,
}

/// What became of the documents.
#[derive(Debug, Default, Serialize)]
struct Put200 {
    results: Vec<ItemOutcome>,
    created: usize,
    unchanged: usize,
    replaced: usize,
    failed: usize,
}

/// Which documents to remove.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[derive(Default)]
struct Delete {
    /// From which collection. Default: that of the configuration.
    collection: Option<String>,
    /// These.
    ids: Option<Vec<String>>,
    /// Those that this holds for.
    filter: Option<Value>,
    /// All that this tenant has in the collection.
    all: Option<bool>,
}

/// What was removed.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
struct Deleted {
    /// How many chunks that were.
    deleted_chunks: u64,
}

/// In seconds. What is kept longer is kept.
const LONGEST_TTL: u64 = 100 * 365 * 24 * 60 * 60;

/// A body that can be read as JSON: what is no UTF-8 is in one of the documents, and the others are none the worse for it.
/// Where something had to be replaced, by what: a character that is nowhere else in it.
fn readable(body: &[u8]) -> (Cow<'_, [u8]>, Option<char>) {
    if str::from_utf8(body).is_ok() {
        return (Cow::Borrowed(body), None);
    }
    // None of these is ever a character of a text.
    let (mut marks, text) = ('\u{fdd0}'..='\u{fdef}', String::from_utf8_lossy(body));
    let Some(mark) = marks.find(|mark| !text.contains(*mark)) else { return (Cow::Borrowed(body), None) };
    let mut whole = String::with_capacity(body.len());
    for chunk in body.utf8_chunks() {
        whole.push_str(chunk.valid());
        if !chunk.invalid().is_empty() {
            whole.push(mark);
        }
    }
    (Cow::Owned(whole.into_bytes()), Some(mark))
}

/// A document; `mark` stands in it for what is no UTF-8.
fn read(raw: &RawValue, mark: Option<char>) -> Result<Document, ItemFailure> {
    /// As much as is needed to say which it is.
    #[derive(Deserialize)]
    struct Named {
        id: String,
    }
    if let Some(mark) = mark.filter(|mark| raw.get().contains(*mark)) {
        let named = serde_json::from_str::<Named>(raw.get()).ok().map(|named| named.id);
        let message = "It has bytes in it that are no UTF-8: convert it, or leave them out.".to_owned();
        return Err(ItemFailure { id: named.filter(|id| !id.contains(mark)), message });
    }
    let Given { id, title, text, url, metadata } = json::read(raw.get().as_bytes()).map_err(|failure| ItemFailure {
        id: serde_json::from_str::<Named>(raw.get()).ok().map(|named| named.id),
        message: failure.to_string(),
    })?;
    Ok(Document { id, title, text, url, metadata: metadata.unwrap_or_default() })
}

async fn put(app: Arc<App>, asked: Asked) -> Result<Response<Body>, Failure> {
    let (scope, documents, ttl) = if let Some(file) = upload::given(&app, &asked).await? {
        (asked.scope(&app, asked.said("collection"))?, file.documents, file.ttl_seconds)
    } else {
        let (body, mark) = readable(&asked.body);
        let given: Put = json::read(&body)?;
        let scope = asked.scope(&app, given.collection.as_deref())?;
        (scope, given.documents.iter().map(|raw| read(raw, mark)).collect(), given.ttl_seconds)
    };
    if ttl == Some(0) {
        return Err(Failure::new(Kind::Invalid, "It must be above 0.").about("ttl_seconds"));
    }
    if ttl.is_some_and(|ttl| ttl > LONGEST_TTL) {
        let message = format!("It must be at most {LONGEST_TTL}, a hundred years; leave it out to keep them.");
        return Err(Failure::new(Kind::Invalid, message).about("ttl_seconds"));
    }
    let (ttl, call) = (ttl.map(Duration::from_secs), asked.call(app.ingest_within()));
    let results = app.pipeline.put(&scope, documents, ttl, &call).await?;
    let mut answer = Put200 { results, ..Put200::default() };
    for result in &answer.results {
        match result.outcome {
            Outcome::Created { .. } => answer.created += 1,
            Outcome::Unchanged { .. } => answer.unchanged += 1,
            Outcome::Replaced { .. } => answer.replaced += 1,
            Outcome::Failed { .. } => answer.failed += 1,
        }
    }
    render::json(&answer)
}

async fn list(app: Arc<App>, asked: Asked) -> Result<Response<Body>, Failure> {
    let scope = asked.scope(&app, asked.said("collection"))?;
    let limit = asked.number("limit", 1, PAGE)?.unwrap_or(100);
    let given: Option<Value> = match asked.said("filter") {
        None => None,
        Some(text) => Some(json::read(text.as_bytes()).map_err(|failure| failure.about("filter"))?),
    };
    let filter = filter(&app, &scope.collection, given.as_ref(), "filter")?;
    let call = asked.call(app.settings.limits.timeout);
    render::json(&app.pipeline.list(&scope, filter.as_ref(), asked.said("after"), limit, &call).await?)
}

async fn get(app: Arc<App>, asked: Asked) -> Result<Response<Body>, Failure> {
    let scope = asked.scope(&app, asked.said("collection"))?;
    let call = asked.call(app.settings.limits.timeout);
    render::json(&app.pipeline.get(&scope, asked.id(), &call).await?)
}

async fn delete(app: Arc<App>, asked: Asked) -> Result<Response<Body>, Failure> {
    let given: Delete = asked.json()?;
    let scope = asked.scope(&app, given.collection.as_deref())?;
    let filter: Option<Filter> = filter(&app, &scope.collection, given.filter.as_ref(), "filter")?;
    let target = match (given.ids, filter, given.all) {
        (Some(ids), None, None | Some(false)) if ids.len() > PAGE => {
            return Err(Failure::new(Kind::Invalid, format!("There may be {PAGE} at once.")).about("ids"));
        }
        (Some(ids), None, None | Some(false)) => Target::Documents(ids),
        (None, Some(filter), None | Some(false)) => Target::Where(filter),
        (None, None, Some(true)) => Target::All,
        _ => {
            let message = "There must be exactly one of `ids`, `filter` and `\"all\": true`.";
            return Err(Failure::new(Kind::Invalid, message).about("ids"));
        }
    };
    remove(&app, &asked, &scope, &target).await
}

async fn delete_one(app: Arc<App>, asked: Asked) -> Result<Response<Body>, Failure> {
    let scope = asked.scope(&app, asked.said("collection"))?;
    remove(&app, &asked, &scope, &Target::Documents(vec![asked.id().to_owned()])).await
}

async fn remove(
    app: &App,
    asked: &Asked,
    scope: &context_core::scope::Scope,
    target: &Target,
) -> Result<Response<Body>, Failure> {
    let call = asked.call(app.ingest_within());
    render::json(&Deleted { deleted_chunks: app.pipeline.delete(scope, target, &call).await? })
}
