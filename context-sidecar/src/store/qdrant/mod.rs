//! Qdrant over its REST API: one named vector for meaning (`dense`), one for words (`bm25`, to which Qdrant adds how rare
//! a word is), the tenant in every payload and in every condition.
//!
//! From 1.19 on Qdrant counts a word among the tenant's points, as the embedded store does. Before that it counts it in
//! the whole collection: then a collection for each tenant ranks as well as the embedded store, and a shared one almost.

mod client;
mod conditions;
mod fault;
mod key;
mod settings;
mod shape;
mod wire;

pub use settings::{Consistency, Indexed, Settings};

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use chassis::tls::Roots;
use context_core::{
    filter::Filter,
    point::{Hit, Point, PointId},
    scope::{Collection, Scope, Tenant},
};
use reqwest::Method;
use serde_json::{Value, json};

use super::{Fault, Found, Kind, Legs, Store, Which, valid};
use client::{About, Does, Server};
use wire::{Collections, Count, Facet, Leg, Page, Query, Record, Sampled, Search, Searches, Upsert};

/// Points that are written or read at once; from 128 on Qdrant gets slow.
const BATCH: usize = 100;

/// Bytes that are written at once. Qdrant takes 32 MiB, and is silent beyond for as long as it takes to read them.
const BATCH_BYTES: usize = 4 << 20;

/// Ids in one condition.
const IDS: usize = 1_000;

/// How many more hits are asked for than are wanted: among those with the last one's score Qdrant takes any, and here it
/// is the first by id. Where these are not enough, it is asked again for twice as many.
const TIES: usize = 8;

/// So many hits are asked for at most to see the end of a tie. Of a longer one, some are taken, whichever Qdrant gives: a
/// megabyte of ids for one question is enough.
const LONGEST_TIE: usize = 16_384;

/// Points whose metadata is looked at to say which keys there are.
const SAMPLE: usize = 256;

/// No collection has more documents than are counted at once.
const DOCUMENTS: usize = 1_000_000;

/// A Qdrant.
#[derive(Debug)]
pub struct Qdrant {
    server: Server,
    settings: Settings,
    /// What is known of collections, asked again when something does not fit.
    kinds: Mutex<HashMap<Collection, Kind>>,
}

impl Qdrant {
    /// A Qdrant that nothing is asked of so far.
    ///
    /// # Errors
    /// The URL is none of a Qdrant.
    pub fn new(settings: Settings, roots: &Roots) -> Result<Self, Fault> {
        Ok(Self { server: Server::new(&settings, roots)?, settings, kinds: Mutex::default() })
    }

    async fn post<T: serde::de::DeserializeOwned>(
        &self,
        name: &Collection,
        rest: &[&str],
        does: Does,
        body: &(impl serde::Serialize + Sync),
    ) -> Result<T, Fault> {
        let path: Vec<&str> = ["collections", name.as_str(), "points"].iter().chain(rest).copied().collect();
        let answer = self.server.ask(Method::POST, &path, does, Some(body), About::Collection(name)).await;
        self.unless_gone(answer)
    }

    /// What is known of a collection that is gone says nothing about the next one of its name.
    fn unless_gone<T>(&self, answer: Result<T, Fault>) -> Result<T, Fault> {
        if let Err(Fault::NoCollection(name)) = &answer {
            self.kinds.lock().unwrap_or_else(PoisonError::into_inner).remove(name);
        }
        answer
    }

    /// Checks something against what a collection is for, as it was known, and where that does not fit, as it is.
    async fn checked(&self, name: &Collection, check: impl Fn(&Kind) -> Result<(), Fault> + Send) -> Result<(), Fault> {
        let known = self.kinds.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned();
        match known.map(|kind| check(&kind)) {
            Some(Ok(())) => return Ok(()),
            Some(Err(fault)) if !matches!(fault, Fault::Mismatch(_)) => return Err(fault),
            Some(Err(_)) | None => {}
        }
        match self.collection(name).await? {
            Some(kind) => check(&kind),
            None => Err(Fault::NoCollection(name.clone())),
        }
    }

