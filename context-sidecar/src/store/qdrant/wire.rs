//! What Qdrant keeps of a point, and what it answers.

use std::collections::HashMap;

use context_core::{
    document::{Chunk, Metadata, Span},
    point::{Hit, Point, PointId, Sparse, Version},
    scope::Scope,
};
use serde::{Deserialize, Serialize};

use super::conditions;

/// A point on its way to Qdrant.
#[derive(Serialize)]
pub(super) struct Upsert<'p> {
    id: PointId,
    vector: Vectors<'p>,
    payload: Payload<&'p str>,
}

#[derive(Serialize)]
struct Vectors<'p> {
    #[serde(skip_serializing_if = "Option::is_none")]
    dense: Option<&'p [f32]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bm25: Option<&'p Sparse>,
}

/// The user's metadata has a place of its own, so that no key of it is one of ours.
#[derive(Serialize, Deserialize)]
struct Payload<Text: Default> {
    tenant: Text,
    document_id: Text,
    chunk: u32,
    text: Text,
    start: usize,
    end: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<Text>,
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<Text>,
    #[serde(default, skip_serializing_if = "Metadata::is_empty")]
    metadata: Metadata,
    hash: Text,
    #[serde(default)]
    version: Text,
    #[serde(default)]
    of: u32,
    written: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<u64>,
}

impl<'p> Upsert<'p> {
    pub(super) fn of(scope: &'p Scope, point: &'p Point) -> Self {
        let Point { id, chunk, hash, version, written, expires, dense, lexical } = point;
        let Chunk { document_id, chunk, text, span, title, url, metadata } = chunk;
        Self {
            id: *id,
            vector: Vectors {
                dense: dense.as_deref(),
                bm25: if lexical.indices.is_empty() { None } else { Some(lexical) },
            },
            payload: Payload {
                tenant: scope.tenant.as_str(),
                document_id,
                chunk: *chunk,
                text,
                start: span.start,
                end: span.end,
                title: title.as_deref(),
                url: url.as_deref(),
                metadata: conditions::kept(metadata),
                hash,
                version: &version.hash,
                of: version.chunks,
                written: *written,
                expires: *expires,
            },
        }
    }
}

/// A point as it comes back.
#[derive(Deserialize)]
pub(super) struct Record {
    id: PointId,
    payload: Payload<String>,
    #[serde(default)]
    vector: Option<HashMap<String, serde_json::Value>>,
}

impl Record {
    /// The point; `None` for one of another tenant, which no answer should have in it.
    pub(super) fn point(self, scope: &Scope) -> Option<Point> {
        let Self { id, payload, vector } = self;
        let Payload {
            tenant,
            document_id,
            chunk,
            text,
            start,
            end,
            title,
            url,
            metadata,
            hash,
            version,
            of,
            written,
            expires,
        } = payload;
        if tenant != scope.tenant.as_str() {
            return None;
        }
        let metadata = conditions::given(metadata);
        let chunk = Chunk { document_id, chunk, text, span: Span { start, end }, title, url, metadata };
        let dense = vector.and_then(|mut named| serde_json::from_value(named.remove("dense")?).ok());
        let version = Version { hash: version, chunks: of };
        Some(Point { id, chunk, hash, version, written, expires, dense, lexical: Sparse::default() })
    }
}

/// A page of points.
#[derive(Deserialize)]
pub(super) struct Page<P> {
    pub(super) points: Vec<P>,
    pub(super) next_page_offset: Option<PointId>,
}

/// One leg of a question. Numbers are written as they are: as `Value`s they would be twice as long.
#[derive(Serialize)]
pub(super) struct Search<'q> {
    pub(super) query: Query<'q>,
    pub(super) using: &'static str,
    pub(super) limit: usize,
    pub(super) filter: &'q serde_json::Value,
    pub(super) with_payload: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) params: Option<serde_json::Value>,
}

/// What one leg looks for.
#[derive(Serialize)]
#[serde(untagged)]
pub(super) enum Query<'q> {
    Dense(&'q [f32]),
    Lexical(&'q Sparse),
}

/// Both legs.
#[derive(Serialize)]
pub(super) struct Searches<'q> {
    pub(super) searches: Vec<&'q Search<'q>>,
}

/// The answer to one leg.
#[derive(Deserialize)]
pub(super) struct Leg {
    points: Vec<Scored>,
}

#[derive(Deserialize)]
struct Scored {
    id: PointId,
    score: f32,
}

impl Leg {
    /// Best first, ties by id: Qdrant leaves their order open.
    pub(super) fn hits(self) -> Vec<Hit> {
        let mut hits: Vec<Hit> = self.points.into_iter().map(|Scored { id, score }| Hit { id, score }).collect();
        hits.sort_unstable_by(|one, other| other.score.total_cmp(&one.score).then(one.id.cmp(&other.id)));
        hits
    }
}

/// How often each document is there.
#[derive(Deserialize)]
pub(super) struct Facet {
    pub(super) hits: Vec<FacetHit>,
}

/// One of them.
#[derive(Deserialize)]
pub(super) struct FacetHit {
    pub(super) value: String,
    pub(super) count: u64,
}

/// A point of which only the metadata was asked for.
#[derive(Deserialize)]
pub(super) struct Sampled {
    pub(super) payload: Option<Known>,
}

/// What is known of a document.
#[derive(Deserialize)]
pub(super) struct Known {
    #[serde(default)]
    pub(super) metadata: Metadata,
}

/// All collections.
#[derive(Deserialize)]
pub(super) struct Collections {
    pub(super) collections: Vec<Described>,
}

/// One of them.
#[derive(Deserialize)]
pub(super) struct Described {
    pub(super) name: String,
}

/// How many there are.
#[derive(Deserialize)]
pub(super) struct Count {
    pub(super) count: u64,
}
