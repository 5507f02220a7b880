//! What a store holds: chunks with their vectors, under ids that say what is in them.

use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::document::Chunk;
use crate::scope::Scope;

/// Names are made in this namespace, so that they are nobody else's.
const NAMESPACE: Uuid = Uuid::from_u128(0x6f75_7472_6967_6765_7220_636f_6e74_6578);

/// The name of a chunk: made of whose it is, which it is, and what is in it. What has one id never changes, so whatever
/// is remembered under it stays true.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PointId(Uuid);

impl PointId {
    /// The id of a chunk, whose content has this hash.
    #[must_use]
    pub fn of(scope: &Scope, document: &str, chunk: u32, hash: &str) -> Self {
        // With their lengths, so that no two lists of parts are one text.
        let parts = [scope.tenant.as_str(), scope.collection.as_str(), document, &chunk.to_string(), hash];
        let name: String = parts.iter().map(|part| format!("{}:{part}", part.len())).collect();
        Self(Uuid::new_v5(&NAMESPACE, name.as_bytes()))
    }

    /// The UUID.
    #[must_use]
    pub const fn uuid(self) -> Uuid {
        self.0
    }
}

impl From<Uuid> for PointId {
    fn from(uuid: Uuid) -> Self {
        Self(uuid)
    }
}

impl fmt::Display for PointId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A sparse vector: indices that rise, and their values.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Sparse {
    /// Which.
    pub indices: Vec<u32>,
    /// How much of each.
    pub values: Vec<f32>,
}

/// Which version of its document a chunk was last written for, and how many chunks that has.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Version {
    /// Of all chunks of it, in hex.
    #[serde(rename = "version")]
    pub hash: String,
    /// How many these are.
    #[serde(rename = "of")]
    pub chunks: u32,
}

/// A chunk as a store holds it.
#[derive(Clone, PartialEq)]
pub struct Point {
    /// Its name.
    pub id: PointId,
    /// What is in it.
    pub chunk: Chunk,
    /// The hash of all that is in the chunk, in hex.
    pub hash: String,
    /// Of which version of the document.
    pub version: Version,
    /// When it was written, in seconds since 1970.
    pub written: u64,
    /// When it is to be gone, in seconds since 1970.
    pub expires: Option<u64>,
    /// What it means, where there is an embedder.
    pub dense: Option<Vec<f32>>,
    /// Its words.
    pub lexical: Sparse,
}

/// The words of a text can be guessed from it.
impl fmt::Debug for Sparse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sparse").field("words", &self.indices.len()).finish_non_exhaustive()
    }
}

impl fmt::Debug for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut point = f.debug_struct("Point");
        point.field("id", &self.id).field("chunk", &self.chunk).field("hash", &self.hash);
        point.field("written", &self.written).field("expires", &self.expires);
        point.field("dimensions", &self.dense.as_ref().map(Vec::len)).finish_non_exhaustive()
    }
}

/// A point that was found by one leg of a search, and what that leg makes of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hit {
    /// Which.
    pub id: PointId,
    /// Cosine similarity of the dense leg, BM25 of the lexical one.
    pub score: f32,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(tenant: &str, collection: &str) -> Scope {
        Scope { tenant: tenant.parse().unwrap(), collection: collection.parse().unwrap() }
    }

    #[test]
    fn whatever_differs_the_name_differs() {
        let one = PointId::of(&scope("a", "b"), "c", 1, "d");
        assert_eq!(one, PointId::of(&scope("a", "b"), "c", 1, "d"));
        for other in [
            PointId::of(&scope("x", "b"), "c", 1, "d"),
            PointId::of(&scope("a", "x"), "c", 1, "d"),
            PointId::of(&scope("a", "b"), "x", 1, "d"),
            PointId::of(&scope("a", "b"), "c", 2, "d"),
            PointId::of(&scope("a", "b"), "c", 1, "x"),
            PointId::of(&scope("a", "b"), "c1", 1, "d"),
        ] {
            assert_ne!(one, other);
        }
    }
}
