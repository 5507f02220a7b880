//! What is asked in which order, and what is done when something is down: what was answered before, then the other leg,
//! then a failure. Never an empty answer for one.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use chassis::{clock, telemetry};
use context_core::{document::Metadata, fuse::Fusion, scope::Scope, threshold::Minimum};
use tracing::{Instrument as _, Span};

use super::{Pipeline, key, kinds, rank::Candidates, search::Searched};
use crate::{
    answer::{Answer, CacheUse, Found, Shared, Stale, Timings},
    cache::{self, Epoch},
    failure::{Failure, Kind as Why},
    http::Call,
    question::{Mode, Question},
    store::Kind,
};

/// What is so for each who asks the same, and not because something is down.
const LASTING: [&str; 7] =
    ["budget", "freshness", "fusion.weights", "min_score.dense", "min_score.lexical", "min_score.rerank", "mmr"];

/// The whole of what is asked.
pub(super) struct Asked<'a> {
    pub(super) scope: &'a Scope,
    pub(super) question: &'a Question,
    /// In its normal form.
    pub(super) query: String,
    pub(super) call: Call,
}

impl Pipeline {
    /// The best passages for a question. Its deadline is that of the call or its own, whichever comes first.
    ///
    /// # Errors
    /// Why there is no answer; a failure is never an empty one.
    pub async fn retrieve(&self, scope: &Scope, question: &Question, call: &Call) -> Result<Shared, Failure> {
        kinds::users(scope)?;
        self.find(scope, question, call).await
    }

    /// The same, in any collection.
    pub(crate) async fn find(&self, scope: &Scope, question: &Question, call: &Call) -> Result<Shared, Failure> {
        let started = clock::now();
        let answer = self.answer(scope, question, call, started).await;
        self.series.stage("total", clock::now().saturating_duration_since(started));
        match &answer {
            Ok(answer) => {
                self.series.answered(match answer.cache {
                    CacheUse::Hit => "hit",
                    CacheUse::Miss if answer.degraded.is_empty() => "made",
                    CacheUse::Miss => "degraded",
                    CacheUse::Stale => "stale",
                });
                answer.degraded.iter().for_each(|what| self.series.without(what));
                self.series.found(answer.results.len());
            }
            Err(failure) => self.series.answered(failure.kind.label()),
        }
        answer
    }

    async fn answer(
        &self,
        scope: &Scope,
        question: &Question,
        call: &Call,
        started: Instant,
    ) -> Result<Shared, Failure> {
        let query = key::checked(question)?;
        let name = cache::Question::of(scope.clone(), &key::normal(question, &query));
        // Before the store is asked: what is written meanwhile makes the answer old.
        let epoch = self.caches.epochs.now(scope);
        if let Some(answer) = self.caches.results.fresh(&name, epoch, started) {
            self.series.looked_up("results", 1, 0);
            return Ok(answer);
        }
        self.series.looked_up("results", 0, 1);
        let deadline = started.checked_add(question.timeout).map_or(call.deadline, |own| own.min(call.deadline));
        let asked = Asked { scope, question, query, call: Call { deadline, ..call.clone() } };
        let span = || tracing::info_span!("retrieve", collection = scope.collection.as_str(), top_k = question.top_k);
        let span = traced(span);
        // The future is large, and a hit on the cache does without it.
        let made = Box::pin(self.make(&asked, started, &name).instrument(span)).await;
        match made {
            Ok(answer) => Ok(self.remember(name, epoch, answer)),
            Err(failure) => {
                if matches!(failure.kind, Why::NotFound | Why::Conflict) {
                    self.kinds.forget(&scope.collection);
                }
                let stale = failure.is_outage().then(|| self.stale(&name, started, &["cache_only"])).flatten();
                stale.map(Arc::new).ok_or(failure)
            }
        }
    }

    /// Keeps what is whole. What had to do without something is not what the next one should get.
    fn remember(&self, name: cache::Question, epoch: Epoch, answer: Answer) -> Shared {
        if answer.degraded.iter().all(|what| LASTING.contains(what)) {
            let kept = Answer { cache: CacheUse::Hit, timings: Timings::default(), ..answer.clone() };
            let (bytes, scope) = (weight(&kept), name.scope().clone());
            // Who deletes wants it gone, from what is kept for outages as well.
            let is_true = || self.caches.epochs.now(&scope) == epoch;
            self.caches.results.put_while(name, epoch, Arc::new(kept), bytes, clock::now(), is_true);
        }
        Arc::new(answer)
    }

