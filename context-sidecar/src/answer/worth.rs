//! What results are worth, from 0 to 1, for doors whose clients expect that.
//!
//! | by what it ranks | its worth |
//! | --- | --- |
//! | a reranker | its score, where all of them are from 0 to 1; else `1 / (1 + exp(-score))` |
//! | both legs, by distribution | the score by the sum of the weights |
//! | both legs, by ranks | the score by what the first of both legs would have |
//! | meaning alone | the cosine similarity |
//! | words alone | `score / (score + 10)` |
//!
//! It never rises from one result to the next: what novelty has put in between, or a reranker has not looked at, is worth at
//! most what stands before it.

use context_core::fuse::{Fusion, Method};

use super::{Answer, Found};

/// The BM25 that is worth a half.
const HALF: f32 = 10.0;

impl Answer {
    /// What each result is worth.
    #[must_use]
    pub fn worths(&self) -> Vec<f32> {
        let mut reranked = self.results.iter().filter(|found| found.scores.rerank.is_some());
        let are_shares = reranked.all(|found| (0.0..=1.0).contains(&found.score));
        let mut last = 1.0_f32;
        let worth = |found: &Found| {
            let worth = worth(found, self.fusion.as_ref(), are_shares);
            last = last.min(if worth.is_finite() { worth.clamp(0.0, 1.0) } else { 0.0 });
            last
        };
        self.results.iter().map(worth).collect()
    }
}

fn worth(found: &Found, fusion: Option<&Fusion>, are_shares: bool) -> f32 {
    let score = found.score;
    if found.scores.rerank.is_some() {
        return if are_shares { score } else { 1.0 / (1.0 + (-score).exp()) };
    }
    match fusion {
        Some(Fusion { method: Method::Dbsf, dense, lexical, .. }) => score / (dense + lexical),
        Some(Fusion { method: Method::Rrf, dense, lexical, k }) => score * (k + 1.0) / (dense + lexical),
        None if found.scores.dense.is_some() => score,
        None => score / (score + HALF),
    }
}

#[cfg(test)]
mod tests {
    use context_core::{document::Metadata, document::Span, merge::Scores};

    use super::*;
    use crate::{
        answer::{CacheUse, Timings},
        question::Mode,
    };

    fn answer(fusion: Option<Fusion>, scores: &[(f32, Scores)]) -> Answer {
        let found = |(score, scores): &(f32, Scores)| Found {
            id: uuid::Uuid::from_u128(1).into(),
            document_id: "d".to_owned(),
            chunk: 0,
            text: "t".to_owned(),
            title: None,
            url: None,
            metadata: Metadata::new(),
            span: Span { start: 0, end: 1 },
            score: *score,
            scores: *scores,
            rank: 1,
        };
        Answer {
            results: scores.iter().map(found).collect(),
            context: None,
            mode: Mode::Hybrid,
            degraded: vec![],
            stale: None,
            timings: Timings::default(),
            cache: CacheUse::Miss,
            fusion,
            explain: None,
        }
    }

    #[track_caller]
    fn are(answer: &Answer, expected: &[f32]) {
        let worths = answer.worths();
        let near = worths.iter().zip(expected).all(|(one, other)| (one - other).abs() < 1e-3);
        assert!(near && worths.len() == expected.len(), "{worths:?}");
    }

    #[test]
    fn it_is_from_0_to_1_and_never_rises() {
        let (none, dense) = (Scores::default(), Scores { dense: Some(0.5), ..Scores::default() });
        let rerank = Scores { rerank: Some(0.0), ..none };
        let fusion = |method| Some(Fusion { method, dense: 1.0, lexical: 3.0, k: 60.0 });
        are(&answer(fusion(Method::Dbsf), &[(6.0, none), (2.0, none), (-1.0, none)]), &[1.0, 0.5, 0.0]);
        are(&answer(fusion(Method::Rrf), &[(4.0 / 61.0, none), (1.0 / 61.0, none)]), &[1.0, 0.25]);
        are(&answer(None, &[(0.9, dense), (0.2, dense), (-0.3, dense)]), &[0.9, 0.2, 0.0]);
        let words = Scores { lexical: Some(1.0), ..none };
        are(&answer(None, &[(30.0, words), (10.0, words), (0.0, words)]), &[0.75, 0.5, 0.0]);
        are(&answer(fusion(Method::Dbsf), &[(0.8, rerank), (0.4, rerank), (3.0, none)]), &[0.8, 0.4, 0.4]);
        are(&answer(fusion(Method::Dbsf), &[(5.0, rerank), (0.0, rerank)]), &[0.993, 0.5]);
        are(&answer(None, &[(0.2, dense), (0.9, dense), (f32::NAN, dense)]), &[0.2, 0.2, 0.0]);
    }
}
