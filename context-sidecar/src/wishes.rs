//! How a question is to be answered, as far as somebody says so: in a request, or in the configuration for all requests
//! that do not. The words are the same.

use std::time::Duration;

use chassis::units::Span;
use context_core::{freshness::Freshness, fuse, merge, threshold::Minimum};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    object::object,
    question::{self, MOST_RESULTS, Marks, Question},
};

/// How many results, unless it is said.
const TOP_K: usize = 10;

/// The most tokens of a context.
pub const MOST_TOKENS: usize = 1_000_000;

/// The most chunks on each side of a passage.
pub const WIDEST: u32 = 100;

/// How a question is to be answered; what is not said is as it usually is.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Wishes {
    /// How many results, from 1 to 1000. Default: 10.
    pub top_k: Option<usize>,
    /// By what is searched. Default: hybrid where there is an embedder, else lexical.
    pub mode: Option<Mode>,
    /// How both legs become one ranking.
    #[serde(deserialize_with = "object")]
    #[schemars(with = "Option<Fusion>")]
    pub fusion: Option<Fusion>,
    /// The least that is good enough. Default: anything is.
    #[serde(deserialize_with = "object")]
    #[schemars(with = "Option<MinScore>")]
    pub min_score: Option<MinScore>,
    /// Whether a reranker is asked. Default: where there is one.
    pub rerank: Option<bool>,
    /// How much of relevance, and not of novelty, from 0 to 1. Default: 1.
    pub mmr: Option<f32>,
    /// What stands around a passage is shown with it. Default: nothing is.
    pub expand: Option<Expand>,
    /// What is newer is worth more. Default: it is not.
    #[serde(deserialize_with = "object")]
    #[schemars(with = "Option<Newer>")]
    pub freshness: Option<Newer>,
    /// The tokens of the packed context. Default: none is packed; 2000 for `/v1/context`.
    pub max_tokens: Option<usize>,
}

/// By what is searched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// By meaning and by words.
    Hybrid,
    /// By meaning.
    Dense,
    /// By words.
    Lexical,
}

/// How both legs become one ranking.
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Fusion {
    /// Default: dbsf.
    pub method: Option<Method>,
    /// What each leg counts.
    #[serde(deserialize_with = "object")]
    #[schemars(with = "Option<Weights>")]
    pub weights: Option<Weights>,
    /// The k of reciprocal rank fusion. Default: 60.
    pub k: Option<f32>,
}

/// How legs are fused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Method {
    /// By where a score stands among those of its leg; by ranks where a leg has too few hits or no variance.
    Dbsf,
    /// By ranks.
    Rrf,
}

/// What each leg counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Weights {
    /// By meaning. Default: 1.
    pub dense: Option<f32>,
    /// By words. Default: 1.
    pub lexical: Option<f32>,
}

/// The least that is good enough. A hit that passes by one of the legs is kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct MinScore {
    /// Cosine similarity.
    pub dense: Option<f32>,
    /// BM25.
    pub lexical: Option<f32>,
    /// The reranker's score.
    pub rerank: Option<f32>,
}

/// What stands around a passage is shown with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Expand {
    /// So many chunks on each side, from 1 to 100.
    Window(u32),
    /// The whole document.
    Parent,
}

/// What is newer is worth more.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Newer {
    /// The metadata that says when: a date or a time as in RFC 3339, or seconds since 1970.
    pub field: String,
    /// After which time half of the worth is left.
    pub half_life: Span,
}

