//! How embeddings are asked for, and what comes: OpenAI's shape and TEI's.

use std::fmt;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{self, SeqAccess, Visitor},
};

/// What a server speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// `POST {base}/embeddings`; the base has `/v1` in it.
    OpenAi,
    /// `POST {base}/embed`.
    Tei,
}

impl Dialect {
    pub(super) const fn path(self) -> &'static str {
        match self {
            Self::OpenAi => "/embeddings",
            Self::Tei => "/embed",
        }
    }

    pub(super) const fn due(self) -> &'static str {
        match self {
            Self::OpenAi => "{\"data\": [{\"index\": 0, \"embedding\": [...]}]}",
            Self::Tei => "[[...], ...]",
        }
    }

    /// How many texts a server takes at a time, unless it was set up otherwise.
    pub(super) const fn items(self) -> usize {
        match self {
            Self::OpenAi => 64,
            Self::Tei => 32,
        }
    }
}

#[derive(Serialize)]
pub(super) struct OpenAiQuestion<'q> {
    pub(super) model: &'q str,
    pub(super) input: &'q [&'q str],
    /// A third of the bytes, and nothing to parse.
    pub(super) encoding_format: &'static str,
}

#[derive(Deserialize)]
pub(super) struct OpenAiAnswer {
    data: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    index: Option<usize>,
    embedding: Vector,
}

impl OpenAiAnswer {
    /// The vectors in the order of the texts.
    ///
    /// # Errors
    /// What is wrong, to be read after "it".
    pub(super) fn in_order(self, wanted: usize) -> Result<Vec<Vec<f32>>, String> {
        if self.data.len() != wanted {
            return Err(format!("has {} vectors for {wanted} texts", self.data.len()));
        }
        let mut vectors: Vec<Option<Vec<f32>>> = vec![None; wanted];
        for (place, item) in self.data.into_iter().enumerate() {
            let index = item.index.unwrap_or(place);
            match vectors.get_mut(index) {
                Some(slot @ None) => *slot = Some(item.embedding.0),
                Some(Some(_)) => return Err(format!("has the index {index} twice")),
                None => return Err(format!("has the index {index} where {wanted} texts were sent")),
            }
        }
        // As many as there are places, each once: none is left.
        Ok(vectors.into_iter().flatten().collect())
    }
}

#[derive(Serialize)]
pub(super) struct TeiQuestion<'q> {
    pub(super) inputs: &'q [&'q str],
    /// Longer than the model reads is cut off, as everywhere else, and not refused.
    pub(super) truncate: bool,
}

/// Numbers, or their little-endian bytes in base64: servers send what they can, whatever they were asked for.
#[derive(Debug, PartialEq)]
pub(super) struct Vector(pub(super) Vec<f32>);

impl<'de> Deserialize<'de> for Vector {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Either)
    }
}

struct Either;

impl<'de> Visitor<'de> for Either {
    type Value = Vector;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of numbers, or base64")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Vector, E> {
        let bytes = BASE64_STANDARD.decode(text).map_err(|_| E::custom("not base64"))?;
        let (numbers, rest) = bytes.as_chunks::<4>();
        if !rest.is_empty() {
            return Err(E::custom("not whole numbers of 4 bytes"));
        }
        Ok(Vector(numbers.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut numbers: A) -> Result<Vector, A::Error> {
        let mut vector = Vec::with_capacity(numbers.size_hint().unwrap_or(1024));
        while let Some(number) = numbers.next_element()? {
            vector.push(number);
        }
        Ok(Vector(vector))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order(json: &str, wanted: usize) -> Result<Vec<Vec<f32>>, String> {
        serde_json::from_str::<OpenAiAnswer>(json).unwrap().in_order(wanted)
    }

    #[test]
    fn both_forms_are_read() {
        let both = r#"{"data": [{"index": 1, "embedding": "AACAPwAAAMA="}, {"index": 0, "embedding": [1, -2.5]}]}"#;
        assert_eq!(order(both, 2).unwrap(), vec![vec![1.0, -2.5], vec![1.0, -2.0]]);
        // Some leave it out.
        assert_eq!(order(r#"{"data": [{"embedding": [1]}, {"embedding": [2]}]}"#, 2).unwrap(), vec![[1.0], [2.0]]);
    }

    #[test]
    fn each_text_has_one() {
        for (json, wanted, says) in [
            (r#"{"data": []}"#, 1, "has 0 vectors for 1 texts"),
            (
                r#"{"data": [{"index": 0, "embedding": [1]}, {"index": 0, "embedding": [1]}]}"#,
                2,
                "has the index 0 twice",
            ),
            (r#"{"data": [{"index": 7, "embedding": [1]}]}"#, 1, "has the index 7 where 1 texts were sent"),
        ] {
            assert_eq!(order(json, wanted).unwrap_err(), says);
        }
    }

    #[test]
    fn what_is_neither_is_refused() {
        for json in [r#""AACAPw=""#, r#""AACA""#, "[null]", "[NaN]", "7", r#"["1"]"#] {
            assert!(serde_json::from_str::<Vector>(json).is_err(), "{json}");
        }
    }
}
