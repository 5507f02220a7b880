//! How a ranking is asked for, and what comes.

use serde::{Deserialize, Serialize};

use super::Ranked;

/// What a server speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// `{model, query, documents, top_n}` -> `results[{index, relevance_score}]`.
    Cohere,
    /// `{query, texts}` -> `[{index, score}]`.
    Tei,
}

impl Shape {
    /// TEI is at `/rerank`; everybody else has a version in the path: `/v1/rerank`, `/v2/rerank`.
    #[must_use]
    pub fn of_path(path: &str) -> Self {
        let versioned = path.split('/').any(|part| {
            part.strip_prefix('v')
                .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit()))
        });
        if !versioned && path.trim_end_matches('/').ends_with("/rerank") { Self::Tei } else { Self::Cohere }
    }

    pub(super) const fn due(self) -> &'static str {
        match self {
            Self::Cohere => "{\"results\": [{\"index\": 0, \"relevance_score\": 0.9}]}",
            Self::Tei => "[{\"index\": 0, \"score\": 0.9}]",
        }
    }
}

#[derive(Serialize)]
pub(super) struct CohereQuestion<'q> {
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(super) model: &'q str,
    pub(super) query: &'q str,
    pub(super) documents: &'q [&'q str],
    pub(super) top_n: usize,
}

#[derive(Deserialize)]
pub(super) struct CohereAnswer {
    pub(super) results: Vec<CohereScore>,
}

#[derive(Deserialize)]
pub(super) struct CohereScore {
    index: usize,
    relevance_score: f32,
}

#[derive(Serialize)]
pub(super) struct TeiQuestion<'q> {
    pub(super) query: &'q str,
    pub(super) texts: &'q [&'q str],
    /// Longer than the model reads is cut off, and not refused.
    pub(super) truncate: bool,
}

#[derive(Deserialize)]
pub(super) struct TeiScore {
    index: usize,
    score: f32,
}

/// What both have in common.
pub(super) struct Score(usize, f32);

impl From<CohereScore> for Score {
    fn from(it: CohereScore) -> Self {
        Self(it.index, it.relevance_score)
    }
}

impl From<TeiScore> for Score {
    fn from(it: TeiScore) -> Self {
        Self(it.index, it.score)
    }
}

/// The scores of `count` documents, of which there must be `due` or more.
///
/// # Errors
/// What is wrong, to be read after "it".
pub(super) fn checked(scores: impl Iterator<Item = Score>, count: usize, due: usize) -> Result<Vec<Ranked>, String> {
    let mut seen = vec![false; count];
    let mut ranked = Vec::with_capacity(count);
    for Score(index, score) in scores {
        match seen.get_mut(index) {
            Some(seen) if !*seen => *seen = true,
            Some(_) => return Err(format!("has the index {index} twice")),
            None => return Err(format!("has the index {index} where {count} documents were sent")),
        }
        if !score.is_finite() {
            return Err(format!("has a score for index {index} that is no finite number"));
        }
        ranked.push(Ranked { index, score });
    }
    if ranked.len() < due {
        return Err(format!("has {} scores where {due} are due", ranked.len()));
    }
    Ok(ranked)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_says_the_shape() {
        for (path, shape) in [
            ("/rerank", Shape::Tei),
            ("/models/bge/rerank/", Shape::Tei),
            ("/v1/rerank", Shape::Cohere),
            ("/v2/rerank", Shape::Cohere),
            ("/api/v1/rerank", Shape::Cohere),
            ("/", Shape::Cohere),
            ("/vllm/rerank", Shape::Tei),
        ] {
            assert_eq!(Shape::of_path(path), shape, "{path}");
        }
    }

    #[test]
    fn what_is_no_ranking_is_refused() {
        for (scores, says) in [
            (vec![(0, 1.0), (0, 0.5)], "has the index 0 twice"),
            (vec![(2, 1.0)], "has the index 2 where 2 documents were sent"),
            (vec![(0, f32::INFINITY)], "has a score for index 0 that is no finite number"),
            (vec![(1, 0.5)], "has 1 scores where 2 are due"),
        ] {
            let scores = scores.into_iter().map(|(index, score)| Score(index, score));
            assert_eq!(checked(scores, 2, 2).unwrap_err(), says);
        }
    }
}
