//! Points to put, from numbers that look random and are the same each time.

use std::sync::Mutex;

use context_core::{
    document::{Chunk, Metadata, Span},
    point::{Point, PointId, Sparse, Version},
    scope::{Collection, Scope},
};
use context_sidecar::store::Kind;
use serde_json::Value;

/// Small enough to read, large enough for a rest beside the lanes.
pub(crate) const DIMENSION: usize = 37;

/// Collections of one case. On a real server others may be at work.
pub(crate) struct Names {
    case: &'static str,
    given: Mutex<Vec<Collection>>,
}

impl Names {
    pub(crate) fn new(case: &'static str) -> Self {
        Self { case, given: Mutex::default() }
    }

    pub(crate) fn collection(&self, name: &str) -> Collection {
        let name: Collection = format!("test-{}-{}-{name}", std::process::id(), self.case).parse().unwrap();
        self.given.lock().unwrap().push(name.clone());
        name
    }

    pub(crate) fn scope(&self, tenant: &str) -> Scope {
        Scope { tenant: tenant.parse().unwrap(), collection: self.collection("docs") }
    }

    pub(crate) fn given(&self) -> Vec<Collection> {
        self.given.lock().unwrap().clone()
    }
}

pub(crate) fn kind() -> Kind {
    Kind { dense: Some(("test-model".to_owned(), DIMENSION)) }
}

pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 33) as usize % end
    }

    fn unit(&mut self) -> f32 {
        self.below(1 << 20) as f32 / (1 << 20) as f32
    }

    pub(crate) fn vector(&mut self) -> Vec<f32> {
        (0..DIMENSION).map(|_| self.unit() - 0.5).collect()
    }

    pub(crate) fn words(&mut self, many: usize) -> Sparse {
        let mut indices: Vec<u32> = (0..many).map(|_| self.below(1 + many * 3) as u32 * 7_919).collect();
        indices.sort_unstable();
        indices.dedup();
        let values = indices.iter().map(|_| 0.1 + self.unit()).collect();
        Sparse { indices, values }
    }
}

/// A chunk of a document, with random vectors.
pub(crate) fn point(scope: &Scope, document: &str, chunk: u32, random: &mut Random) -> Point {
    let text = format!("{document}, chunk {chunk}: \u{e4}\u{1f980}\n\"quoted\"");
    let hash = format!("{document}-{chunk}");
    Point {
        id: PointId::of(scope, document, chunk, &hash),
        chunk: Chunk {
            document_id: document.to_owned(),
            chunk,
            span: Span { start: chunk as usize * 10, end: chunk as usize * 10 + text.chars().count() },
            text,
            title: None,
            url: None,
            metadata: Metadata::new(),
        },
        hash,
        version: Version { hash: "v".to_owned(), chunks: 3 },
        written: 1_700_000_000,
        expires: None,
        dense: Some(random.vector()),
        lexical: random.words(12),
    }
}

pub(crate) fn with(mut point: Point, metadata: Value) -> Point {
    let Value::Object(metadata) = metadata else { panic!("metadata is an object") };
    point.chunk.metadata = metadata;
    point
}

/// Documents `doc-000`, `doc-001` and so on, of three chunks each.
pub(crate) fn points(scope: &Scope, many: usize, random: &mut Random) -> Vec<Point> {
    (0..many).map(|number| point(scope, &format!("doc-{:03}", number / 3), (number % 3) as u32, random)).collect()
}
