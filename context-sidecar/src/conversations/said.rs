//! Messages are put in, and conversations listed and forgotten.

use std::{
    collections::{BTreeMap, HashMap},
    time::Duration,
};

use context_core::{
    document::{Document, Metadata},
    scope::{Scope, Tenant},
};
use serde_json::json;

use super::{
    Known, Message, Role,
    names::{self, CONVERSATION, MOST_AT_ONCE, REST, ROLE, SEQUENCE},
};
use crate::{
    failure::{Failure, Kind as Why},
    http::Call,
    ingest::{ItemOutcome, Outcome, Target, Vectors},
    pipeline::{Pipeline, seconds},
    store::Kind,
};

/// Messages of a tenant that are looked at to list its conversations.
const MOST_LOOKED_AT: usize = 1_000_000;

/// What a message may have besides its text, in bytes of JSON.
const MOST_BESIDES: usize = 64 << 10;

/// The same in all chunks of a message together: each has it.
const MOST_BESIDES_IN_ALL: usize = 4 << 20;

/// A chunk has more text than this, in bytes, as a rule.
const CHUNK: usize = 512;

/// This part of the time for which a conversation is kept is between two times that all of it is kept longer.
const SLACK: u32 = 32;

/// Conversations of a list, at most.
const MOST_LISTED: usize = 1_000;

impl Role {
    /// As it is written down.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Developer => "developer",
            Self::User => "user",
            Self::Assistant => "assistant",
            Self::Tool => "tool",
        }
    }
}

impl Pipeline {
    /// Puts messages behind those of a conversation, in the order in which they came; the first begins it. What has an
    /// `id` that is there already is unchanged.
    ///
    /// # Errors
    /// What is wrong with the id or with a message (then none is put in), or with the store: then some may be in, and those
    /// with an `id` can be put in again.
    pub async fn say(
        &self,
        tenant: &Tenant,
        conversation: &str,
        messages: Vec<Message>,
        call: &Call,
    ) -> Result<Vec<ItemOutcome>, Failure> {
        let conversation = names::checked(conversation)?;
        let scope = names::scope(tenant)?;
        self.check_messages(&messages)?;
        let first = messages.first().map(|first| document(conversation, first.clone(), ""));
        let kind = self.talks(&scope, first.as_ref(), call).await?;
        let held = call.within(self.talks.hold(&scope, [conversation].into_iter())).await;
        let _held = held.ok_or_else(|| Failure::new(Why::Late, "others write to this conversation: give more time"))?;
        let there = match self.said(&scope, conversation, call).await {
            // Somebody has dropped all conversations: this one begins anew.
            Err(Failure { kind: Why::NotFound, .. }) => Vec::new(),
            there => there?,
        };
        let most = self.settings.conversations.messages;
        if there.len() + messages.len() > most {
            let why =
                format!("the conversation has {} messages, and {most} are possible: begin another one", there.len());
            return Err(Failure::new(Why::TooLarge, why).about("messages"));
        }
        let known: HashMap<&str, u32> =
            there.iter().filter_map(|(name, chunks)| Some((names::parts(name)?.2, *chunks))).collect();
        let mut outcomes = Vec::with_capacity(messages.len());
        let mut new = Vec::new();
        let mut marks = HashMap::new();
        for message in messages {
            let mark = names::mark(message.id.as_deref(), &message.content);
            let was = message.id.as_ref().and_then(|_| known.get(mark.as_str()));
            let is_twice = message.id.is_some() && marks.insert(mark.clone(), ()).is_some();
            if was.is_some() || is_twice {
                let chunks = was.map_or(1, |chunks| usize::try_from(*chunks).unwrap_or_default());
                outcomes.push(Some(ItemOutcome { id: message.id, outcome: Outcome::Unchanged { chunks } }));
                continue;
            }
            outcomes.push(None);
            new.push(Ok(document(conversation, message, &mark)));
        }
        let vectors = if self.understands(&kind, &scope) { Vectors::May } else { Vectors::None };
        let ttl = match self.settings.conversations.ttl {
            Some(ttl) if !new.is_empty() => Some(self.keep(&scope, conversation, &there, ttl, call).await?),
            ttl => ttl,
        };
        let made = self.put_in(&scope, new, vectors, ttl, call).await;
        let failed = made.iter().find_map(|item| match &item.outcome {
            Outcome::Failed { kind, message } => Some(Failure::new(*kind, message.clone()).about("messages")),
            Outcome::Created { .. } | Outcome::Unchanged { .. } | Outcome::Replaced { .. } => None,
        });
        if let Some(failure) = failed {
            return Err(failure);
        }
        let mut made = made.into_iter();
        Ok(outcomes.into_iter().filter_map(|known| known.or_else(|| made.next())).collect())
    }

    /// A conversation lives as long as it is used: all of its messages are gone some time after the last one. So as not to
    /// write all of them for each that comes, they are given a little more than that; who comes within it costs nothing.
    /// Returns how long the next messages are to be kept.
    async fn keep(
        &self,
        scope: &Scope,
        conversation: &str,
        there: &[(String, u32)],
        ttl: Duration,
        call: &Call,
    ) -> Result<Duration, Failure> {
        let longer = ttl.saturating_add((ttl / SLACK).max(Duration::from_secs(1)));
        let Some((first, _)) = there.first() else { return Ok(longer) };
        let now = seconds();
        // All that are there are gone at once, or later than the first.
        let chunks = self.store.chunks(scope, std::slice::from_ref(first), now);
        let expires = self.ask("chunks", call, chunks).await?.iter().filter_map(|point| point.expires).min();
        if expires.is_none_or(|expires| expires < now.saturating_add(ttl.as_secs())) {
            let (filter, until) = (names::of(conversation), now.saturating_add(longer.as_secs()));
            self.ask("prolong", call, self.store.prolong(scope, &filter, until)).await?;
        }
        Ok(longer)
    }

