//! From settings to a set that may be published: the newest, or the last good one where a source is down.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use chassis::{clock, config::Environment};

use crate::{
    assemble::{Set, assemble},
    cache::{Cache, Record, may_stand_in},
    failure::Failure,
    fetch::Gathered,
    gather::{Moment, Origins},
    manifest,
    progress::Progress,
    publish,
    report::Failed,
    settings::{Entry, Settings, Spec},
    stage::{Progressing, Stage},
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
    /// Where it is told how far it has come.
    pub stage: Arc<Progressing>,
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
        let known = match cache {
            Some(cache) => cache.known().await,
            None => Record::default(),
        };
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
        let published = self.published();
        let mut no_help = Vec::new();
        for place in 0.. {
            self.world.stage.enter(Stage::Recalling);
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
                    let newer = published.filter(|(_, good_at)| recalled.saved.is_none_or(|saved| *good_at > saved));
                    return Ok(match newer {
                        Some((set, good_at)) => self.stale(set, "where it is published", Some(good_at), reason),
                        None => self.stale(set, &recalled.place, recalled.saved, reason),
                    });
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
        if let Some((set, good_at)) = published {
            return Ok(self.stale(set, "where it is published", Some(good_at), reason));
        }
        failed.extend(no_help);
        Err(failed)
    }

    /// What is published already, and when it was good: a cache must not bring back what is older than that. It cannot be
    /// checked again as what came in can, so it does not stand in for what has to be proven.
    fn published(&self) -> Option<(Set, Duration)> {
        let proven = |entry: &Entry| entry.signature.is_some() || entry.checks.sha256.is_some();
        let (manifest, files) = publish::published(&self.settings.directory).ok()??;
        let good_at = manifest.good_at()?;
        let age = self.moment.unix.saturating_sub(good_at);
        let is_recent = self.settings.cache.as_ref().is_some_and(|cache| age <= cache.max_stale);
        let is_whole =
            manifest.files.iter().zip(&files).all(|(told, file)| told.sha256 == manifest::sha256(&file.bytes));
        let told = |entry: &Entry| {
            let location = self.origins.location(&entry.source.identity());
            let mut of_it = manifest.files.iter().filter(|file| file.name == entry.name).peekable();
            let is_there = of_it.peek().is_some() || entry.optional;
            is_there && of_it.all(|file| file.source == location && file.target.starts_with(entry.target.as_str()))
        };
        let is_this = self.settings.entries.iter().all(|entry| !proven(entry) && told(entry))
            && manifest.files.iter().all(|file| self.settings.entries.iter().any(|entry| entry.name == file.name));
        (is_recent && is_whole && is_this).then_some((Set { files, manifest, warnings: Vec::new() }, good_at))
    }

    fn stale(&self, set: Set, place: &str, good_at: Option<Duration>, reason: String) -> Set {
        let manifest = set.manifest.into_stale(self.moment.unix, good_at, reason);
        tracing::warn!(
            place,
            digest = manifest.digest,
            since = manifest.stale.as_ref().and_then(|stale| stale.since.clone()),
            stale = true,
            "a source is down, and the last good set takes the place of the newest"
        );
        Set { manifest, ..set }
    }

    fn assemble(&self, gathered: &Gathered, unix: Duration) -> Result<Set, Vec<Failed>> {
        self.world.stage.enter(Stage::Checking);
        let location = |spec: &Spec| self.origins.location(&spec.identity());
        assemble(self.settings, self.world.environment, gathered, location, unix)
    }
}
