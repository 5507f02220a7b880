//! Documents are put in, looked at, listed and removed.

use std::time::Duration;

use context_core::{
    document::{Document, Metadata},
    filter::Filter,
    scope::Scope,
};
use serde::Serialize;

use crate::{
    failure::{Failure, Kind},
    http::Call,
    pipeline::Pipeline,
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
        /// What went wrong, as a status.
        #[serde(skip)]
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

impl Pipeline {
    /// Puts documents in; each by itself, in the order in which they came. The collection is made where there is none.
    /// They are kept for `ttl`, or as the settings say.
    ///
    /// # Errors
    /// What stands in the way of all of them: the collection is of another kind, the store is down.
    pub async fn put(
        &self,
        scope: &Scope,
        documents: Vec<Result<Document, ItemFailure>>,
        ttl: Option<Duration>,
        call: &Call,
    ) -> Result<Vec<ItemOutcome>, Failure> {
        let _ = (scope, documents, ttl, call, Metadata::new());
        Err(Failure::new(Kind::Internal, "not built yet"))
    }

    /// A document.
    ///
    /// # Errors
    /// There is none of this id, and what may be wrong with a store.
    pub async fn get(&self, scope: &Scope, id: &str, call: &Call) -> Result<Stored, Failure> {
        let _ = (scope, id, call);
        Err(Failure::new(Kind::Internal, "not built yet"))
    }

    /// Documents after `after`, at most `limit` (and at most 1,000).
    ///
    /// # Errors
    /// There is no such collection, and what may be wrong with a store.
    pub async fn list(
        &self,
        scope: &Scope,
        filter: Option<&Filter>,
        after: Option<&str>,
        limit: usize,
        call: &Call,
    ) -> Result<Page, Failure> {
        let _ = (scope, filter, after, limit, call);
        Err(Failure::new(Kind::Internal, "not built yet"))
    }

    /// Removes documents, from what is remembered for outages too, and says how many chunks that were.
    ///
    /// # Errors
    /// There is no such collection, and what may be wrong with a store.
    pub async fn delete(&self, scope: &Scope, target: &Target, call: &Call) -> Result<u64, Failure> {
        let _ = (scope, target, call);
        Err(Failure::new(Kind::Internal, "not built yet"))
    }

    /// Removes what has expired by `now` (seconds since 1970) from the collections that this process has used, and from
    /// that of the conversations. To be called every minute or so; it never fails louder than in the log.
    pub async fn sweep(&self, now: u64, call: &Call) {
        let _ = (now, call);
    }
}
