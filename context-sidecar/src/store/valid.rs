//! What no store takes: vectors that are none, or of the wrong size.

use context_core::point::{Point, Sparse};

use super::{Fault, Kind, Legs};

/// Points that are to be written into a collection of this kind.
pub(super) fn points(points: &[Point], kind: &Kind) -> Result<(), Fault> {
    for point in points {
        let place = || format!("chunk {} of a document", point.chunk.chunk);
        if let Some(vector) = &point.dense {
            dense(vector, kind, place)?;
        }
        sparse(&point.lexical, place)?;
    }
    Ok(())
}

/// A question to a collection of this kind.
pub(super) fn legs(legs: &Legs, kind: &Kind) -> Result<(), Fault> {
    if let Some((vector, _)) = &legs.dense {
        dense(vector, kind, || "the query".to_owned())?;
    }
    legs.lexical.as_ref().map_or(Ok(()), |(words, _)| sparse(words, || "the query".to_owned()))
}

fn dense(vector: &[f32], kind: &Kind, place: impl Fn() -> String) -> Result<(), Fault> {
    let place = || place();
    let Some((model, dimension)) = &kind.dense else {
        let found = place();
        return Err(Fault::Mismatch(format!(
            "{found} has a vector, but the collection was made without an embedding model: leave EMBEDDINGS_MODEL out, or \
             ingest into a new collection"
        )));
    };
    if vector.len() != *dimension {
        let (found, len) = (place(), vector.len());
        return Err(Fault::Mismatch(format!(
            "{found} has a vector of {len} numbers, but the collection is for `{model}` with {dimension}: set \
             EMBEDDINGS_MODEL to that model, or ingest into a new collection"
        )));
    }
    if !vector.iter().all(|number| number.is_finite()) {
        let found = place();
        return Err(Fault::Refused(format!(
            "{found} has a vector with something in it that is no number: the embedder is broken"
        )));
    }
    Ok(())
}

fn sparse(words: &Sparse, place: impl Fn() -> String) -> Result<(), Fault> {
    let rising = words.indices.is_sorted_by(|one, next| one < next);
    if !rising || words.indices.len() != words.values.len() || !words.values.iter().all(|value| value.is_finite()) {
        let found = place();
        return Err(Fault::Refused(format!(
            "{found} has words that are not numbered in rising order, or weigh no number"
        )));
    }
    Ok(())
}
