//! What of a conversation goes into the next prompt: the last messages, whole; of those before, what is about the question,
//! found as anything is found; and a summary of them, where somebody makes one.

use std::time::Duration;

use chassis::clock;
use context_core::{
    fuse::Fusion,
    query::from_questions,
    scope::{Scope, Tenant},
    threshold::Minimum,
    tokens::{Counter as _, O200k},
};
use serde_json::Value;

use super::{
    Recalled, Role, Turn,
    names::{self, REST, ROLE},
};
use crate::{
    failure::{Failure, Kind as Why},
    http::Call,
    ingest::stored,
    pipeline::{Pipeline, seconds},
    question::{Marks, Mode, Question},
};

/// Messages that are read at once.
const PAGE: usize = 32;

/// What a message costs besides its content, in tokens.
const AROUND: usize = 4;

/// Less is not worth a search, in tokens.
const FEWEST: usize = 48;

/// Passages of older messages, at most.
const PASSAGES: usize = 20;

/// The most tokens that may be asked for.
const MOST_TOKENS: usize = 1_000_000;

/// A turn, and how many tokens it has.
type Counted = (Turn, usize);

impl Pipeline {
    /// What of a conversation goes into a prompt of which `max_tokens` are for it: the last messages, whole, and of those
    /// before what is about `query` (or, without one, about what the user said last).
    ///
    /// # Errors
    /// There is no such conversation, and what may be wrong with a store.
    pub async fn recall(
        &self,
        tenant: &Tenant,
        conversation: &str,
        max_tokens: usize,
        query: Option<&str>,
        call: &Call,
    ) -> Result<Recalled, Failure> {
        let conversation = names::checked(conversation)?;
        let scope = names::scope(tenant)?;
        if max_tokens == 0 || max_tokens > MOST_TOKENS {
            let why = format!("must be from 1 to {MOST_TOKENS}");
            return Err(Failure::new(Why::Invalid, why).about("max_tokens"));
        }
        let none =
            || Failure::new(Why::NotFound, "there is no such conversation: put a message into it first").about("id");
        let said = match self.said(&scope, conversation, call).await {
            Err(Failure { kind: Why::NotFound, .. }) => return Err(none()),
            said => said?,
        };
        let said: Vec<String> = said.into_iter().map(|(name, _)| name).collect();
        let (turns, reaches_first) = self.last(&scope, &said, max_tokens, call).await?;
        if turns.is_empty() && reaches_first {
            return Err(none());
        }
        let mut recalled = Recalled { of: said.len(), ..Recalled::default() };
        let all: usize = turns.iter().map(|(_, tokens)| tokens).sum();
        if reaches_first && all <= max_tokens {
            recalled.tokens = all;
            recalled.messages = turns.into_iter().map(|(turn, _)| turn).collect();
            return Ok(recalled);
        }
        // A question is as long as it is; of one that is too long the beginning is looked for.
        let query = query.map(|query| from_questions(query, std::iter::empty())).or_else(|| asked(&turns));
        let shown = recent(&turns, max_tokens, self.settings.conversations.recent);
        recalled.messages = turns.iter().skip(turns.len() - shown).map(|(turn, _)| turn.clone()).collect();
        recalled.tokens = turns.iter().skip(turns.len() - shown).map(|(_, tokens)| tokens).sum();
        let older = said.get(..said.len().saturating_sub(shown)).unwrap_or_default();
        let left = max_tokens - recalled.tokens;
        let summary = self.summary(&scope, conversation, older, left / 2, call).await;
        match summary {
            Ok(summary) => {
                recalled.tokens += summary.as_ref().map_or(0, |summary| O200k.count(summary) + AROUND);
                recalled.summary = summary;
            }
            Err(why) => {
                tracing::warn!(error = why, "a conversation goes without a summary");
                recalled.degraded.push("summary");
            }
        }
        let left = max_tokens.saturating_sub(recalled.tokens);
        if let Some(query) = query.filter(|query| left >= FEWEST && !query.trim().is_empty() && !older.is_empty()) {
            self.relevant(&scope, conversation, &mut recalled, query, left, call).await?;
        }
        Ok(recalled)
    }

    /// The last messages, in their order, up to the first that is beyond the budget; and whether these are all.
    async fn last(
        &self,
        scope: &Scope,
        said: &[String],
        budget: usize,
        call: &Call,
    ) -> Result<(Vec<Counted>, bool), Failure> {
        let mut turns: Vec<Counted> = Vec::new();
        let mut tokens = 0;
        let mut rest = said;
        while tokens <= budget && !rest.is_empty() {
            let (before, page) = rest.split_at(rest.len().saturating_sub(PAGE));
            rest = before;
            let mut page = self.turns(scope, page, call).await?;
            tokens += page.iter().map(|(_, tokens)| tokens).sum::<usize>();
            page.append(&mut turns);
            turns = page;
        }
        Ok((turns, rest.is_empty()))
    }

