//! What a set's sources give: asked all at once, or remembered from the last time that the set was good.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use chassis::config::Environment;

use crate::{
    cache::Record,
    failure::Failure,
    fetch::{Asked, fetch_all},
    progress::Progress,
    report::Failed,
    settings::{Entry, Identity, Settings, Spec},
    source::{Fetched, Limits, Source},
    sources::Sources,
};

/// When and how chance falls: what a run takes from outside.
#[derive(Debug, Clone, Copy)]
pub struct Moment {
    /// When it must be over.
    pub until: Instant,
    /// The time, since 1970.
    pub unix: Duration,
    /// Decides the jitter.
    pub seed: u64,
}

/// What each source gave, or why it gave nothing.
pub type Gathered = BTreeMap<Identity, Result<Fetched, Failure>>;

/// The sources of a set, none of them asked yet.
#[derive(Debug)]
pub struct Origins {
    sources: BTreeMap<Identity, (Arc<dyn Source>, Limits)>,
}

impl Origins {
    /// The sources of the files and of their signatures.
    ///
    /// # Errors
    /// Every entry with a source that cannot be.
    pub fn of(settings: &Settings, environment: &Environment) -> Result<Self, Vec<Failed>> {
        let makers = Sources::new(environment);
        let mut sources = BTreeMap::new();
        let mut failed = Vec::new();
        for entry in &settings.entries {
            for spec in [Some(&entry.source), entry.signature.as_ref()].into_iter().flatten() {
                match makers.source(spec) {
                    Ok(source) => add(&mut sources, spec, source, limits(entry, settings)),
                    Err(failure) => failed.push(Failed { name: entry.name.clone(), source: None, failure }),
                }
            }
        }
        if failed.is_empty() { Ok(Self { sources }) } else { Err(failed) }
    }

    /// Where a source is, fit for a log.
    #[must_use]
    pub fn location(&self, identity: &Identity) -> String {
        self.sources.get(identity).map(|(source, _)| source.location()).unwrap_or_default()
    }

    /// Asks all of them. Of what is in `known`, sources that can tell say only that it has not changed.
    pub async fn fetch(&self, known: &Record, moment: Moment, progress: &Arc<dyn Progress>) -> Gathered {
        let asked = self.sources.iter().map(|(identity, (source, limits))| Asked {
            source: Arc::clone(source),
            limits: *limits,
            known: known.sources.get(identity).cloned(),
        });
        let outcomes = fetch_all(asked.collect(), moment.until, moment.seed, progress).await;
        self.sources.keys().cloned().zip(outcomes).collect()
    }
}

/// A source that two entries share is asked once, for as much as the larger of them may have.
fn add(
    sources: &mut BTreeMap<Identity, (Arc<dyn Source>, Limits)>,
    spec: &Spec,
    source: Arc<dyn Source>,
    limits: Limits,
) {
    let (_, allowed) = sources.entry(spec.identity()).or_insert((source, limits));
    allowed.file = allowed.file.max(limits.file);
}

fn limits(entry: &Entry, settings: &Settings) -> Limits {
    let file = entry.checks.max_size.map_or(settings.limits.file, |size| size.get());
    Limits { file, ..settings.limits }
}