    /// Every point that fits, page by page.
    async fn scroll(&self, scope: &Scope, filter: &Value, vectors: bool) -> Result<Vec<Point>, Fault> {
        let with_vector = if vectors { json!(["dense"]) } else { json!(false) };
        let mut points = Vec::new();
        let mut offset: Option<PointId> = None;
        loop {
            let body = json!({ "filter": filter, "limit": BATCH, "offset": offset, "with_payload": true, "with_vector": with_vector });
            let page: Page<Record> = self.post(&scope.collection, &["scroll"], Does::Read, &body).await?;
            points.extend(page.points.into_iter().filter_map(|record| record.point(scope)));
            match page.next_page_offset {
                Some(next) => offset = Some(next),
                None => return Ok(points),
            }
        }
    }

    /// The best of each search, in the order of the searches. Where all that was answered beyond what is wanted has the
    /// last one's score, there may be more of them, of which one is the first by id: that search is asked again.
    async fn searched(
        &self,
        name: &Collection,
        mut searches: Vec<(usize, Search<'_>)>,
    ) -> Result<Vec<Vec<Hit>>, Fault> {
        let mut found: Vec<Vec<Hit>> = vec![Vec::new(); searches.len()];
        let mut open: Vec<usize> = (0..searches.len()).collect();
        while !open.is_empty() {
            let asked = searches.iter().enumerate().filter(|(at, _)| open.contains(at)).map(|(_, (_, search))| search);
            let body = Searches { searches: asked.collect() };
            let answers: Result<Vec<Leg>, Fault> = self.post(name, &["query", "batch"], Does::Read, &body).await;
            let answers = match answers {
                // A strict server has a limit of its own; what it has said already is an answer.
                Err(Fault::Refused(_)) if found.iter().any(|hits| !hits.is_empty()) => break,
                answers => answers?,
            };
            if answers.len() != open.len() {
                let (at, found, asked) = (&self.server.at, answers.len(), open.len());
                return Err(Fault::Unavailable(format!("{at} answers {found} of {asked} searches")));
            }
            let mut tied = Vec::new();
            for (at, leg) in open.into_iter().zip(answers) {
                let (Some((wanted, search)), Some(place)) = (searches.get_mut(at), found.get_mut(at)) else { continue };
                let mut hits = leg.hits();
                let score = |at: usize| hits.get(at).map(|hit| hit.score);
                let is_open = hits.len() >= search.limit && score(*wanted - 1) == score(search.limit - 1);
                if is_open && search.limit < LONGEST_TIE {
                    search.limit = (search.limit * 2).min(LONGEST_TIE);
                    tied.push(at);
                }
                hits.truncate(*wanted);
                *place = hits;
            }
            open = tied;
        }
        Ok(found)
    }

    async fn remove(&self, scope: &Scope, filter: &Value) -> Result<u64, Fault> {
        let name = &scope.collection;
        let count = self.count_of(name, filter).await?;
        self.post::<Value>(name, &["delete"], Does::Write, &json!({ "filter": filter })).await?;
        Ok(count)
    }

    async fn count_of(&self, name: &Collection, filter: &Value) -> Result<u64, Fault> {
        let count: Count = self.post(name, &["count"], Does::Read, &json!({ "filter": filter, "exact": true })).await?;
        Ok(count.count)
    }

    /// How many points there are of each value.
    async fn facet(&self, name: &Collection, key: &str, filter: &Value) -> Result<Facet, Fault> {
        let body = json!({ "key": key, "filter": filter, "limit": DOCUMENTS, "exact": true });
        let path = ["collections", name.as_str(), "facet"];
        self.server.ask(Method::POST, &path, Does::Read, Some(&body), About::Collection(name)).await
    }
}

#[async_trait]
impl Store for Qdrant {
    fn describe(&self) -> String {
        self.server.at.clone()
    }

    async fn collection(&self, name: &Collection) -> Result<Option<Kind>, Fault> {
        let found = shape::look(&self.server, name).await;
        let mut kinds = self.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        match &found {
            Ok(Some(kind)) => kinds.insert(name.clone(), kind.clone()),
            Ok(None) | Err(_) => kinds.remove(name),
        };
        found
    }

    async fn collections(&self) -> Result<Vec<Collection>, Fault> {
        let there: Collections =
            self.server.ask(Method::GET, &["collections"], Does::Admin, None::<&()>, About::Server).await?;
        // One whose name is none of ours is none of ours.
        let mut names: Vec<Collection> =
            there.collections.into_iter().filter_map(|described| described.name.parse().ok()).collect();
        names.sort_unstable();
        Ok(names)
    }

