//! What collections are for, so that a model is not compared with the vectors of another one.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use chassis::clock;
use context_core::{
    chunk::{Size, chunks, indexed},
    document::{Chunk, Document},
    scope::{Collection, Scope},
    tokens::O200k,
};

use super::Pipeline;
use crate::{
    embed::{Embedder, Purpose},
    failure::{Failure, Kind as Why},
    http::{Call, Trouble},
    store::Kind,
};

/// Somebody else may drop a collection and make another one of the same name.
const TTL: Duration = Duration::from_secs(60);

/// More than any first chunk has, mostly; in bytes.
const BEGINNING: usize = 64 << 10;

/// So many are known at a time.
const MOST: usize = 10_000;

/// The reserved names; see [`reserved`].
const PREFIX: &str = "context-sidecar.";

/// What is known of collections.
#[derive(Debug, Default)]
pub(crate) struct Kinds(Mutex<HashMap<Collection, (Kind, Instant)>>);

impl Kinds {
    fn get(&self, name: &Collection, now: Instant) -> Option<Kind> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (kind, at) = known.get(name)?;
        (now.saturating_duration_since(*at) < TTL).then(|| kind.clone())
    }

    pub(crate) fn put(&self, name: &Collection, kind: Kind, now: Instant) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(name.clone(), (kind, now));
    }

    /// Whether it was known.
    pub(crate) fn forget(&self, name: &Collection) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(name).is_some()
    }

    /// They are still there to be swept, but have to be looked up again.
    pub(crate) fn forget_all(&self) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let long_ago = clock::now().checked_sub(TTL);
        match long_ago {
            Some(long_ago) => known.values_mut().for_each(|(_, at)| *at = long_ago),
            None => known.clear(),
        }
    }

    pub(crate) fn names(&self) -> Vec<Collection> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect()
    }
}

/// A collection of our own, which no user can name.
pub(crate) fn reserved(name: &str) -> Option<Collection> {
    format!("{PREFIX}{name}").parse().ok()
}

fn reserved_name(name: &Collection) -> bool {
    name.as_str().to_ascii_lowercase().starts_with(PREFIX)
}

/// Refuses the names of our own collections: whatever comes from outside goes through here.
///
/// # Errors
/// It is one.
pub(crate) fn users(scope: &Scope) -> Result<(), Failure> {
    if reserved_name(&scope.collection) {
        let why = format!("names that begin with `{PREFIX}` are reserved: choose another one");
        return Err(Failure::new(Why::Forbidden, why).about("collection"));
    }
    Ok(())
}

impl Pipeline {
    /// What a collection is for.
    pub(crate) async fn kind(&self, name: &Collection, call: &Call) -> Result<Kind, Failure> {
        match self.look(name, call).await? {
            Some(kind) => Ok(kind),
            None => {
                let why = format!("there is no collection `{name}`: put documents into it first, or check its name");
                Err(Failure::new(Why::NotFound, why).about("collection"))
            }
        }
    }

    /// What a collection is for; `None` where there is none.
    pub(crate) async fn look(&self, name: &Collection, call: &Call) -> Result<Option<Kind>, Failure> {
        if let Some(kind) = self.kinds.get(name, clock::now()) {
            return Ok(Some(kind));
        }
        let found = self.ask("collection", call, self.store.collection(name)).await?;
        match &found {
            Some(kind) => self.kinds.put(name, kind.clone(), clock::now()),
            None => _ = self.kinds.forget(name),
        }
        Ok(found)
    }

    /// Makes a collection for what is ingested now, or checks that there is one for it.
    /// How many numbers its vectors have, is learnt from the first of what is put in: that costs nothing, since what was
    /// embedded is remembered.
    pub(crate) async fn ready(
        &self,
        name: &Collection,
        first: Option<&Document>,
        call: &Call,
    ) -> Result<Kind, Failure> {
        if let Some(there) = self.look(name, call).await? {
            fits(&there, self.embedder.as_deref(), name)?;
            return Ok(there);
        }
        let most = self.settings.collections;
        // Our own is one for all tenants.
        if !reserved_name(name) && self.ask("collections", call, self.store.collections()).await?.len() >= most {
            let why = format!(
                "there are {most} collections already, and no more can be made (limits.collections): put the documents into \
                 one that is there, or raise the limit"
            );
            return Err(Failure::new(Why::Full, why).about("collection"));
        }
        let dense = match &self.embedder {
            None => None,
            Some(embedder) => {
                let chunk = first.and_then(|first| beginning(first, self.settings.chunks));
                let dimension = match (embedder.dimension(), chunk) {
                    (None, Some(chunk)) => {
                        let text = indexed(chunk.title.as_deref(), &chunk.text);
                        let made = call.within(embedder.embed(&[&text], Purpose::Document, call)).await;
                        let late = || Trouble::Late { place: embedder.describe(), after: Duration::ZERO };
                        made.ok_or_else(late)??.first().map_or(0, Vec::len)
                    }
                    (known, _) => match known {
                        Some(known) => known,
                        None => embedder.probe(call).await?,
                    },
                };
                Some((embedder.model().to_owned(), dimension))
            }
        };
        let kind = Kind { dense };
        self.ask("create", call, self.store.create(name, &kind)).await?;
        self.kinds.put(name, kind.clone(), clock::now());
        Ok(kind)
    }
}

/// The first chunk of a document, without reading all of it.
fn beginning(document: &Document, size: Size) -> Option<Chunk> {
    let text = document.text.get(..document.text.floor_char_boundary(BEGINNING)).unwrap_or_default().to_owned();
    chunks(&Document { text, ..document.clone() }, size, &O200k).into_iter().next()
}

/// Whether vectors of this embedder are those of the collection.
///
/// # Errors
/// They are not, with what to do.
pub(crate) fn fits(there: &Kind, embedder: Option<&dyn Embedder>, name: &Collection) -> Result<(), Failure> {
    let dimension = |embedder: &dyn Embedder| {
        let known = there.dense.as_ref().map(|(_, dimension)| *dimension);
        embedder.dimension().or(known).unwrap_or_default()
    };
    let due = Kind { dense: embedder.map(|embedder| (embedder.model().to_owned(), dimension(embedder))) };
    there.same_as(&due, name).map_err(Failure::from)
}
