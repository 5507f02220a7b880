//! A second look, age, and novelty: what changes the order of what was found.

use std::collections::HashMap;

use chassis::clock;
use context_core::{
    chunk::indexed,
    merge::Passage,
    mmr::{Candidate, mmr},
    point::PointId,
};
use serde_json::{Value, json};

use super::{MOST_RERANKED, Pipeline, retrieve::Asked};
use crate::{
    answer::Timings,
    breaker::Outcome,
    failure::{Failure, Kind as Why},
    http::{Call, Trouble},
    rerank::{Ranked, Rerank},
};

/// So many products of vectors, some milliseconds of them, are left to a thread that may block.
const MANY: usize = 1 << 15;

/// What is ranked, best first.
pub(super) struct Candidates {
    pub(super) passages: Vec<Passage>,
    /// Of those that are compared with each other.
    pub(super) vectors: HashMap<PointId, Vec<f32>>,
}

impl Pipeline {
    pub(super) async fn rank(
        &self,
        asked: &Asked<'_>,
        candidates: &mut Candidates,
        vector: Option<&[f32]>,
        timings: &mut Timings,
        degraded: &mut Vec<&'static str>,
        explain: &mut Value,
    ) -> Result<(), Failure> {
        let question = asked.question;
        let reranked = match (&self.reranker, question.rerank) {
            (Some(reranker), Some(true) | None) if !candidates.passages.is_empty() => {
                let work = self.rerank(asked, reranker.as_ref(), &mut candidates.passages);
                let (reranked, took) = self.timed("rerank", work).await;
                timings.rerank_ms = Some(took);
                reranked
            }
            (None, Some(true)) => Err("there is no reranker: set RERANK_URL".to_owned()),
            _ => Ok(0),
        };
        let reranked = reranked.unwrap_or_else(|why| {
            tracing::warn!(error = why, "what was found is not reranked");
            degraded.push("rerank");
            0
        });
        if question.min_score.rerank.is_some() && !candidates.passages.is_empty() {
            if reranked > 0 {
                // What was not looked at has not been good enough for it.
                candidates.passages.truncate(reranked);
                question.min_score.by_rerank(&mut candidates.passages);
            } else {
                degraded.push("min_score.rerank");
            }
        }
        if let Some(freshness) = question.freshness.as_ref().filter(|_| !candidates.passages.is_empty()) {
            let now = clock::unix().as_secs_f64();
            if let Some(oldest) = freshness.oldest(&candidates.passages, now) {
                // Their scores are of another kind.
                let middle = reranked.min(candidates.passages.len());
                let (first, rest) = candidates.passages.split_at_mut(middle);
                freshness.apply(first, now, oldest);
                freshness.apply(rest, now, oldest);
            } else {
                degraded.push("freshness");
            }
        }
        if let Some(fields) = explain.as_object_mut() {
            fields.insert("reranked".to_owned(), json!(reranked));
            fields.insert("candidates".to_owned(), json!(candidates.passages.len()));
        }
        match question.mmr {
            Some(lambda) if lambda < 1.0 && !candidates.passages.is_empty() && candidates.vectors.is_empty() => {
                tracing::debug!(lambda, "what was found has no vectors to compare by");
                degraded.push("mmr");
                Ok(())
            }
            Some(lambda) if lambda < 1.0 => self.diversify(candidates, vector, lambda, question.top_k).await,
            _ => Ok(()),
        }
    }

    /// Ranks the first of some passages anew, and says how many these are.
    async fn rerank(
        &self,
        asked: &Asked<'_>,
        reranker: &dyn Rerank,
        passages: &mut Vec<Passage>,
    ) -> Result<usize, String> {
        let most = self.settings.reranked.max(asked.question.top_k).min(MOST_RERANKED).min(passages.len());
        let now = clock::now();
        // What is left is for the answer.
        let call = Call { deadline: now + asked.call.left(now) * 9 / 10, ..asked.call.clone() };
        let ranked = {
            let texts = passages.iter().take(most);
            let texts: Vec<_> = texts.map(|one| indexed(one.chunk.title.as_deref(), &one.chunk.text)).collect();
            let texts: Vec<&str> = texts.iter().map(AsRef::as_ref).collect();
            self.ask_reranker(reranker, &asked.query, &texts, &call).await?
        };
        let mut rest: Vec<Option<Passage>> = std::mem::take(passages).into_iter().map(Some).collect();
        for Ranked { index, score } in ranked {
            if let Some(mut passage) = rest.get_mut(index).and_then(Option::take) {
                passage.score = score;
                passage.scores.rerank = Some(score);
                passages.push(passage);
            }
        }
        let reranked = passages.len();
        passages.extend(rest.into_iter().flatten());
        Ok(reranked)
    }