    /// Messages by their names, as far as they have not expired.
    pub(super) async fn turns(&self, scope: &Scope, names: &[String], call: &Call) -> Result<Vec<Counted>, Failure> {
        let points = self.ask("chunks", call, self.store.chunks(scope, names, seconds())).await?;
        let now = clock::unix().as_secs();
        let mut turns = Vec::with_capacity(names.len());
        let mut points = points.into_iter().peekable();
        while let Some(point) = points.next() {
            let mut of = vec![point];
            while let Some(next) =
                points.next_if(|next| of.iter().all(|one| one.chunk.document_id == next.chunk.document_id))
            {
                of.push(next);
            }
            let Some(stored) = stored(of).filter(|stored| stored.expires.is_none_or(|expires| expires > now)) else {
                continue;
            };
            let Some((_, sequence, _)) = names::parts(&stored.document.id) else { continue };
            let role = stored.document.metadata.get(ROLE).cloned();
            let role = role.and_then(|role| serde_json::from_value(role).ok()).unwrap_or(Role::User);
            let besides = stored.document.metadata.get(REST).and_then(Value::as_str);
            let tokens = O200k.count(&stored.document.text) + besides.map_or(0, |json| O200k.count(json)) + AROUND;
            let rest = besides.and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default();
            let (id, content) = (stored.document.id, stored.document.text);
            turns.push((Turn { id, role, content, rest, at_ms: sequence / 1_000 }, tokens));
        }
        Ok(turns)
    }

    async fn relevant(
        &self,
        scope: &Scope,
        conversation: &str,
        recalled: &mut Recalled,
        query: String,
        budget: usize,
        call: &Call,
    ) -> Result<(), Failure> {
        let first = recalled.messages.first().and_then(|turn| names::parts(&turn.id)).map(|(_, sequence, _)| sequence);
        let filter = first.map_or_else(|| names::of(conversation), |first| names::before(conversation, first));
        let kind = self.look(&scope.collection, call).await.ok().flatten();
        let by_meaning = kind.is_some_and(|kind| self.understands(&kind, scope));
        let question = Question {
            query,
            filter: Some(filter),
            top_k: PASSAGES,
            mode: if by_meaning { None } else { Some(Mode::Lexical) },
            fusion: Fusion::default(),
            min_score: Minimum::default(),
            rerank: None,
            mmr: None,
            expand: None,
            freshness: None,
            max_tokens: Some(budget),
            marks: Marks::Delimited,
            timeout: Duration::from_secs(60 * 60),
            explain: false,
        };
        match Box::pin(self.find(scope, &question, call)).await {
            Ok(answer) => {
                recalled.degraded.extend(&answer.degraded);
                recalled.relevant = answer.context.clone().filter(|context| !context.text.is_empty());
                recalled.tokens += recalled.relevant.as_ref().map_or(0, |relevant| relevant.tokens);
            }
            // The last messages are there: that is more than nothing, and it is said.
            Err(failure) if failure.is_outage() => {
                tracing::warn!(error = %failure, "a conversation goes without its older messages");
                recalled.degraded.push("relevant");
            }
            Err(failure) => return Err(failure),
        }
        Ok(())
    }
}

/// How many of the last ones are shown whole: as many as there is room for in their share, and the very last one where
/// there is room at all.
#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a million at most"
)]
fn recent(turns: &[Counted], budget: usize, share: f64) -> usize {
    let share = (budget as f64 * share.clamp(0.0, 1.0)) as usize;
    let mut sum = 0;
    let mut shown = 0;
    for (_, tokens) in turns.iter().rev() {
        sum += tokens;
        let room = if shown == 0 { budget } else { share };
        if sum > room {
            break;
        }
        shown += 1;
    }
    // What a tool has answered makes no sense, and is refused by models, without the call before it.
    let is_answer = |shown: &usize| turns.iter().rev().nth(shown - 1).is_some_and(|(turn, _)| turn.role == Role::Tool);
    (1..=shown).rev().find(|shown| !is_answer(shown)).unwrap_or(shown)
}

/// What the user asked last, and what that is about.
fn asked(turns: &[Counted]) -> Option<String> {
    let of_user = |(turn, _): &&Counted| turn.role == Role::User;
    let questions: Vec<&str> = turns.iter().filter(of_user).map(|(turn, _)| turn.content.as_str()).collect();
    let (last, before) = questions.split_last()?;
    Some(from_questions(last, before.iter().copied()))
}
