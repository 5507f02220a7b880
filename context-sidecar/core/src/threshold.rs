//! What is not good enough is left out.
//!
//! By the raw scores of the legs, before anything has been made of them: fused scores say how hits stand to each other, and
//! nothing of how good they are. Or by the reranker's.

use serde::{Deserialize, Serialize};

use crate::fuse::Fused;
use crate::merge::Passage;

/// The least that is good enough; `None` where anything is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Minimum {
    /// Cosine similarity.
    pub dense: Option<f32>,
    /// BM25.
    pub lexical: Option<f32>,
    /// The reranker's score.
    pub rerank: Option<f32>,
}

impl Minimum {
    /// As far as these legs were asked: a leg that is missing, in lexical mode or in an outage, must not cost the hits of
    /// the other.
    #[must_use]
    pub fn for_legs(self, dense: bool, lexical: bool) -> Self {
        Self { dense: self.dense.filter(|_| dense), lexical: self.lexical.filter(|_| lexical), ..self }
    }

    /// Whether a hit is good enough for one of the legs that have a minimum.
    #[must_use]
    pub fn passes(&self, hit: &Fused) -> bool {
        let good =
            |score: Option<f32>, least: Option<f32>| score.zip(least).is_some_and(|(score, least)| score >= least);
        let has_none = self.dense.is_none() && self.lexical.is_none();
        has_none || good(hit.dense, self.dense) || good(hit.lexical, self.lexical)
    }

    /// Keeps what is good enough for one of the legs that have a minimum.
    pub fn by_legs(&self, hits: &mut Vec<Fused>) {
        hits.retain(|hit| self.passes(hit));
    }

    /// Keeps what is good enough for the reranker. What it has not scored stays: it fails open.
    pub fn by_rerank(&self, passages: &mut Vec<Passage>) {
        if let Some(least) = self.rerank {
            passages.retain(|passage| passage.scores.rerank.is_none_or(|score| score >= least));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::document::Chunk;

    fn hit(dense: Option<f32>, lexical: Option<f32>) -> Fused {
        Fused { id: uuid::Uuid::from_u128(1).into(), score: 0.0, dense, lexical }
    }

    #[test]
    fn one_leg_is_enough() {
        let both = Minimum { dense: Some(0.5), lexical: Some(10.0), rerank: None };
        for (dense, lexical, passes) in [
            (Some(0.6), None, true),
            (Some(0.5), Some(1.0), true),
            (Some(0.1), Some(10.0), true),
            (None, Some(11.0), true),
            (Some(0.4), Some(9.0), false),
            (None, Some(9.0), false),
            (None, None, false),
            (Some(f32::NAN), None, false),
        ] {
            assert_eq!(both.passes(&hit(dense, lexical)), passes, "{dense:?} {lexical:?}");
        }
        let dense = Minimum { lexical: None, ..both };
        assert!(!dense.passes(&hit(None, Some(100.0))));
        assert!(dense.for_legs(false, true).passes(&hit(None, Some(0.1))));
        assert!(Minimum::default().passes(&hit(None, None)));
    }

    #[test]
    fn what_the_reranker_has_not_seen_stays() {
        let chunk = serde_json::json!({"document_id": "d", "chunk": 0, "text": "t", "span": {"start": 0, "end": 1}});
        let passages = [None, Some(0.1), Some(0.9)].map(|rerank| {
            let scores = crate::merge::Scores { rerank, ..Default::default() };
            Passage::new(
                uuid::Uuid::from_u128(1).into(),
                serde_json::from_value::<Chunk>(chunk.clone()).unwrap(),
                0.0,
                scores,
            )
        });
        for (least, left) in [(None, vec![None, Some(0.1), Some(0.9)]), (Some(0.5), vec![None, Some(0.9)])] {
            let mut passages = passages.to_vec();
            Minimum { rerank: least, ..Minimum::default() }.by_rerank(&mut passages);
            assert_eq!(passages.iter().map(|passage| passage.scores.rerank).collect::<Vec<_>>(), left);
        }
    }

    proptest! {
        #[test]
        fn asking_for_less_never_costs_a_hit(dense in prop::option::of(-1.0_f32..1.0), lexical in prop::option::of(0.0_f32..50.0), least in -1.0_f32..1.0, words in 0.0_f32..50.0, less in 0.0_f32..1.0) {
            let hit = hit(dense, lexical);
            let least = Minimum { dense: Some(least), lexical: Some(words), rerank: None };
            let lower = Minimum { dense: least.dense.map(|least| least - less), lexical: least.lexical.map(|least| least - less), rerank: None };
            prop_assert!(!least.passes(&hit) || lower.passes(&hit));
        }
    }
}
