//! Documents become points of the store. What is new lands before what it replaces goes, so that whoever looks in between
//! finds the document, and whoever is interrupted leaves it findable: to put it in again does the rest.
//!
//! Where other processes write to the same store, this is done again until the store has just what it is to have: of two
//! that put in one document at once, the last one to see that wins, and nothing of the other stays.

use std::{
    collections::HashMap,
    hash::{BuildHasher as _, RandomState},
    mem,
    sync::Arc,
    time::Duration,
};

use chassis::clock;
use context_core::{
    document::Document,
    point::{Point, PointId},
    scope::Scope,
};

use super::{Outcome, plan::Plan, vectors::Vectors};
use crate::{
    failure::{Failure, Kind as Why},
    http::Call,
    pipeline::{Pipeline, seconds},
    store::Which,
};

/// How often it is looked whether nobody else has written the same.
const ROUNDS: u32 = 8;

/// Points that are written at once.
const POINTS: usize = 1_000;

/// What holds for all documents that are put in together.
pub(crate) struct Job<'j> {
    pub(crate) scope: &'j Scope,
    pub(crate) vectors: Vectors,
    /// Now, in seconds since 1970.
    pub(crate) written: u64,
    pub(crate) expires: Option<u64>,
    pub(crate) call: &'j Call,
}

/// A document on its way.
pub(super) struct Work {
    pub(super) plan: Plan,
    pub(super) vectors: HashMap<usize, Vec<f32>>,
    pub(super) outcome: Option<Outcome>,
    pub(super) is_settled: bool,
}

impl Work {
    /// Nothing is to be done for this document.
    fn none(index: usize, id: String) -> Self {
        Self { plan: Plan::none(index, id), vectors: HashMap::new(), outcome: None, is_settled: true }
    }

    pub(super) fn fail(&mut self, failure: &Failure) {
        self.outcome = Some(Outcome::Failed { kind: failure.kind, message: failure.to_string() });
        self.is_settled = true;
    }
}

/// Somebody has written, or may have, however it ends.
pub(crate) struct Writing<'w> {
    pipeline: &'w Pipeline,
    scope: &'w Scope,
    pub(crate) has_written: bool,
}

impl<'w> Writing<'w> {
    pub(crate) const fn new(pipeline: &'w Pipeline, scope: &'w Scope) -> Self {
        Self { pipeline, scope, has_written: false }
    }
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        if self.has_written {
            self.pipeline.caches.epochs.bump(self.scope);
        }
    }
}

impl Pipeline {
    /// Puts some documents in, and says what became of each.
    pub(super) async fn land(&self, job: &Job<'_>, documents: Vec<(usize, Document)>) -> Vec<(usize, Outcome)> {
        let indexes: Vec<usize> = documents.iter().map(|(index, _)| *index).collect();
        match Box::pin(self.landed(job, documents)).await {
            Ok(outcomes) => outcomes,
            Err(Failure { kind, message, .. }) => {
                let failed = |index| (index, Outcome::Failed { kind, message: message.clone() });
                indexes.into_iter().map(failed).collect()
            }
        }
    }

    async fn landed(&self, job: &Job<'_>, documents: Vec<(usize, Document)>) -> Result<Vec<(usize, Outcome)>, Failure> {
        let ids = documents.iter().map(|(_, document)| document.id.as_str());
        let held = job.call.within(self.locks.hold(job.scope, ids)).await;
        let _held = held.ok_or_else(|| Failure::new(Why::Late, "others write the same documents: give more time"))?;
        let mut writing = Writing::new(self, job.scope);
        let names = documents.iter().map(|(_, document)| document.id.clone()).collect();
        let there = match self.there(job, names).await {
            // Somebody has dropped it since it was last looked at: it is made again, and nothing is in it.
            Err(Failure { kind: Why::NotFound, .. }) => {
                let first = documents.first().map(|(_, document)| document);
                self.ready(&job.scope.collection, first, job.call).await?;
                HashMap::new()
            }
            there => there?,
        };
        let mut works = self.plans(job, documents, there).await?;
        settle(&mut works);
        for round in 0..ROUNDS {
            // What somebody else has written is seen right behind what was written here; then it is a while until the next
            // try, so that one of both is not disturbed in his.
            if round > 0
                && (self.compare(job, &mut works).await || {
                    tokio::time::sleep(jitter(round)).await;
                    self.compare(job, &mut works).await
                })
            {
                break;
            }
            self.find_vectors(job, &mut works).await;
            self.write(job, &mut works, &mut writing).await?;
            self.clear(job, &mut works, &mut writing).await;
            if !self.store.is_shared() {
                works.iter_mut().for_each(|work| work.is_settled = true);
            }
        }
        for work in works.iter_mut().filter(|work| !work.is_settled) {
            work.fail(&Failure::new(Why::Busy, "others write this document again and again: put it in once more"));
        }
        Ok(works.into_iter().filter_map(|work| Some((work.plan.index, work.outcome?))).collect())
    }

    /// Looks what is still to be done; whether that is nothing.
    async fn compare(&self, job: &Job<'_>, works: &mut [Work]) -> bool {
        let names: Vec<String> = open(works).map(|work| work.plan.id.clone()).collect();
        if names.is_empty() {
            return true;
        }
        match self.there(job, names).await {
            // When it is to be gone, the other one may see differently, by a second.
            Ok(mut there) => {
                open(works).for_each(|work| work.plan.compare(&there.remove(&work.plan.id).unwrap_or_default(), None));
            }
            Err(failure) => open(works).for_each(|work| work.fail(&failure)),
        }
        settle(works);
        works.iter().all(|work| work.is_settled)
    }

