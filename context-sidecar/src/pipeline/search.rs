//! The two legs, their fusion, and the texts of what they have found.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::Arc,
};

use chassis::clock;
use context_core::{
    document::Chunk,
    fuse::{Fused, Method, fuse},
    merge::{Expand, Passage, Scores, needs},
    point::{Point, PointId},
};
use serde_json::{Value, json};

use super::{MOST_RERANKED, Pipeline, rank::Candidates, retrieve::Asked, seconds};
use crate::{
    answer::Timings,
    cache::Kept,
    embed::Purpose,
    failure::{Failure, Kind as Why},
    http::{Call, Trouble},
    ingest::current,
    question::{Mode, Question},
    store::Legs,
};

/// What was found.
pub(super) struct Searched {
    pub(super) candidates: Candidates,
    /// How both legs were fused; `None` where there was one.
    pub(super) fusion: Option<Method>,
    /// How.
    pub(super) explain: Value,
}

/// A chunk for each hit, as far as there is one; and vectors of some of them.
struct Fetched {
    chunks: Vec<Option<Arc<Kept>>>,
    /// Documents of which chunks of several versions were found.
    mixed: Vec<String>,
    vectors: HashMap<PointId, Vec<f32>>,
}

impl Pipeline {
    /// What the question means. Words are still to be looked for if it is not to be had: two thirds of the time are its.
    pub(super) async fn vector(&self, asked: &Asked<'_>) -> Result<Vec<f32>, Failure> {
        let Some(embedder) = &self.embedder else {
            return Err(Failure::new(Why::Internal, "there is no embedder"));
        };
        let now = clock::now();
        let call = Call { deadline: now + asked.call.left(now) * 2 / 3, ..asked.call.clone() };
        let made = call.within(embedder.embed(&[&asked.query], Purpose::Query, &call)).await;
        let took = clock::now().saturating_duration_since(now);
        let made = made.unwrap_or_else(|| Err(Trouble::Late { place: embedder.describe(), after: took }));
        self.series.called("embedder", made.as_ref().map_or_else(|trouble| trouble.kind(), |_| "answered"));
        let vector = made?.pop().filter(|vector| !vector.is_empty());
        vector.ok_or_else(|| Failure::new(Why::Unavailable, format!("{}: answers no vector", embedder.describe())))
    }

    /// What both legs have found, fused, as far as it is good enough, with its texts.
    pub(super) async fn candidates(
        &self,
        asked: &Asked<'_>,
        mode: Mode,
        vector: Option<&[f32]>,
        timings: &mut Timings,
    ) -> Result<Searched, Failure> {
        let mut again = true;
        loop {
            let (hits, fusion, explain) = self.search(asked, mode, vector, timings).await?;
            let pool = self.pool(asked.question);
            let wanted: Vec<Fused> = hits.into_iter().take(pool).collect();
            let (fetched, took) = self.timed("fetch", self.fetch(asked, &wanted)).await;
            let Fetched { mut chunks, mixed, vectors } = fetched?;
            let missing = chunks.iter().filter(|chunk| chunk.is_none()).count();
            timings.fetch_ms = Some(timings.fetch_ms.unwrap_or_default() + took);
            // A document was replaced in between: what has taken its place is there already.
            if missing > 0 && again {
                again = false;
                continue;
            }
            if missing > 0 && missing == chunks.len() {
                let store = self.store.describe();
                let why = format!(
                    "{store}: finds chunks and does not have them: look whether it is being restored or is damaged"
                );
                return Err(Failure::new(Why::Unavailable, why));
            }
            if !mixed.is_empty() {
                self.unmix(asked, &mixed, &wanted, &mut chunks).await?;
            }
            let passages = wanted.into_iter().zip(chunks).filter_map(|(hit, kept)| {
                let chunk = Arc::clone(&kept?.chunk);
                let fused = fusion.map(|_| hit.score);
                let scores = Scores { dense: hit.dense, lexical: hit.lexical, fused, rerank: None };
                Some(Passage::new(hit.id, chunk, hit.score, scores))
            });
            return Ok(Searched { candidates: Candidates { passages: passages.collect(), vectors }, fusion, explain });
        }
    }

    async fn search(
        &self,
        asked: &Asked<'_>,
        mode: Mode,
        vector: Option<&[f32]>,
        timings: &mut Timings,
    ) -> Result<(Vec<Fused>, Option<Method>, Value), Failure> {
        let question = asked.question;
        let depth = self.depth(question);
        let legs = Legs {
            dense: vector.map(|vector| (vector.to_vec(), depth)),
            lexical: (mode != Mode::Dense).then(|| (self.encoder(&asked.scope.collection).query(&asked.query), depth)),
        };
        let work =
            self.ask("search", &asked.call, self.store.search(asked.scope, &legs, question.filter.as_ref(), seconds()));
        let (found, took) = self.timed("search", work).await;
        timings.search_ms = Some(timings.search_ms.unwrap_or_default() + took);
        let found = found?;
        let (dense, lexical) = (found.dense.as_deref(), found.lexical.as_deref());
        for (leg, hits) in [("dense", dense), ("lexical", lexical)] {
            hits.and_then(<[_]>::first).into_iter().for_each(|best| self.series.best(leg, best.score));
        }
        let (mut hits, method) = fuse(dense, lexical, &question.fusion);
        let fused = hits.len();
        question.min_score.for_legs(legs.dense.is_some(), legs.lexical.is_some()).by_legs(&mut hits);
        let explain = if question.explain {
            json!({
                "depth": depth,
                "hits": {
                    "dense": dense.map_or(0, <[_]>::len), "lexical": lexical.map_or(0, <[_]>::len),
                    "fused": fused, "good_enough": hits.len(),
                },
                "fusion": method.map(|method| match method { Method::Dbsf => "dbsf", Method::Rrf => "rrf" }),
            })
        } else {
            Value::Null
        };
        Ok((hits, method, explain))
    }

