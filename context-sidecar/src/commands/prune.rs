//! Which documents of a prefix are no longer in the directory, and away with them.

use std::{
    collections::HashSet,
    hash::{BuildHasher as _, RandomState},
};

use chassis::exit::Code;
use http::Method;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::{Stopped, ingest::PATIENCE, service::Service, shown::Shown};

/// Documents of a page of a list.
const PAGE: usize = 1_000;

/// Documents that are removed by one request.
const AT_ONCE: usize = 500;

/// Ids, a few bytes for each. Where two are taken for one, something stays: never is anything removed for it.
#[derive(Debug, Default)]
pub(super) struct Ids {
    state: RandomState,
    seen: HashSet<u64>,
}

impl Ids {
    /// Whether it is a new one.
    pub(super) fn add(&mut self, id: &str) -> bool {
        self.seen.insert(self.state.hash_one(id))
    }

    fn has(&self, id: &str) -> bool {
        self.seen.contains(&self.state.hash_one(id))
    }
}

/// The documents below `prefix` that are none of `kept`. What is not below it is nobody's to remove.
pub(super) async fn gone(
    service: &Service,
    collection: Option<&str>,
    prefix: &str,
    kept: &Ids,
    shown: &Shown,
) -> Result<Vec<String>, Stopped> {
    let below = format!("{prefix}/");
    let (mut gone, mut after) = (Vec::new(), prefix.to_owned());
    loop {
        let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let mut path = format!("/v1/documents?limit={PAGE}&after={}", encoded(&after));
        if let Some(collection) = collection {
            path.push_str(&format!("&collection={}", encoded(collection)));
        }
        let page = match service.ask(Method::GET, &path, &Value::Null, PATIENCE, shown).await {
            // There is no collection: there is nothing to remove in it.
            Err(Stopped { code: Code::Data, .. }) if gone.is_empty() => return Ok(gone),
            page => page?,
        };
        let ids = page.get("documents").and_then(Value::as_array).into_iter().flatten();
        for id in ids.filter_map(|document| document.get("id")?.as_str()) {
            if id.starts_with(&below) && !kept.has(id) {
                gone.push(id.to_owned());
            }
        }
        // They are in the order of their ids.
        match page.get("next").and_then(Value::as_str) {
            Some(next) if next.starts_with(&below) || next < below.as_str() => next.clone_into(&mut after),
            _ => return Ok(gone),
        }
    }
}

/// Removes documents.
pub(super) async fn remove(
    service: &Service,
    collection: Option<&str>,
    ids: &[String],
    shown: &Shown,
) -> Result<(), Stopped> {
    for ids in ids.chunks(AT_ONCE) {
        let mut body = json!({"ids": ids});
        if let (Some(collection), Value::Object(fields)) = (collection, &mut body) {
            fields.insert("collection".to_owned(), collection.into());
        }
        service.ask(Method::DELETE, "/v1/documents", &body, PATIENCE, shown).await?;
    }
    Ok(())
}
