//! Chunks by their ids. What is under an id never changes, so nothing here grows old.

use std::{fmt, sync::Arc};

use context_core::{
    document::Chunk,
    point::{PointId, Version},
    scope::Scope,
};
use moka::sync::Cache;
use serde_json::Value;

/// What an entry costs besides its texts, in bytes.
const OVERHEAD: usize = 390;

/// Chunks, bounded in bytes.
#[derive(Clone)]
pub struct Chunks(Cache<PointId, Arc<Kept>>);

/// A chunk, and whose it is.
pub struct Kept {
    scope: Scope,
    /// The chunk.
    pub chunk: Arc<Chunk>,
    /// For which version of its document it was last written.
    pub version: Version,
}

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept").field("scope", &self.scope).field("chunk", &self.chunk).finish_non_exhaustive()
    }
}

impl Chunks {
    /// At most so many bytes of them.
    #[must_use]
    pub fn of(bytes: u64) -> Self {
        let weigh = |_: &PointId, kept: &Arc<Kept>| {
            let scope = kept.scope.tenant.as_str().len() + kept.scope.collection.as_str().len();
            u32::try_from(OVERHEAD + scope + weight(&kept.chunk)).unwrap_or(u32::MAX)
        };
        Self(Cache::builder().max_capacity(bytes).weigher(weigh).build())
    }

    /// A chunk of this scope. Whether it is still there is for the store to say: it was asked, and found the id.
    #[must_use]
    pub fn get(&self, scope: &Scope, id: PointId) -> Option<Arc<Kept>> {
        self.0.get(&id).filter(|kept| kept.scope == *scope)
    }

    /// Keeps a chunk.
    pub fn put(&self, scope: &Scope, id: PointId, chunk: Arc<Chunk>, version: Version) -> Arc<Kept> {
        let kept = Arc::new(Kept { scope: scope.clone(), chunk, version });
        self.0.insert(id, Arc::clone(&kept));
        kept
    }

    /// It was deleted.
    pub fn forget(&self, id: PointId) {
        self.0.invalidate(&id);
    }

    /// How many bytes it holds, more or less.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.0.run_pending_tasks();
        self.0.weighted_size()
    }

    /// How many it holds, more or less.
    #[must_use]
    pub fn entries(&self) -> u64 {
        self.0.entry_count()
    }
}

impl fmt::Debug for Chunks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chunks").field("bytes", &self.0.weighted_size()).finish_non_exhaustive()
    }
}

fn weight(chunk: &Chunk) -> usize {
    let optional = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    let metadata: usize = chunk.metadata.iter().map(|(key, value)| key.len() + 64 + size(value)).sum();
    chunk.document_id.len() + chunk.text.len() + optional(&chunk.title) + optional(&chunk.url) + metadata
}

fn size(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        Value::String(text) => text.len(),
        Value::Array(members) => members.iter().map(|member| 32 + size(member)).sum(),
        Value::Object(fields) => fields.iter().map(|(key, value)| key.len() + 64 + size(value)).sum(),
    }
}

#[cfg(test)]
mod tests {
    use context_core::document::{Metadata, Span};

    use super::*;

    fn chunk(text: &str) -> Arc<Chunk> {
        Arc::new(Chunk {
            document_id: "d".to_owned(),
            chunk: 0,
            text: text.to_owned(),
            span: Span { start: 0, end: text.len() },
            title: None,
            url: None,
            metadata: Metadata::new(),
        })
    }

    fn scope(tenant: &str) -> Scope {
        Scope { tenant: tenant.parse().unwrap(), collection: "docs".parse().unwrap() }
    }

    #[test]
    fn an_id_is_no_key_to_anothers_chunk() {
        let (chunks, ours) = (Chunks::of(1 << 20), scope("a"));
        let id = PointId::of(&ours, "d", 0, "h");
        chunks.put(&ours, id, chunk("text"), Version::default());
        assert_eq!(chunks.get(&ours, id).unwrap().chunk.text, "text");
        assert!(chunks.get(&scope("b"), id).is_none());
        chunks.forget(id);
        assert!(chunks.get(&ours, id).is_none());
    }

    #[test]
    fn they_are_bounded_by_their_bytes() {
        let (chunks, ours) = (Chunks::of(200_000), scope("a"));
        for index in 0..100 {
            chunks.put(&ours, PointId::of(&ours, "d", index, "h"), chunk(&"x".repeat(10_000)), Version::default());
        }
        assert!((10_000..=200_000).contains(&chunks.bytes()), "{}", chunks.bytes());
        assert!(!format!("{chunks:?}").contains("xxx"));
    }
}