    fn check_messages(&self, messages: &[Message]) -> Result<(), Failure> {
        let invalid = |why: String, at: String| Err(Failure::new(Why::Invalid, why).about(at));
        if messages.is_empty() || messages.len() > MOST_AT_ONCE {
            return invalid(format!("must be 1 to {MOST_AT_ONCE} messages"), "messages".to_owned());
        }
        let most = self.settings.conversations.message_bytes;
        for (index, message) in messages.iter().enumerate() {
            let at = format!("messages[{index}]");
            if message.id.as_ref().is_some_and(|id| id.is_empty() || id.len() > 512) {
                return invalid("must have 1 to 512 bytes".to_owned(), format!("{at}.id"));
            }
            if message.content.trim().is_empty() {
                return invalid("is empty".to_owned(), format!("{at}.content"));
            }
            if message.content.contains('\0') {
                return invalid("has a NUL in it".to_owned(), format!("{at}.content"));
            }
            let (bytes, besides) = (message.content.len(), besides(message).len());
            if besides > MOST_BESIDES || besides * (1 + bytes / CHUNK) > MOST_BESIDES_IN_ALL {
                let why = format!(
                    "has {besides} bytes besides its text, and {MOST_BESIDES} are possible, or fewer beside a long text: \
                     put in the address of an image or a file, and not its content"
                );
                return Err(Failure::new(Why::TooLarge, why).about(at));
            }
            if bytes > most {
                let why = format!("has {bytes} bytes, and {most} are possible: put it in as a document");
                return Err(Failure::new(Why::TooLarge, why).about(format!("{at}.content")));
            }
        }
        Ok(())
    }

    /// What the collection of the conversations is for; it is made where there is none.
    async fn talks(&self, scope: &Scope, first: Option<&Document>, call: &Call) -> Result<Kind, Failure> {
        match self.look(&scope.collection, call).await? {
            Some(kind) => Ok(kind),
            None => self.ready(&scope.collection, first, call).await,
        }
    }

    /// Whether the embedder is the one whose vectors are kept. With another one conversations go on, by words.
    pub(super) fn understands(&self, kind: &Kind, scope: &Scope) -> bool {
        self.embedder.is_some() && crate::pipeline::fits(kind, self.embedder.as_deref(), &scope.collection).is_ok()
    }

    /// The names of a conversation's messages, in their order, with how many chunks they have.
    pub(super) async fn said(
        &self,
        scope: &Scope,
        conversation: &str,
        call: &Call,
    ) -> Result<Vec<(String, u32)>, Failure> {
        let (filter, most) =
            (names::of(conversation), self.settings.conversations.messages.saturating_add(MOST_AT_ONCE));
        self.ask("documents", call, self.store.documents(scope, Some(&filter), None, most, seconds())).await
    }

    /// Conversations of a tenant after `after`, in the order of their names with a slash behind them.
    ///
    /// # Errors
    /// What may be wrong with a store.
    pub async fn conversations(
        &self,
        tenant: &Tenant,
        after: Option<&str>,
        limit: usize,
        call: &Call,
    ) -> Result<Vec<Known>, Failure> {
        let scope = names::scope(tenant)?;
        let after = after.map(|after| names::checked(after).map(names::behind)).transpose()?;
        let all = self.store.documents(&scope, None, after.as_deref(), MOST_LOOKED_AT, seconds());
        let all = match self.ask("documents", call, all).await {
            Err(Failure { kind: Why::NotFound, .. }) => return Ok(Vec::new()),
            all => all?,
        };
        let mut known: BTreeMap<String, usize> = BTreeMap::new();
        for (name, _) in &all {
            if let Some((conversation, ..)) = names::parts(name) {
                *known.entry(format!("{conversation}/")).or_default() += 1;
            }
        }
        let known = known.into_iter().take(limit.clamp(1, MOST_LISTED));
        Ok(known.map(|(id, messages)| Known { id: id.trim_end_matches('/').to_owned(), messages }).collect())
    }

    /// Forgets a conversation; whether there was one.
    ///
    /// # Errors
    /// What may be wrong with a store.
    pub async fn forget(&self, tenant: &Tenant, conversation: &str, call: &Call) -> Result<bool, Failure> {
        let conversation = names::checked(conversation)?;
        let scope = names::scope(tenant)?;
        let held = call.within(self.talks.hold(&scope, [conversation].into_iter())).await;
        let _held = held.ok_or_else(|| Failure::new(Why::Late, "others write to this conversation: give more time"))?;
        let removed = self.remove(&scope, &Target::Where(names::of(conversation)), call).await;
        self.summaries.forget(&scope, conversation);
        match removed {
            Err(Failure { kind: Why::NotFound, .. }) => Ok(false),
            removed => Ok(removed? > 0),
        }
    }
}

/// What a message has besides its text.
fn besides(message: &Message) -> String {
    if message.rest.is_empty() { String::new() } else { json!(message.rest).to_string() }
}

fn document(conversation: &str, message: Message, mark: &str) -> Document {
    let sequence = names::next();
    let role = message.role.as_str();
    let about = [(CONVERSATION, json!(conversation)), (SEQUENCE, json!(sequence)), (ROLE, json!(role))];
    let mut metadata: Metadata = about.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
    if !message.rest.is_empty() {
        metadata.insert(REST.to_owned(), json!(besides(&message)));
    }
    // Who said it is told with each passage.
    let title = Some(role.to_owned());
    Document { id: names::message(conversation, sequence, mark), title, text: message.content, url: None, metadata }
}
