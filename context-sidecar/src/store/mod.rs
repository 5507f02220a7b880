//! Where chunks are kept and found. Each kind of store is one file (or folder) here behind [`Store`]; one conformance
//! suite holds for all of them.
//!
//! Whatever is asked, is asked for a [`Scope`]: there is no way to name a store's content without saying whose it is. And
//! whatever is read, is read at a time (`now`, in seconds since 1970): what has expired by then is not there, whether it has
//! been removed yet or not.

mod valid;

pub mod embedded;
pub mod qdrant;

use async_trait::async_trait;
use context_core::{
    filter::Filter,
    point::{Hit, Point, PointId, Sparse},
    scope::{Collection, Scope, Tenant},
};

/// Something that keeps chunks.
#[async_trait]
pub trait Store: std::fmt::Debug + Send + Sync {
    /// What it is, fit for a log: `qdrant http://qdrant:6333`, `embedded /data`.
    fn describe(&self) -> String;

    /// Whether other processes may write to it.
    fn is_shared(&self) -> bool {
        true
    }

    /// What is known of a collection; `None` where there is none.
    async fn collection(&self, name: &Collection) -> Result<Option<Kind>, Fault>;

    /// The names of all collections there are, in order; of those of others, too, where it is shared with other programs.
    async fn collections(&self) -> Result<Vec<Collection>, Fault>;

    /// Makes a collection, with its indexes. Where there is one already of the same kind, that is fine: two may make it
    /// at once.
    async fn create(&self, name: &Collection, kind: &Kind) -> Result<(), Fault>;

    /// The best of each leg, best first, ties by id. Both legs are one question to the store.
    async fn search(&self, scope: &Scope, legs: &Legs, filter: Option<&Filter>, now: u64) -> Result<Found, Fault>;

    /// Points by their ids, in any order; those that are gone, or of another scope, are left out. With their dense
    /// vectors where `vectors` is set (of length 1, as they are kept); never with their words.
    async fn get(&self, scope: &Scope, ids: &[PointId], vectors: bool, now: u64) -> Result<Vec<Point>, Fault>;

    /// The chunks of these documents, sorted by document and chunk, without vectors.
    async fn chunks(&self, scope: &Scope, documents: &[String], now: u64) -> Result<Vec<Point>, Fault>;

    /// Some documents of the scope, by their ids, in order, after `after`; at most `limit`. For each its id and how many
    /// chunks it has.
    async fn documents(
        &self,
        scope: &Scope,
        filter: Option<&Filter>,
        after: Option<&str>,
        limit: usize,
        now: u64,
    ) -> Result<Vec<(String, u32)>, Fault>;

    /// How many chunks a scope has.
    async fn count(&self, scope: &Scope, now: u64) -> Result<u64, Fault>;

    /// Whether any chunk of the scope has metadata of this key that is not empty.
    async fn has_key(&self, scope: &Scope, key: &str, now: u64) -> Result<bool, Fault>;

    /// Keys of metadata that chunks of the scope have, in order: of all of them or, where that is too much to look at, of
    /// some hundred.
    async fn keys(&self, scope: &Scope, now: u64) -> Result<Vec<String>, Fault>;

    /// Writes points: all of them, durably, before it returns. What has the same id is replaced.
    async fn put(&self, scope: &Scope, points: &[Point]) -> Result<(), Fault>;

    /// Removes points, and says of how many it knows that they were there.
    async fn delete(&self, scope: &Scope, which: &Which) -> Result<u64, Fault>;

    /// Gives those of the scope's chunks for which `filter` holds another time to be gone.
    async fn prolong(&self, scope: &Scope, filter: &Filter, expires: u64) -> Result<(), Fault>;

    /// Removes, in every scope of a collection, what is to be gone by `now`, and says of whom something was.
    async fn expire(&self, collection: &Collection, now: u64) -> Result<Vec<Tenant>, Fault>;

    /// Whether it answers at all. Cheap.
    async fn ping(&self) -> Result<(), Fault>;
}

/// What a collection is for: all that is in it has this in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kind {
    /// The model of the dense vectors and how many numbers they have; `None` for a collection of words only.
    pub dense: Option<(String, usize)>,
}

impl Kind {
    /// How many numbers its vectors have; 0 where there are none.
    fn dimension(&self) -> usize {
        self.dense.as_ref().map_or(0, |(_, dimension)| *dimension)
    }

    /// Whether what is `due` of the collection can be done with one of this kind.
    pub(crate) fn same_as(&self, due: &Self, name: &Collection) -> Result<(), Fault> {
        let told = |kind: &Self| match &kind.dense {
            Some((model, dimension)) => format!("vectors of `{model}` with {dimension} numbers"),
            None => "words only, without vectors".to_owned(),
        };
        if self == due {
            return Ok(());
        }
        let (there, wanted) = (told(self), told(due));
        Err(Fault::Mismatch(format!(
            "the collection `{name}` is for {there}, and now it is to be for {wanted}: set EMBEDDINGS_MODEL back to what it \
             was, or ingest into a new collection"
        )))
    }
}

/// What is looked for; at least one leg.
#[derive(Debug, Clone, PartialEq)]
pub struct Legs {
    /// By meaning: a vector of length 1, and how many.
    pub dense: Option<(Vec<f32>, usize)>,
    /// By words: which, and how many. The weight of a word is made by the store, from how many of the scope's chunks have
    /// it, by Qdrant's formula: `ln(1 + (N - n + 0.5) / (n + 0.5))`.
    pub lexical: Option<(Sparse, usize)>,
}

/// What was found, by the legs that were asked for.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Found {
    /// By meaning.
    pub dense: Option<Vec<Hit>>,
    /// By words.
    pub lexical: Option<Vec<Hit>>,
}

/// Which points to remove.
#[derive(Debug, Clone, PartialEq)]
pub enum Which {
    /// These.
    Points(Vec<PointId>),
    /// All of these documents.
    Documents(Vec<String>),
    /// All of documents that this holds for.
    Where(Filter),
    /// All of the scope.
    All,
}

/// Why a store did not do it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// There is no such collection.
    #[error("there is no collection `{0}`")]
    NoCollection(Collection),
    /// It is not of the kind that is due. The sentence says which, and what to do.
    #[error("{0}")]
    Mismatch(String),
    /// It cannot be reached, is too slow, or failed: the same may work later.
    #[error("{0}")]
    Unavailable(String),
    /// It refuses: a key that is wrong, a limit. The sentence says what to do.
    #[error("{0}")]
    Refused(String),
    /// It is full, or would be: the sentence says what the limit is.
    #[error("{0}")]
    Full(String),
    /// What it holds is not what it should be.
    #[error("{0}")]
    Corrupt(String),
}