    async fn create(&self, name: &Collection, kind: &Kind) -> Result<(), Fault> {
        shape::create(&self.server, &self.settings, name, kind).await?;
        self.kinds.lock().unwrap_or_else(PoisonError::into_inner).insert(name.clone(), kind.clone());
        Ok(())
    }

    async fn search(&self, scope: &Scope, legs: &Legs, filter: Option<&Filter>, now: u64) -> Result<Found, Fault> {
        self.checked(&scope.collection, |kind| valid::legs(legs, kind)).await?;
        let fitting = conditions::living(conditions::fitting(&scope.tenant, filter), now);
        // A leg that can find nothing is not asked for: Qdrant takes neither a limit of 0 nor a query without words.
        let dense = legs.dense.as_ref().filter(|(_, limit)| *limit > 0);
        let lexical = legs.lexical.as_ref().filter(|(words, limit)| *limit > 0 && !words.indices.is_empty());
        let mut searches = Vec::with_capacity(2);
        let search = |query, using, limit: &usize, params| {
            let limit = limit + TIES;
            Search { query, using, limit, filter: &fitting, with_payload: false, params }
        };
        if let Some((vector, limit)) = dense {
            searches.push((*limit, search(Query::Dense(vector), "dense", limit, None)));
        }
        if let Some((words, limit)) = lexical {
            let counts = self.server.counts_by_filter().await;
            let params = counts.then(|| json!({ "idf": { "corpus": conditions::of(&scope.tenant) } }));
            searches.push((*limit, search(Query::Lexical(words), "bm25", limit, params)));
        }
        let mut answers = self.searched(&scope.collection, searches).await?.into_iter();
        let mut hits = |leg: bool| if leg { answers.next() } else { None }.unwrap_or_default();
        let (dense, lexical) = (hits(dense.is_some()), hits(lexical.is_some()));
        Ok(Found { dense: legs.dense.as_ref().map(|_| dense), lexical: legs.lexical.as_ref().map(|_| lexical) })
    }

    async fn get(&self, scope: &Scope, ids: &[PointId], vectors: bool, now: u64) -> Result<Vec<Point>, Fault> {
        let living = |of| conditions::living(of, now);
        let mut points = Vec::with_capacity(ids.len());
        for ids in ids.chunks(IDS) {
            points.extend(self.scroll(scope, &living(conditions::points(&scope.tenant, ids)), vectors).await?);
        }
        if ids.is_empty() {
            self.checked(&scope.collection, |_| Ok(())).await?;
        }
        Ok(points)
    }

    async fn chunks(&self, scope: &Scope, documents: &[String], now: u64) -> Result<Vec<Point>, Fault> {
        let living = |of| conditions::living(of, now);
        let mut points = Vec::new();
        for documents in documents.chunks(IDS) {
            points.extend(self.scroll(scope, &living(conditions::documents(&scope.tenant, documents)), false).await?);
        }
        points.sort_unstable_by(|one, other| {
            let key = |point: &Point| (point.chunk.chunk, point.id);
            one.chunk.document_id.cmp(&other.chunk.document_id).then_with(|| key(one).cmp(&key(other)))
        });
        points.dedup_by_key(|point| point.id);
        Ok(points)
    }

    async fn documents(
        &self,
        scope: &Scope,
        filter: Option<&Filter>,
        after: Option<&str>,
        limit: usize,
        now: u64,
    ) -> Result<Vec<(String, u32)>, Fault> {
        // Qdrant has no order by text: it counts all, and the page is cut here.
        let fitting = conditions::living(conditions::fitting(&scope.tenant, filter), now);
        let facet = self.facet(&scope.collection, "document_id", &fitting).await?;
        let hits = facet.hits.into_iter().filter(|hit| after.is_none_or(|after| hit.value.as_str() > after));
        let mut documents: Vec<(String, u32)> =
            hits.map(|hit| (hit.value, u32::try_from(hit.count).unwrap_or(u32::MAX))).collect();
        documents.sort_unstable();
        documents.truncate(limit);
        Ok(documents)
    }

