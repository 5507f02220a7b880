//! Vectors of what is put in: those that are there already, under another place in their document, and those that the
//! embedder makes.

use std::{collections::HashMap, mem, time::Duration};

use chassis::clock;
use context_core::{chunk::indexed, point::PointId};

use super::land::{Job, Work};
use crate::{
    embed::Purpose,
    failure::Failure,
    http::{Call, Trouble},
    pipeline::{Pipeline, seconds},
};

/// Whether chunks are given vectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Vectors {
    /// There is no embedder.
    None,
    /// They are not put in without.
    Must,
    /// They are put in all the same.
    May,
}

impl Pipeline {
    /// Vectors of what is to be written: from the store where the text was there, from the embedder where not.
    pub(super) async fn find_vectors(&self, job: &Job<'_>, works: &mut [Work]) {
        if job.vectors == Vectors::None {
            return;
        }
        let open = || works.iter().filter(|work| !work.is_settled);
        let known: Vec<PointId> = open().flat_map(|work| work.plan.reused.values().copied()).collect();
        let mut vectors: HashMap<PointId, Vec<f32>> = HashMap::new();
        if !known.is_empty() {
            // Where it is not to be had, it is made.
            let points =
                self.ask("get", job.call, self.store.get(job.scope, &known, true, seconds())).await.unwrap_or_default();
            vectors = points.into_iter().filter_map(|point| Some((point.id, point.dense?))).collect();
        }
        for work in works.iter_mut().filter(|work| !work.is_settled) {
            for (place, id) in mem::take(&mut work.plan.reused) {
                if let Some(vector) = vectors.get(&id) {
                    work.vectors.insert(place, vector.clone());
                }
            }
        }
        self.series.written(0, works.iter().map(|work| work.vectors.len()).sum());
        let all: Vec<usize> = (0..).zip(&*works).filter(|(_, work)| !work.is_settled).map(|(at, _)| at).collect();
        match self.embed(job, works, &all).await {
            Ok(()) => {}
            // One of them is not to its liking: which?
            Err(Trouble::Refused { .. } | Trouble::TooLarge { .. } | Trouble::Shape { .. }) if all.len() > 1 => {
                for at in all {
                    let done = self.embed(job, works, &[at]).await;
                    self.without_vectors(job, works, &[at], done);
                }
            }
            Err(trouble) => self.without_vectors(job, works, &all, Err(trouble)),
        }
    }

    fn without_vectors(&self, job: &Job<'_>, works: &mut [Work], which: &[usize], done: Result<(), Trouble>) {
        let Err(trouble) = done else { return };
        tracing::warn!(error = %trouble, "no vectors for what is put in");
        if job.vectors == Vectors::May {
            return;
        }
        let failure = Failure::from(trouble);
        for at in which {
            if let Some(work) = works.get_mut(*at).filter(|work| work.vectors.len() < work.plan.fresh.len()) {
                work.fail(&failure);
            }
        }
    }

    async fn embed(&self, job: &Job<'_>, works: &mut [Work], which: &[usize]) -> Result<(), Trouble> {
        let Some(embedder) = &self.embedder else { return Ok(()) };
        let missing: Vec<(usize, usize)> = which
            .iter()
            .filter_map(|at| Some((at, works.get(*at)?)))
            .flat_map(|(at, work)| {
                let fresh = work.plan.fresh.iter().filter(|place| !work.vectors.contains_key(place));
                fresh.map(|place| (*at, *place))
            })
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        let text = |(at, place): &(usize, usize)| {
            let chunk = &works.get(*at)?.plan.due.get(*place)?.chunk;
            Some(indexed(chunk.title.as_deref(), &chunk.text))
        };
        let texts: Vec<_> = missing.iter().filter_map(text).collect();
        let made = {
            let texts: Vec<&str> = texts.iter().map(AsRef::as_ref).collect();
            let now = clock::now();
            // What is put in without, too, needs time for that.
            let deadline = if job.vectors == Vectors::May { now + job.call.left(now) / 2 } else { job.call.deadline };
            let call = Call { deadline, ..job.call.clone() };
            let made = call.within(embedder.embed(&texts, Purpose::Document, &call)).await;
            made.unwrap_or_else(|| Err(Trouble::Late { place: embedder.describe(), after: Duration::ZERO }))
        };
        self.series.called("embedder", made.as_ref().map_or_else(|trouble| trouble.kind(), |_| "answered"));
        let made = made?;
        drop(texts);
        if made.len() != missing.len() {
            let why = format!("has {} vectors for {} texts", made.len(), missing.len());
            return Err(Trouble::Shape { place: embedder.describe(), due: "a vector for each text", why });
        }
        for ((at, place), vector) in missing.into_iter().zip(made) {
            works.get_mut(at).into_iter().for_each(|work| _ = work.vectors.insert(place, vector.clone()));
        }
        Ok(())
    }
}