    /// What there is of some documents, by their ids.
    async fn there(&self, job: &Job<'_>, ids: Vec<String>) -> Result<HashMap<String, Vec<Point>>, Failure> {
        let points = self.ask("chunks", job.call, self.store.chunks(job.scope, &ids, seconds())).await?;
        let mut there: HashMap<String, Vec<Point>> = HashMap::with_capacity(ids.len());
        for point in points {
            there.entry(point.chunk.document_id.clone()).or_default().push(point);
        }
        Ok(there)
    }

    /// Cuts documents into chunks, on a thread that may take its time.
    async fn plans(
        &self,
        job: &Job<'_>,
        documents: Vec<(usize, Document)>,
        there: HashMap<String, Vec<Point>>,
    ) -> Result<Vec<Work>, Failure> {
        let (scope, size, expires) = (job.scope.clone(), self.settings.chunks, job.expires);
        let deadline = job.call.deadline;
        let work = move || {
            let plan = |(index, document): (usize, Document)| {
                if clock::now() >= deadline {
                    let mut work = Work::none(index, document.id);
                    work.fail(&Failure::new(Why::Late, "there was no time left to cut it: send fewer at once"));
                    return work;
                }
                let there = there.get(&document.id).map_or(&[][..], Vec::as_slice);
                let plan = Plan::of(&scope, (index, &document), size, there, expires);
                let chunks = plan.due.len();
                let outcome = match (plan.was_there, plan.is_changed) {
                    (false, _) => Outcome::Created { chunks },
                    (true, true) => Outcome::Replaced { chunks },
                    (true, false) => Outcome::Unchanged { chunks },
                };
                Work { plan, vectors: HashMap::new(), outcome: Some(outcome), is_settled: false }
            };
            documents.into_iter().map(plan).collect()
        };
        let done = tokio::task::spawn_blocking(work).await;
        done.map_err(|_| {
            Failure::new(Why::Internal, "cutting a document into chunks failed; see the log for its panic")
        })
    }

    /// Writes what is new of all documents, or of each by itself where that is refused.
    async fn write(&self, job: &Job<'_>, works: &mut Vec<Work>, writing: &mut Writing<'_>) -> Result<(), Failure> {
        let (encoder, written, expires) = (Arc::clone(self.encoder(&job.scope.collection)), job.written, job.expires);
        let mut mine = mem::take(works);
        let encode = move || {
            let points: Vec<Vec<Point>> = mine
                .iter_mut()
                .map(|work| {
                    let mut vectors = mem::take(&mut work.vectors);
                    if work.is_settled {
                        Vec::new()
                    } else {
                        work.plan.points(&mut vectors, &encoder, written, expires)
                    }
                })
                .collect();
            (mine, points)
        };
        let done = tokio::task::spawn_blocking(encode).await;
        let (mine, points) =
            done.map_err(|_| Failure::new(Why::Internal, "indexing failed; see the log for its panic"))?;
        *works = mine;
        if points.iter().all(Vec::is_empty) {
            return Ok(());
        }
        writing.has_written = true;
        let counts: Vec<usize> = points.iter().map(Vec::len).collect();
        let all: Vec<Point> = points.into_iter().flatten().collect();
        // They say that they are of another version now.
        all.iter().for_each(|point| self.caches.chunks.forget(point.id));
        let mut failed = None;
        for points in all.chunks(POINTS) {
            if let Err(failure) = self.ask("put", job.call, self.store.put(job.scope, points)).await {
                failed = Some(failure);
                break;
            }
        }
        let Some(failure) = failed else {
            self.series.written(all.len(), 0);
            return Ok(());
        };
        // What is too much together may not be too much for each.
        let one_by_one = failure.kind == Why::Full;
        let mut rest = all.as_slice();
        for (work, count) in works.iter_mut().zip(counts) {
            let (points, behind) = rest.split_at_checked(count).unwrap_or_default();
            rest = behind;
            if points.is_empty() {
                continue;
            }
            if !one_by_one {
                work.fail(&failure);
                continue;
            }
            match self.ask("put", job.call, self.store.put(job.scope, points)).await {
                Ok(()) => self.series.written(points.len(), 0),
                Err(failure) => work.fail(&failure),
            }
        }
        Ok(())
    }

    /// Removes what was replaced, of the documents that have landed.
    async fn clear(&self, job: &Job<'_>, works: &mut [Work], writing: &mut Writing<'_>) {
        let open = works.iter().filter(|work| !work.is_settled);
        let gone: Vec<PointId> = open.flat_map(|work| work.plan.gone.iter().copied()).collect();
        if gone.is_empty() {
            return;
        }
        writing.has_written = true;
        let removed = self.ask("delete", job.call, self.store.delete(job.scope, &Which::Points(gone.clone()))).await;
        gone.iter().for_each(|id| self.caches.chunks.forget(*id));
        if let Err(failure) = removed {
            for work in works.iter_mut().filter(|work| !work.is_settled && !work.plan.gone.is_empty()) {
                let kind = failure.kind;
                let message =
                    format!("is there, but what it replaces is still there as well: put it in again ({failure})");
                work.outcome = Some(Outcome::Failed { kind, message });
                work.is_settled = true;
            }
        }
    }
}

/// Those that are not done.
fn open(works: &mut [Work]) -> impl Iterator<Item = &mut Work> {
    works.iter_mut().filter(|work| !work.is_settled)
}

/// Of which nothing is to be done, is done.
fn settle(works: &mut [Work]) {
    for work in works.iter_mut().filter(|work| work.plan.fresh.is_empty() && work.plan.gone.is_empty()) {
        work.is_settled = true;
    }
}

/// Some time, longer from round to round, and never the same.
fn jitter(round: u32) -> Duration {
    Duration::from_millis(RandomState::new().hash_one(round) % (20 << round.min(6)))
}
