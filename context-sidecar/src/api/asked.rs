//! A request whose owner is known, on its way to what answers it.

use std::{borrow::Cow, time::Duration, time::Instant};

use bytes::Bytes;
use context_core::{
    filter::Filter,
    scope::{Collection, Scope, Tenant},
};
use http::request::Parts;
use serde::de::DeserializeOwned;

use super::{App, json, route::Route};
use crate::{
    failure::{Failure, Kind},
    http::Call,
};

/// A request. There is none without a tenant.
#[derive(Debug)]
pub(crate) struct Asked {
    /// Whose.
    pub(crate) tenant: Tenant,
    /// Its first line and its headers.
    pub(crate) parts: Parts,
    /// Its body.
    pub(crate) body: Bytes,
    /// What stands in the path where the route has a name.
    pub(crate) id: Option<String>,
    /// What stands behind the `?`, checked: each once, and only what the route has.
    pub(crate) query: Vec<(String, String)>,
    /// When all of it was there.
    pub(crate) started: Instant,
}

impl Asked {
    /// The body as a value.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        json::read(&self.body)
    }

    /// The id in the path.
    pub(crate) fn id(&self) -> &str {
        self.id.as_deref().unwrap_or_default()
    }

    /// What is said behind the `?`.
    pub(crate) fn said(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str())
    }

    /// A number behind the `?`, within bounds.
    pub(crate) fn number(&self, name: &str, least: usize, most: usize) -> Result<Option<usize>, Failure> {
        let Some(text) = self.said(name) else { return Ok(None) };
        match text.parse() {
            Ok(number) if (least..=most).contains(&number) => Ok(Some(number)),
            _ => {
                Err(Failure::new(Kind::Invalid, format!("It must be a whole number from {least} to {most}."))
                    .about(name))
            }
        }
    }

    /// Its scope, in the collection that it names, or else in the one that all are in.
    pub(crate) fn scope(&self, app: &App, collection: Option<&str>) -> Result<Scope, Failure> {
        scope(app, self.tenant.clone(), collection, "collection")
    }

    /// On whose behalf what follows is done, and until when.
    pub(crate) fn call(&self, within: Duration) -> Call {
        Call { deadline: self.started + within, request_id: self.parts.headers.get(chassis::http::REQUEST_ID).cloned() }
    }
}

/// A tenant's part of a collection; `param` is where its name is.
pub(crate) fn scope(app: &App, tenant: Tenant, collection: Option<&str>, param: &str) -> Result<Scope, Failure> {
    let collection = match collection {
        None => app.settings.collection.clone(),
        Some(name) => name
            .parse::<Collection>()
            .map_err(|error| Failure::new(Kind::Invalid, format!("The collection's name {error}.")).about(param))?,
    };
    Ok(Scope { tenant, collection })
}

/// What a filter looks like: the sentence may be all that somebody sees of an error.
const EXAMPLE: &str = r#"{"type": "eq", "key": "lang", "value": "en"}"#;

/// A filter, by metadata that the collection has. `param` is where it is.
pub(crate) fn filter(
    app: &App,
    collection: &Collection,
    value: Option<&serde_json::Value>,
    param: &str,
) -> Result<Option<Filter>, Failure> {
    let Some(value) = value else { return Ok(None) };
    let filter = Filter::parse(value).map_err(|bad| {
        let rest = bad.place.strip_prefix("filter").unwrap_or(&bad.place);
        let message = format!("It is no filter: {}. One is {EXAMPLE}", bad.message);
        Failure::new(Kind::Invalid, message).about(format!("{param}{rest}"))
    })?;
    if let Some(fields) = app.settings.fields(collection)
        && let Some(unknown) = filter.keys().into_iter().find(|key| !fields.contains_key(*key))
    {
        let known: Vec<&str> = fields.keys().map(String::as_str).collect();
        let message = format!(
            "The collection `{collection}` is not filtered by `{}`; its fields are: {}.",
            chassis::excerpt::excerpt(unknown),
            known.join(", ")
        );
        return Err(Failure::new(Kind::Invalid, message).about(param));
    }
    Ok(Some(filter))
}

/// What stands behind the `?`, each once, and nothing that the route does not have.
pub(super) fn query(route: &Route, text: Option<&str>) -> Result<Vec<(String, String)>, Failure> {
    let mut pairs: Vec<(String, String)> = Vec::new();
    for (name, value) in form_urlencoded::parse(text.unwrap_or_default().as_bytes()) {
        let name: Cow<'_, str> = name;
        if !route.query.iter().any(|known| known.name == name) {
            let known: Vec<&str> = route.query.iter().map(|known| known.name).collect();
            let known = if known.is_empty() {
                "there are none here".to_owned()
            } else {
                format!("known is {}", known.join(", "))
            };
            let failure = Failure::new(Kind::Invalid, format!("There is no such parameter in the URL; {known}."));
            return Err(failure.about(chassis::excerpt::excerpt(&name)));
        }
        if pairs.iter().any(|(other, _)| *other == name) {
            return Err(Failure::new(Kind::Invalid, "It is in the URL twice.").about(name));
        }
        pairs.push((name.into_owned(), value.into_owned()));
    }
    Ok(pairs)
}