    /// What was answered before.
    fn stale(&self, name: &cache::Question, started: Instant, without: &[&'static str]) -> Option<Answer> {
        let now = clock::now();
        let kept = self.caches.results.stale(name, now)?;
        let mut answer = Answer::clone(&kept.value);
        answer.cache = CacheUse::Stale;
        answer.stale = Some(Stale { age_ms: u64::try_from(kept.age.as_millis()).unwrap_or(u64::MAX) });
        answer.degraded = without.to_vec();
        answer.timings.total_ms = millis(now.saturating_duration_since(started));
        Some(answer)
    }

    /// By what is searched, and whether that is less than what was wanted.
    fn mode(&self, wanted: Option<Mode>, kind: &Kind, scope: &Scope) -> Result<(Mode, bool), Failure> {
        let Some(embedder) = &self.embedder else {
            return match wanted {
                Some(Mode::Dense) => {
                    let why =
                        "there is no embedder to search by meaning with: set EMBEDDINGS_MODEL, or ask for `lexical`";
                    Err(Failure::new(Why::Invalid, why).about("mode"))
                }
                Some(Mode::Hybrid) => Ok((Mode::Lexical, true)),
                Some(Mode::Lexical) | None => Ok((Mode::Lexical, false)),
            };
        };
        let mode = wanted.unwrap_or(Mode::Hybrid);
        if mode != Mode::Lexical {
            kinds::fits(kind, Some(embedder.as_ref()), &scope.collection)?;
        }
        Ok((mode, false))
    }

    async fn make(&self, asked: &Asked<'_>, started: Instant, name: &cache::Question) -> Result<Answer, Failure> {
        let Asked { scope, question, .. } = asked;
        let kind = self.kind(&scope.collection, &asked.call).await?;
        self.keyed(scope, question.filter.as_ref(), &asked.call).await?;
        let (mut mode, is_less) = self.mode(question.mode, &kind, scope)?;
        let mut degraded: Vec<&'static str> = if is_less { vec!["dense"] } else { vec![] };
        let mut timings = Timings::default();

        let mut vector = None;
        if mode != Mode::Lexical {
            let (made, took) = self.timed("embed", self.vector(asked)).await;
            timings.embed_ms = Some(took);
            match made {
                Ok(made) => vector = Some(made),
                Err(failure) => {
                    if let Some(stale) = self.stale(name, started, &["dense", "cache_only"]) {
                        return Ok(stale);
                    }
                    if mode == Mode::Dense {
                        return Err(failure);
                    }
                    tracing::warn!(error = %failure, "no vector for a question; it is answered by words alone");
                    degraded.push("dense");
                    mode = Mode::Lexical;
                }
            }
        }
        let Searched { mut candidates, fusion, mut explain } =
            Box::pin(self.candidates(asked, mode, vector.as_deref(), &mut timings)).await?;
        degraded.extend(unheeded(question, mode));
        Box::pin(self.rank(asked, &mut candidates, vector.as_deref(), &mut timings, &mut degraded, &mut explain))
            .await?;
        let around = self.around(asked, &candidates.passages, &mut timings).await?;
        let Candidates { passages, .. } = candidates;
        let (listed, took) = self.timed("pack", self.assemble(asked, passages, around)).await;
        let (results, context) = listed?;
        if let Some(context) = &context {
            timings.pack_ms = Some(took);
            self.series.packed(context.tokens);
            if context.text.is_empty() && !results.is_empty() {
                degraded.push("budget");
            }
        }
        timings.total_ms = millis(clock::now().saturating_duration_since(started));
        let explain = question.explain.then_some(explain);
        let fusion = fusion.map(|method| Fusion { method, ..question.fusion });
        let cache = CacheUse::Miss;
        Ok(Answer { results, context, mode, degraded, stale: None, timings, cache, fusion, explain })
    }

    /// Does some work, and says how many milliseconds it took.
    pub(super) async fn timed<T>(&self, stage: &'static str, work: impl Future<Output = T>) -> (T, f64) {
        let started = clock::now();
        let done = work.instrument(traced(|| tracing::info_span!("stage", otel.name = stage))).await;
        let took = clock::now().saturating_duration_since(started);
        self.series.stage(stage, took);
        (done, millis(took))
    }
}

/// A span where somebody collects them; else it is none, and costs nothing.
pub(super) fn traced(span: impl FnOnce() -> Span) -> Span {
    if telemetry::exporting() { span() } else { Span::none() }
}

/// What was wished for of a leg that is not searched, whether because nobody can, or because it is down.
fn unheeded(question: &Question, mode: Mode) -> impl Iterator<Item = &'static str> {
    let Minimum { dense, lexical, .. } = question.min_score;
    let Fusion { dense: of_meaning, lexical: of_words, .. } = question.fusion;
    let unheeded = [
        (mode == Mode::Lexical && dense.is_some(), "min_score.dense"),
        (mode == Mode::Dense && lexical.is_some(), "min_score.lexical"),
        (mode != Mode::Hybrid && (of_meaning - of_words).abs() > f32::EPSILON, "fusion.weights"),
    ];
    unheeded.into_iter().filter(|(holds, _)| *holds).map(|(_, what)| what)
}

/// To the microsecond.
#[allow(clippy::cast_precision_loss, reason = "a deadline is not that far off")]
fn millis(time: Duration) -> f64 {
    time.as_micros() as f64 / 1_000.0
}

/// What an answer has, in bytes, more or less.
fn weight(answer: &Answer) -> usize {
    let optional = |text: &Option<String>| text.as_ref().map_or(0, String::len);
    let metadata = |about: &Metadata| about.iter().map(|(key, value)| key.len() + 96 + size(value)).sum::<usize>();
    let found = |found: &Found| {
        size_of::<Found>()
            + found.document_id.len()
            + found.text.len()
            + optional(&found.title)
            + optional(&found.url)
            + metadata(&found.metadata)
    };
    let results: usize = answer.results.iter().map(found).sum();
    let context = answer.context.as_ref().map_or(0, |context| {
        let citations = context.citations.iter().map(|citation| size_of_val(citation) + citation.document_id.len());
        context.text.len() + citations.sum::<usize>()
    });
    size_of::<Answer>() + results + context + answer.explain.as_ref().map_or(0, size)
}

fn size(value: &serde_json::Value) -> usize {
    use serde_json::Value;
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        Value::String(text) => text.len(),
        Value::Array(members) => members.iter().map(|member| 32 + size(member)).sum(),
        Value::Object(fields) => fields.iter().map(|(key, value)| key.len() + 96 + size(value)).sum(),
    }
}