    /// Hits of each leg.
    fn depth(&self, question: &Question) -> usize {
        self.settings.depth.max(2 * question.top_k)
    }

    /// Chunks that are looked at further: more than are wanted, since some become one, and all that may come up.
    fn pool(&self, question: &Question) -> usize {
        let mut pool = 2 * question.top_k;
        if question.max_tokens.is_some() {
            pool = pool.max(self.settings.packed_from);
        }
        if question.rerank.unwrap_or(true) && self.reranker.is_some() {
            pool = pool.max(self.settings.reranked.min(MOST_RERANKED));
        }
        if question.freshness.is_some() || question.mmr.is_some() {
            pool = pool.max(self.settings.depth);
        }
        pool
    }

    /// Texts, from what is remembered and from the store; vectors, where they are compared.
    async fn fetch(&self, asked: &Asked<'_>, hits: &[Fused]) -> Result<Fetched, Failure> {
        let with_vectors = asked.question.mmr.is_some();
        let known = |hit: &Fused| self.caches.chunks.get(asked.scope, hit.id).filter(|_| !with_vectors);
        let mut chunks: Vec<Option<Arc<Kept>>> = hits.iter().map(known).collect();
        let mut vectors = HashMap::new();
        let unknown = hits.iter().zip(&chunks).filter(|(_, chunk)| chunk.is_none());
        let unknown: Vec<PointId> = unknown.map(|(hit, _)| hit.id).collect();
        self.series.looked_up("chunks", hits.len() - unknown.len(), unknown.len());
        if !unknown.is_empty() {
            let work = self.store.get(asked.scope, &unknown, with_vectors, seconds());
            let mut got = HashMap::with_capacity(unknown.len());
            for point in self.ask("get", &asked.call, work).await? {
                let kept = self.caches.chunks.put(asked.scope, point.id, Arc::new(point.chunk), point.version);
                got.insert(point.id, kept);
                point.dense.into_iter().for_each(|vector| _ = vectors.insert(point.id, vector));
            }
            for (hit, chunk) in hits.iter().zip(&mut chunks).filter(|(_, chunk)| chunk.is_none()) {
                *chunk = got.remove(&hit.id);
            }
        }
        Ok(Fetched { mixed: mixed(&chunks), chunks, vectors })
    }

    /// Leaves of some documents only what is of the version that is current: a replacement is under way, or was broken off.
    async fn unmix(
        &self,
        asked: &Asked<'_>,
        documents: &[String],
        hits: &[Fused],
        chunks: &mut [Option<Arc<Kept>>],
    ) -> Result<(), Failure> {
        let work = self.store.chunks(asked.scope, documents, seconds());
        let mut points: HashMap<String, Vec<Point>> = HashMap::new();
        for point in self.ask("chunks", &asked.call, work).await? {
            // Others may have written it since it was remembered.
            self.caches.chunks.forget(point.id);
            points.entry(point.chunk.document_id.clone()).or_default().push(point);
        }
        let current: HashSet<PointId> = points.into_values().flat_map(current).map(|point| point.id).collect();
        for (hit, chunk) in hits.iter().zip(chunks) {
            let is_mixed = |kept: &Arc<Kept>| documents.contains(&kept.chunk.document_id);
            if !current.contains(&hit.id) && chunk.as_ref().is_some_and(is_mixed) {
                *chunk = None;
            }
        }
        Ok(())
    }

    /// The chunks of the documents of the first passages, where what stands around them is wanted.
    pub(super) async fn around(
        &self,
        asked: &Asked<'_>,
        passages: &[Passage],
        timings: &mut Timings,
    ) -> Result<Option<(Expand, Vec<Chunk>)>, Failure> {
        let Some(by) = asked.question.expand else { return Ok(None) };
        let documents = needs(passages.get(..self.settings.expanded).unwrap_or(passages));
        if documents.is_empty() {
            return Ok(None);
        }
        let work = self.ask("chunks", &asked.call, self.store.chunks(asked.scope, &documents, seconds()));
        let (points, took) = self.timed("expand", work).await;
        timings.fetch_ms = Some(timings.fetch_ms.unwrap_or_default() + took);
        let mut of: BTreeMap<String, Vec<Point>> = BTreeMap::new();
        points?.into_iter().for_each(|point| of.entry(point.chunk.document_id.clone()).or_default().push(point));
        Ok(Some((by, of.into_values().flat_map(current).map(|point| point.chunk).collect())))
    }
}

/// Documents of which there are chunks of several versions.
fn mixed(chunks: &[Option<Arc<Kept>>]) -> Vec<String> {
    let mut all: Vec<&Kept> = chunks.iter().flatten().map(AsRef::as_ref).collect();
    all.sort_unstable_by(|one, other| one.chunk.document_id.cmp(&other.chunk.document_id));
    let pairs = all.iter().zip(all.iter().skip(1));
    let differ = |(one, other): &(&&Kept, &&Kept)| {
        one.chunk.document_id == other.chunk.document_id && one.version != other.version
    };
    let mut mixed: Vec<String> = pairs.filter(differ).map(|(one, _)| one.chunk.document_id.clone()).collect();
    mixed.dedup();
    mixed
}
