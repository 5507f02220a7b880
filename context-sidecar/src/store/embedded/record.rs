//! A point as bytes: what is read by people and filters as JSON, numbers as they are in memory.

use context_core::{
    document::{Chunk, Metadata},
    point::{Point, PointId, Sparse, Version},
};
use serde::{Deserialize, Serialize};

/// What the index keeps of a point.
pub(super) struct Entry {
    pub(super) id: PointId,
    pub(super) document: String,
    pub(super) chunk: u32,
    pub(super) expires: Option<u64>,
    pub(super) metadata: Metadata,
    pub(super) dense: Option<Vec<f32>>,
    pub(super) lexical: Sparse,
}

/// A point on its way to the disk, and what the index keeps of it.
pub(super) struct Record {
    pub(super) entry: Entry,
    pub(super) payload: Vec<u8>,
    pub(super) vectors: Vec<u8>,
}

#[derive(Serialize)]
struct Written<'p> {
    #[serde(flatten)]
    chunk: &'p Chunk,
    hash: &'p str,
    #[serde(flatten)]
    version: &'p Version,
    written: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<u64>,
}

#[derive(Deserialize)]
struct Read {
    #[serde(flatten)]
    chunk: Chunk,
    hash: String,
    #[serde(flatten, default)]
    version: Option<Version>,
    written: u64,
    expires: Option<u64>,
}

/// The part of a payload that the index needs; the text is passed over.
#[derive(Deserialize)]
struct Head {
    document_id: String,
    chunk: u32,
    #[serde(default)]
    metadata: Metadata,
    expires: Option<u64>,
}

/// What cannot be read again.
pub(super) struct Damaged;

impl Record {
    /// `None` for what has no place in JSON, which no chunk has.
    pub(super) fn of(point: &Point) -> Option<Self> {
        let Point { id, chunk, hash, version, written, expires, dense, lexical } = point;
        let dense = dense.as_deref().map(super::matrix::normalised);
        let payload = Written { chunk, hash, version, written: *written, expires: *expires };
        Some(Self {
            payload: serde_json::to_vec(&payload).ok()?,
            vectors: encode(dense.as_deref(), lexical),
            entry: Entry {
                id: *id,
                document: chunk.document_id.clone(),
                chunk: chunk.chunk,
                expires: *expires,
                metadata: chunk.metadata.clone(),
                dense,
                lexical: lexical.clone(),
            },
        })
    }
}

/// The same payload, to be gone at another time.
pub(super) fn prolonged(payload: &[u8], expires: u64) -> Result<Vec<u8>, Damaged> {
    let Read { chunk, hash, version, written, .. } = serde_json::from_slice(payload).map_err(|_| Damaged)?;
    let payload =
        Written { chunk: &chunk, hash: &hash, version: &version.unwrap_or_default(), written, expires: Some(expires) };
    serde_json::to_vec(&payload).map_err(|_| Damaged)
}

/// How many numbers the dense vector has, itself, and the words with their weights.
fn encode(dense: Option<&[f32]>, words: &Sparse) -> Vec<u8> {
    let dense = dense.unwrap_or_default();
    let mut bytes = Vec::with_capacity(4 + dense.len() * 4 + words.indices.len() * 8);
    bytes.extend(u32::try_from(dense.len()).unwrap_or(u32::MAX).to_le_bytes());
    bytes.extend(dense.iter().flat_map(|number| number.to_le_bytes()));
    bytes.extend(words.indices.iter().flat_map(|index| index.to_le_bytes()));
    bytes.extend(words.values.iter().flat_map(|value| value.to_le_bytes()));
    bytes
}

fn decode(bytes: &[u8]) -> Result<(Option<Vec<f32>>, Sparse), Damaged> {
    let (words, []) = bytes.as_chunks::<4>() else { return Err(Damaged) };
    let (len, words) = words.split_first().ok_or(Damaged)?;
    let (dense, words) = words.split_at_checked(u32::from_le_bytes(*len) as usize).ok_or(Damaged)?;
    let (indices, values) = words.split_at(words.len() / 2);
    if indices.len() != values.len() {
        return Err(Damaged);
    }
    let floats = |words: &[[u8; 4]]| words.iter().map(|word| f32::from_le_bytes(*word)).collect::<Vec<_>>();
    let indices = indices.iter().map(|word| u32::from_le_bytes(*word)).collect();
    let dense = if dense.is_empty() { None } else { Some(floats(dense)) };
    Ok((dense, Sparse { indices, values: floats(values) }))
}

/// Which words are in it.
pub(super) fn words(vectors: &[u8]) -> Result<Vec<u32>, Damaged> {
    Ok(decode(vectors)?.1.indices)
}

/// What the index keeps of what was read.
pub(super) fn entry(id: PointId, payload: &[u8], vectors: &[u8]) -> Result<Entry, Damaged> {
    let Head { document_id, chunk, metadata, expires } = serde_json::from_slice(payload).map_err(|_| Damaged)?;
    let (dense, lexical) = decode(vectors)?;
    Ok(Entry { id, document: document_id, chunk, expires, metadata, dense, lexical })
}

/// The point that was written. Its words stay in the index, its meaning too where there are no `vectors`.
pub(super) fn point(id: PointId, payload: &[u8], vectors: Option<&[u8]>) -> Result<Point, Damaged> {
    let Read { chunk, hash, version, written, expires } = serde_json::from_slice(payload).map_err(|_| Damaged)?;
    let dense = vectors.map(decode).transpose()?.and_then(|(dense, _)| dense);
    Ok(Point {
        id,
        chunk,
        hash,
        version: version.unwrap_or_default(),
        written,
        expires,
        dense,
        lexical: Sparse::default(),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn vectors_come_back_as_they_went(dense in prop::collection::vec(-1.0_f32..1.0, 0..9), indices in prop::collection::vec(any::<u32>(), 0..9)) {
            let values = indices.iter().map(|index| *index as f32).collect();
            let words = Sparse { indices, values };
            let dense = if dense.is_empty() { None } else { Some(dense) };
            let bytes = encode(dense.as_deref(), &words);
            let Ok((dense_again, words_again)) = decode(&bytes) else { panic!("it is whole") };
            prop_assert_eq!((dense_again, words_again), (dense, words));
        }

        #[test]
        fn no_bytes_are_too_strange(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let _whatever = decode(&bytes);
        }
    }
}