/// Something wrong with a wish: which one, and what about it.
pub type Fault = (&'static str, String);

impl Wishes {
    /// These, and what they do not say from `defaults`.
    #[must_use]
    pub fn over(self, defaults: &Self) -> Self {
        Self {
            top_k: self.top_k.or(defaults.top_k),
            mode: self.mode.or(defaults.mode),
            fusion: self.fusion.or(defaults.fusion),
            min_score: self.min_score.or(defaults.min_score),
            rerank: self.rerank.or(defaults.rerank),
            mmr: self.mmr.or(defaults.mmr),
            expand: self.expand.or(defaults.expand),
            freshness: self.freshness.or_else(|| defaults.freshness.clone()),
            max_tokens: self.max_tokens.or(defaults.max_tokens),
        }
    }

    /// All that is wrong with them.
    #[must_use]
    pub fn faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        let mut must = |holds: bool, field: &'static str, message: String| {
            if !holds {
                faults.push((field, message));
            }
        };
        let top_k = self.top_k.unwrap_or(1);
        must((1..=MOST_RESULTS).contains(&top_k), "top_k", format!("must be from 1 to {MOST_RESULTS}"));
        let tokens = self.max_tokens.unwrap_or(1);
        must((1..=MOST_TOKENS).contains(&tokens), "max_tokens", format!("must be from 1 to {MOST_TOKENS}"));
        must((0.0..=1.0).contains(&self.mmr.unwrap_or(1.0)), "mmr", "must be a number from 0 to 1".to_owned());
        let window = match self.expand {
            Some(Expand::Window(window)) => window,
            Some(Expand::Parent) | None => 1,
        };
        must((1..=WIDEST).contains(&window), "expand.window", format!("must be from 1 to {WIDEST}"));
        let fusion = self.fusion();
        let weights = [("fusion.weights.dense", fusion.dense), ("fusion.weights.lexical", fusion.lexical)];
        for (field, weight) in weights {
            must(weight.is_finite() && weight >= 0.0, field, "must be a number of 0 or more".to_owned());
        }
        must(
            fusion.dense > 0.0 || fusion.lexical > 0.0 || fusion.dense.is_nan() || fusion.lexical.is_nan(),
            "fusion.weights",
            "one of them must be above 0: nothing could be ranked".to_owned(),
        );
        must(fusion.k.is_finite() && fusion.k >= 0.0, "fusion.k", "must be a number of 0 or more".to_owned());
        let least = self.min_score.unwrap_or_default();
        let least = [
            ("min_score.dense", least.dense),
            ("min_score.lexical", least.lexical),
            ("min_score.rerank", least.rerank),
        ];
        for (field, score) in least {
            must(score.is_none_or(f32::is_finite), field, "must be a finite number".to_owned());
        }
        if let Some(newer) = &self.freshness {
            must(!newer.field.trim().is_empty(), "freshness.field", "must name a metadata field".to_owned());
            must(!newer.half_life.is_zero(), "freshness.half_life", "must be longer than 0".to_owned());
        }
        faults
    }

    /// What contradicts the mode that is asked for along with it: a leg that is not to be searched has no scores.
    #[must_use]
    pub fn contradiction(&self) -> Option<Fault> {
        let least = self.min_score.unwrap_or_default();
        let weights = self.fusion.and_then(|fusion| fusion.weights).unwrap_or_default();
        let counts = |weight: Option<f32>| weight.is_some_and(|weight| weight > 0.0);
        let field = match self.mode {
            Some(Mode::Lexical) if least.dense.is_some() => Some("min_score.dense"),
            Some(Mode::Lexical) if counts(weights.dense) => Some("fusion.weights.dense"),
            Some(Mode::Dense) if least.lexical.is_some() => Some("min_score.lexical"),
            Some(Mode::Dense) if counts(weights.lexical) => Some("fusion.weights.lexical"),
            _ => None,
        };
        let of_mode = field.map(|field| {
            let mode = if self.mode == Some(Mode::Lexical) { "lexical" } else { "dense" };
            (field, format!("is of a leg that is not searched in the mode `{mode}`: leave out one of both"))
        });
        of_mode.or_else(|| {
            let message = "needs a reranker, and `rerank` is false: leave out one of both";
            (self.rerank == Some(false) && least.rerank.is_some()).then(|| ("min_score.rerank", message.to_owned()))
        })
    }

    /// A question that is to be answered so, from all documents, without a context.
    #[must_use]
    pub fn question(&self, query: String, timeout: Duration) -> Question {
        Question {
            query,
            filter: None,
            top_k: self.top_k.unwrap_or(TOP_K),
            mode: self.mode(),
            fusion: self.fusion(),
            min_score: self.min_score(),
            rerank: self.rerank,
            mmr: self.mmr.filter(|mmr| *mmr < 1.0),
            expand: self.expand(),
            freshness: self.freshness(),
            max_tokens: None,
            marks: Marks::Numbers,
            timeout,
            explain: false,
        }
    }

    /// By what is searched.
    #[must_use]
    pub fn mode(&self) -> Option<question::Mode> {
        self.mode.map(|mode| match mode {
            Mode::Hybrid => question::Mode::Hybrid,
            Mode::Dense => question::Mode::Dense,
            Mode::Lexical => question::Mode::Lexical,
        })
    }

    /// How legs are fused.
    #[must_use]
    pub fn fusion(&self) -> fuse::Fusion {
        let (given, default) = (self.fusion.unwrap_or_default(), fuse::Fusion::default());
        let weights = given.weights.unwrap_or_default();
        fuse::Fusion {
            method: match given.method {
                Some(Method::Dbsf) => fuse::Method::Dbsf,
                Some(Method::Rrf) => fuse::Method::Rrf,
                None => default.method,
            },
            dense: weights.dense.unwrap_or(default.dense),
            lexical: weights.lexical.unwrap_or(default.lexical),
            k: given.k.unwrap_or(default.k),
        }
    }

    /// The least that is good enough.
    #[must_use]
    pub fn min_score(&self) -> Minimum {
        let MinScore { dense, lexical, rerank } = self.min_score.unwrap_or_default();
        Minimum { dense, lexical, rerank }
    }

    /// What stands around a passage.
    #[must_use]
    pub fn expand(&self) -> Option<merge::Expand> {
        self.expand.map(|expand| match expand {
            Expand::Window(window) => merge::Expand::Window(window),
            Expand::Parent => merge::Expand::Parent,
        })
    }

    /// Newer is worth more.
    #[must_use]
    pub fn freshness(&self) -> Option<Freshness> {
        let newer = self.freshness.as_ref()?;
        Some(Freshness { field: newer.field.clone(), half_life: newer.half_life.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(json: &str) -> Vec<&'static str> {
        let wishes: Wishes = serde_json::from_str(json).unwrap();
        wishes.faults().into_iter().map(|(field, _)| field).collect()
    }

    #[test]
    fn all_that_is_wrong_is_told() {
        assert!(
            faults(r#"{"top_k": 1000, "mmr": 0, "expand": "parent", "fusion": {"weights": {"dense": 0}}}"#).is_empty()
        );
        assert_eq!(faults(r#"{"top_k": 0}"#), ["top_k"]);
        assert_eq!(faults(r#"{"top_k": 1001, "max_tokens": 0, "mmr": 1.5}"#), ["top_k", "max_tokens", "mmr"]);
        assert_eq!(faults(r#"{"fusion": {"weights": {"dense": -1}, "k": -1}}"#), ["fusion.weights.dense", "fusion.k"]);
        assert_eq!(faults(r#"{"fusion": {"weights": {"dense": 0, "lexical": 0}}}"#), ["fusion.weights"]);
        let infinite = MinScore { rerank: Some(f32::INFINITY), ..MinScore::default() };
        let told = Wishes { min_score: Some(infinite), mmr: Some(f32::NAN), ..Wishes::default() }.faults();
        assert_eq!(told.iter().map(|(field, _)| *field).collect::<Vec<_>>(), ["mmr", "min_score.rerank"]);
        let freshness = r#"{"freshness": {"field": " ", "half_life": "0s"}, "expand": {"window": 101}}"#;
        assert_eq!(faults(freshness), ["expand.window", "freshness.field", "freshness.half_life"]);
    }

    #[test]
    fn what_contradicts_itself_is_told() {
        let field = |json: &str| {
            let wishes: Wishes = serde_json::from_str(json).unwrap();
            wishes.contradiction().map(|(field, _)| field)
        };
        for (json, expected) in [
            (r#"{"mode": "lexical", "min_score": {"dense": 0.3}}"#, Some("min_score.dense")),
            (r#"{"mode": "dense", "min_score": {"lexical": 3}}"#, Some("min_score.lexical")),
            (r#"{"mode": "lexical", "fusion": {"weights": {"dense": 2}}}"#, Some("fusion.weights.dense")),
            (r#"{"mode": "dense", "fusion": {"weights": {"lexical": 2}}}"#, Some("fusion.weights.lexical")),
            (r#"{"rerank": false, "min_score": {"rerank": 0.3}}"#, Some("min_score.rerank")),
            (r#"{"mode": "lexical", "min_score": {"lexical": 3}, "fusion": {"weights": {"dense": 0}}}"#, None),
            (r#"{"min_score": {"dense": 0.3, "rerank": 0.1}}"#, None),
            (r#"{"mode": "hybrid", "min_score": {"dense": 0.3, "lexical": 3}}"#, None),
        ] {
            assert_eq!(field(json), expected, "{json}");
        }
    }

    #[test]
    fn what_is_said_goes_before_what_is_usual() {
        let usual = Wishes { top_k: Some(5), mmr: Some(0.5), ..Wishes::default() };
        let both = Wishes { top_k: Some(7), ..Wishes::default() }.over(&usual);
        assert_eq!((both.top_k, both.mmr), (Some(7), Some(0.5)));
    }
}