    async fn ask_reranker(
        &self,
        reranker: &dyn Rerank,
        query: &str,
        texts: &[&str],
        call: &Call,
    ) -> Result<Vec<Ranked>, String> {
        let pass = self.gates.rerank.enter().map_err(|resting| {
            self.series.called("reranker", "resting");
            format!("{}: {resting}", reranker.describe())
        })?;
        let started = clock::now();
        let answer = call.within(reranker.rerank(query, texts, texts.len(), call)).await;
        let took = clock::now().saturating_duration_since(started);
        let late = || Trouble::Late { place: reranker.describe(), after: took };
        let answer = answer.unwrap_or_else(|| Err(late()));
        match &answer {
            Err(trouble) if trouble.passes() || matches!(trouble, Trouble::Late { .. }) => {
                pass.failed(&trouble.to_string());
            }
            Ok(_) | Err(_) => pass.tell(Outcome::Answered),
        }
        self.series.called("reranker", answer.as_ref().map_or_else(|trouble| trouble.kind(), |_| "answered"));
        answer.map_err(|trouble| trouble.to_string())
    }

    /// Orders by relevance and novelty. Relevance is the rank's own score, brought to where the cosines of the question
    /// are, so that one is worth as much as the other: with all relevance the order stays as it was.
    async fn diversify(
        &self,
        candidates: &mut Candidates,
        vector: Option<&[f32]>,
        lambda: f32,
        top_k: usize,
    ) -> Result<(), Failure> {
        let passages = std::mem::take(&mut candidates.passages);
        let vectors = std::mem::take(&mut candidates.vectors);
        let most = (top_k + top_k / 4).max(self.settings.packed_from).min(passages.len());
        let vector = vector.map(<[f32]>::to_vec);
        let products = most * passages.len();
        let work = move || novel(passages, &vectors, vector.as_deref(), lambda, most);
        candidates.passages = if products > MANY {
            let done = tokio::task::spawn_blocking(work).await;
            done.map_err(|_| Failure::new(Why::Internal, "ordering by novelty failed; see the log for its panic"))?
        } else {
            work()
        };
        Ok(())
    }
}

fn novel(
    passages: Vec<Passage>,
    vectors: &HashMap<PointId, Vec<f32>>,
    question: Option<&[f32]>,
    lambda: f32,
    most: usize,
) -> Vec<Passage> {
    let bounds = |numbers: &mut dyn Iterator<Item = f32>| {
        numbers.fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), number| (low.min(number), high.max(number)))
    };
    let cosine = |one: &[f32], other: &[f32]| one.iter().zip(other).map(|(one, other)| one * other).sum::<f32>();
    let (low, high) = match question {
        Some(question) if !vectors.is_empty() => bounds(&mut vectors.values().map(|vector| cosine(question, vector))),
        _ => (0.0, 1.0),
    };
    let (worst, best) = bounds(&mut passages.iter().map(|passage| passage.score));
    let relevance = |score: f32| {
        let share = if best > worst { (score - worst) / (best - worst) } else { 1.0 };
        low + share * (high - low)
    };
    let ones: Vec<Candidate<'_>> = passages
        .iter()
        .map(|passage| Candidate {
            relevance: relevance(passage.score),
            vector: vectors.get(&passage.id).map(Vec::as_slice),
        })
        .collect();
    let picked = mmr(&ones, lambda, most);
    let mut passages: Vec<Option<Passage>> = passages.into_iter().map(Some).collect();
    picked.into_iter().filter_map(|index| passages.get_mut(index).and_then(Option::take)).collect()
}
