//! From settings to a set that may be published: the newest, or the last good one where a source is down.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use chassis::{clock, config::Environment};

use crate::{
    assemble::{Set, assemble},
    cache::{Cache, may_stand_in},
    failure::Failure,
    gather::{Gathered, Moment, Origins},
    progress::Progress,
    report::Failed,
    settings::{Settings, Spec},
};

/// What of the deadline is kept for what comes after fetching: a quarter, at most this.
const RESERVE: Duration = Duration::from_secs(5);

/// What a run takes from outside.
#[derive(Debug)]
pub struct World<'a> {
    /// What templates, credentials and proxies are looked up in.
    pub environment: &'a Environment,
    /// When it is.
    pub moment: Moment,
    /// Who is told what happens meanwhile.
    pub progress: Arc<dyn Progress>,
}

/// Where sets come from.
#[derive(Debug)]
pub struct Run<'a> {
    settings: &'a Settings,
    world: &'a World<'a>,
    moment: Moment,
    /// When all of it must be over.
    until: Instant,
    origins: Origins,
}

impl<'a> Run<'a> {
    /// A run. Nothing is asked for so far.
    ///
    /// # Errors
    /// Every entry with a source that cannot be.
    pub fn new(settings: &'a Settings, world: &'a World<'a>) -> Result<Self, Vec<Failed>> {
        let origins = Origins::of(settings, world.environment)?;
        let until = world.moment.until;
        let moment = Moment { until: until - (settings.deadline / 4).min(RESERVE), ..world.moment };
        Ok(Self { settings, world, moment, until, origins })
    }

    /// The newest set, with what its sources gave.
    ///
    /// # Errors
    /// Every file that stands in the way of it.
    pub async fn newest(&self, cache: Option<&Cache>) -> Result<(Set, Gathered), Vec<Failed>> {
        let known = cache.map(Cache::known).unwrap_or_default();
        let gathered = self.origins.fetch(&known, self.moment, &self.world.progress).await;
        let set = self.assemble(&gathered, self.moment.unix)?;
        Ok((set, gathered))
    }

    /// The last good set, where the newest one failed so and there is one.
    ///
    /// # Errors
    /// The failures that were, and why the last good set is no help.
    pub async fn last_good(&self, cache: &Cache, mut failed: Vec<Failed>) -> Result<Set, Vec<Failed>> {
        if !may_stand_in(&failed) {
            return Err(failed);
        }
        let reason =
            failed.first().map(|first| format!("{}: {}", first.name, first.failure.message)).unwrap_or_default();
        let mut no_help = Vec::new();
        for place in 0.. {
            let left = self.until.saturating_duration_since(clock::now());
            let recalled = match cache.recall(place, self.moment.unix, left / 2).await {
                None => break,
                Some(Err(failure)) => {
                    no_help.push(Failed { name: "the last good set".to_owned(), source: None, failure });
                    continue;
                }
                Some(Ok(recalled)) => recalled,
            };
            match self.assemble(&recalled.sources, recalled.saved.unwrap_or(self.moment.unix)) {
                Ok(set) => {
                    let manifest = set.manifest.into_stale(self.moment.unix, recalled.saved, reason);
                    tracing::warn!(
                        place = recalled.place,
                        digest = manifest.digest,
                        since = manifest.stale.as_ref().and_then(|stale| stale.since.clone()),
                        stale = true,
                        "a source is down, and the last good set takes the place of the newest"
                    );
                    return Ok(Set { manifest, ..set });
                }
                Err(all) => no_help.extend(all.into_iter().map(|failed| {
                    let message = format!("{}: {}", failed.name, failed.failure.message);
                    let name = "the last good set".to_owned();
                    Failed {
                        name,
                        source: Some(recalled.place.clone()),
                        failure: Failure { message, ..failed.failure },
                    }
                })),
            }
        }
        failed.extend(no_help);
        Err(failed)
    }

    fn assemble(&self, gathered: &Gathered, unix: Duration) -> Result<Set, Vec<Failed>> {
        let location = |spec: &Spec| self.origins.location(&spec.identity());
        assemble(self.settings, self.world.environment, gathered, location, unix)
    }
}