    async fn count(&self, scope: &Scope, now: u64) -> Result<u64, Fault> {
        let living = conditions::living(conditions::of(&scope.tenant), now);
        self.count_of(&scope.collection, &living).await
    }

    async fn has_key(&self, scope: &Scope, key: &str, now: u64) -> Result<bool, Fault> {
        let filter = conditions::living(conditions::having(&scope.tenant, key), now);
        let body = json!({ "filter": filter, "limit": 1, "with_payload": false, "with_vector": false });
        let page: Page<Value> = self.post(&scope.collection, &["scroll"], Does::Read, &body).await?;
        Ok(!page.points.is_empty())
    }

    async fn keys(&self, scope: &Scope, now: u64) -> Result<Vec<String>, Fault> {
        let filter = conditions::living(conditions::of(&scope.tenant), now);
        let body = json!({ "filter": filter, "limit": SAMPLE, "with_payload": ["metadata"], "with_vector": false });
        let page: Page<Sampled> = self.post(&scope.collection, &["scroll"], Does::Read, &body).await?;
        let metadata = page.points.into_iter().filter_map(|point| Some(point.payload?.metadata));
        let keys: BTreeSet<String> =
            metadata.flat_map(|metadata| conditions::given(metadata).into_iter().map(|(key, _)| key)).collect();
        Ok(keys.into_iter().collect())
    }

    async fn put(&self, scope: &Scope, points: &[Point]) -> Result<(), Fault> {
        self.checked(&scope.collection, |kind| valid::points(points, kind)).await?;
        let path = ["collections", scope.collection.as_str(), "points"];
        let mut points = points.iter().peekable();
        while points.peek().is_some() {
            let mut body = b"{\"points\":[".to_vec();
            let mut many = 0;
            while let Some(point) = points.peek() {
                let point = serde_json::to_vec(&Upsert::of(scope, point))
                    .map_err(|_| Fault::Refused("a chunk cannot be written as JSON".to_owned()))?;
                if many == BATCH || (many > 0 && body.len() + point.len() > BATCH_BYTES) {
                    break;
                }
                if many > 0 {
                    body.push(b',');
                }
                body.extend(point);
                many += 1;
                points.next();
            }
            body.extend(b"]}");
            let (status, answer) = self.server.send(Method::PUT, &path, Does::Write, Some(body)).await?;
            self.unless_gone(self.server.read::<Value>(status, &answer, About::Collection(&scope.collection)))?;
        }
        Ok(())
    }

    async fn delete(&self, scope: &Scope, which: &Which) -> Result<u64, Fault> {
        let tenant = &scope.tenant;
        let filters: Vec<Value> = match which {
            Which::Points(ids) => ids.chunks(IDS).map(|ids| conditions::points(tenant, ids)).collect(),
            Which::Documents(documents) => {
                documents.chunks(IDS).map(|documents| conditions::documents(tenant, documents)).collect()
            }
            Which::Where(filter) => vec![conditions::fitting(tenant, Some(filter))],
            Which::All => vec![conditions::of(tenant)],
        };
        let mut removed = 0;
        for filter in &filters {
            removed += self.remove(scope, filter).await?;
        }
        if filters.is_empty() {
            self.checked(&scope.collection, |_| Ok(())).await?;
        }
        Ok(removed)
    }

    async fn prolong(&self, scope: &Scope, filter: &Filter, expires: u64) -> Result<(), Fault> {
        let filter = conditions::fitting(&scope.tenant, Some(filter));
        let body = json!({ "payload": { "expires": expires }, "filter": filter });
        self.post::<Value>(&scope.collection, &["payload"], Does::Write, &body).await.map(|_| ())
    }

    async fn expire(&self, collection: &Collection, now: u64) -> Result<Vec<Tenant>, Fault> {
        let filter = conditions::expired(now);
        let of = self.facet(collection, "tenant", &filter).await?;
        if of.hits.is_empty() {
            return Ok(Vec::new());
        }
        self.post::<Value>(collection, &["delete"], Does::Write, &json!({ "filter": filter })).await?;
        Ok(of.hits.into_iter().filter_map(|hit| hit.value.parse().ok()).collect())
    }

    async fn ping(&self) -> Result<(), Fault> {
        self.server.hello().await
    }
}
