//! Documents are put in, looked at, listed and removed.

mod kept;
mod land;
mod locks;
mod plan;
mod valid;
mod vectors;
mod versions;

use std::time::Duration;

use chassis::clock;
use context_core::{document::Document, filter::Filter, scope::Scope};
use serde::Serialize;

pub(crate) use kept::stored;
use land::Job;
pub(crate) use locks::Locks;
pub(crate) use vectors::Vectors;
pub(crate) use versions::current;

use crate::{
    failure::{Failure, Kind},
    http::Call,
    pipeline::{Pipeline, users},
};

/// What was to be a document and is none: a file that cannot be read, a line that is no JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ItemFailure {
    /// Its id, as far as that is known.
    pub id: Option<String>,
    /// What is wrong with it.
    pub message: String,
}

/// What became of one of the documents, in the order in which they came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ItemOutcome {
    /// Which; as far as that is known.
    pub id: Option<String>,
    /// What became of it.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// What became of a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "status", rename_all = "lowercase")]
pub enum Outcome {
    /// It was not there.
    Created {
        /// How many it has.
        chunks: usize,
    },
    /// It was there, just so.
    Unchanged {
        /// How many it has.
        chunks: usize,
    },
    /// It was there, and was another one.
    Replaced {
        /// How many it has.
        chunks: usize,
    },
    /// It is not there, or as it was before.
    Failed {
        /// What went wrong, as the type of an error.
        #[serde(rename = "type")]
        kind: Kind,
        /// What, and what to do.
        message: String,
    },
}

/// A document as it is kept.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Stored {
    /// With its text put together again.
    #[serde(flatten)]
    pub document: Document,
    /// How many chunks it has.
    pub chunks: usize,
    /// When it was written, in seconds since 1970.
    pub written: u64,
    /// When it is to be gone, in seconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires: Option<u64>,
}

/// Some documents, in the order of their ids.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Page {
    /// Which.
    pub documents: Vec<Listed>,
    /// What to give as `after` for the next ones; `None` where there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A document of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Listed {
    /// Which.
    pub id: String,
    /// How many chunks it has.
    pub chunks: u32,
}

/// A collection, as far as it is a tenant's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OfTenant {
    /// Its name.
    pub name: String,
    /// How many chunks the tenant has in it.
    pub chunks: u64,
    /// Of which model its vectors are; `None` where it has words only.
    pub model: Option<String>,
}

/// What to remove.
#[derive(Debug, Clone, PartialEq)]
pub enum Target {
    /// These documents.
    Documents(Vec<String>),
    /// All documents that this holds for.
    Where(Filter),
    /// All documents of the scope.
    All,
}

/// Bytes of text that are put in together.
const GROUP_BYTES: usize = 2 << 20;

/// Documents that are put in together.
const GROUP: usize = 256;

impl Pipeline {
    /// Puts documents in; each by itself, in the order in which they came. The collection is made where there is none.
    /// They are kept for `ttl`, or as the settings say.
    ///
    /// # Errors
    /// What stands in the way of all of them: there are too many, the collection is of another kind, it cannot be made.
    pub async fn put(
        &self,
        scope: &Scope,
        documents: Vec<Result<Document, ItemFailure>>,
        ttl: Option<Duration>,
        call: &Call,
    ) -> Result<Vec<ItemOutcome>, Failure> {
        users(scope)?;
        let (many, most) = (documents.len(), self.settings.documents);
        if many > most {
            let why = format!("are {many}, and {most} can be put in at once: send them in several requests");
            return Err(Failure::new(Kind::TooLarge, why).about("documents"));
        }
        let documents =
            valid::checked(documents, self.settings.document_bytes, self.settings.fields.get(&scope.collection));
        let first = documents.iter().find_map(|document| document.as_ref().ok());
        self.ready(&scope.collection, first, call).await?;
        let vectors = if self.embedder.is_some() { Vectors::Must } else { Vectors::None };
        let ttl = ttl.or(self.settings.document_ttl);
        Ok(self.put_in(scope, documents, vectors, ttl, call).await)
    }

    /// Puts documents in that are fine, into a collection that is there.
    pub(crate) async fn put_in(
        &self,
        scope: &Scope,
        documents: Vec<Result<Document, ItemFailure>>,
        vectors: Vectors,
        ttl: Option<Duration>,
        call: &Call,
    ) -> Vec<ItemOutcome> {
        let written = clock::unix().as_secs();
        let job =
            Job { scope, vectors, written, expires: ttl.map(|ttl| written.saturating_add(ttl.as_secs().max(1))), call };
        let mut outcomes: Vec<ItemOutcome> = Vec::with_capacity(documents.len());
        let mut fine = Vec::new();
        for (index, document) in documents.into_iter().enumerate() {
            let (id, message) = match document {
                Ok(document) => {
                    let id = document.id.clone();
                    fine.push((index, document));
                    // It is told below what became of it.
                    (Some(id), String::new())
                }
                Err(ItemFailure { id, message }) => (id, message),
            };
            outcomes.push(ItemOutcome { id, outcome: Outcome::Failed { kind: Kind::Invalid, message } });
        }
        let mut fine = fine.into_iter().peekable();
        while fine.peek().is_some() {
            let (mut group, mut bytes) = (Vec::new(), 0);
            while let Some((_, document)) = fine.peek() {
                bytes += document.text.len();
                if !group.is_empty() && (bytes > GROUP_BYTES || group.len() == GROUP) {
                    break;
                }
                group.extend(fine.next());
            }
            for (index, became) in self.land(&job, group).await {
                outcomes.get_mut(index).into_iter().for_each(|item| item.outcome = became.clone());
            }
        }
        for item in &outcomes {
            self.series.document(match &item.outcome {
                Outcome::Created { .. } => "created",
                Outcome::Unchanged { .. } => "unchanged",
                Outcome::Replaced { .. } => "replaced",
                Outcome::Failed { .. } => "failed",
            });
        }
        outcomes
    }
}
