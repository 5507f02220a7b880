//! What a set's sources give: asked all at once, or remembered from the last time that the set was good.

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use chassis::{clock, config::Environment};

use crate::{
    cache::Record,
    fetch::{Asked, Gathered, fetch_all},
    progress::Progress,
    report::Failed,
    settings::{Entry, Identity, Settings},
    source::{Budget, Fetched, Limits, Source},
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

/// The sources of a set, none of them asked yet.
#[derive(Debug)]
pub struct Origins {
    sources: BTreeMap<Identity, Origin>,
    /// The largest set, in bytes.
    most: u64,
}

/// A source, and what holds for all entries that want it.
#[derive(Debug)]
struct Origin {
    source: Arc<dyn Source>,
    limits: Limits,
    /// What it gives is proven by a pin or a signature, so that it does not matter where it comes from.
    is_proven: bool,
    is_optional: bool,
}

impl Origins {
    /// The sources of the files and of their signatures.
    ///
    /// # Errors
    /// Every entry with a source that cannot be.
    pub fn of(settings: &Settings, environment: &Environment) -> Result<Self, Vec<Failed>> {
        let makers = Sources::new(environment, settings.deadline);
        let mut sources: BTreeMap<Identity, Origin> = BTreeMap::new();
        let mut failed = Vec::new();
        for entry in &settings.entries {
            let is_proven = entry.checks.sha256.is_some() || entry.signature.is_some();
            for spec in [Some(&entry.source), entry.signature.as_ref()].into_iter().flatten() {
                let wanted = limits(entry, settings);
                match (sources.get_mut(&spec.identity()), makers.source(spec)) {
                    // Asked once, for as much as the larger of them may have.
                    (Some(origin), _) => {
                        origin.limits.file = origin.limits.file.max(wanted.file);
                        origin.is_proven &= is_proven;
                        origin.is_optional &= entry.optional;
                    }
                    (None, Ok(source)) => {
                        let origin = Origin { source, limits: wanted, is_proven, is_optional: entry.optional };
                        sources.insert(spec.identity(), origin);
                    }
                    (None, Err(failure)) => failed.push(Failed { name: entry.name.clone(), source: None, failure }),
                }
            }
        }
        if failed.is_empty() { Ok(Self { sources, most: settings.limits.set }) } else { Err(failed) }
    }

    /// Where a source is, fit for a log.
    #[must_use]
    pub fn location(&self, identity: &Identity) -> String {
        self.sources.get(identity).map(|origin| origin.source.location()).unwrap_or_default()
    }

    /// Asks all of them, those that the set can do without for a third of the time. Of what is in `known`, sources that
    /// can tell say only that it has not changed.
    pub async fn fetch(&self, known: &Record, moment: Moment, progress: &Arc<dyn Progress>) -> Gathered {
        let budget = Budget::of(self.most);
        let left = moment.until.saturating_duration_since(clock::now());
        let asked = self.sources.iter().map(|(identity, origin)| Asked {
            source: Arc::clone(&origin.source),
            limits: Limits { budget: budget.clone(), ..origin.limits.clone() },
            known: known.sources.get(identity).filter(|known| origin.may_be(known)).cloned(),
            until: if origin.is_optional { moment.until - left * 2 / 3 } else { moment.until },
        });
        let outcomes = fetch_all(asked.collect(), moment.seed, progress).await;
        self.sources.keys().cloned().zip(outcomes).collect()
    }
}

impl Origin {
    /// Whether this may be used when the source says that it has not changed. Whoever can write where it was kept could
    /// have changed it, so it has to be proven; and what a label leads to is not asked for by the label.
    fn may_be(&self, known: &Fetched) -> bool {
        self.is_proven && known.resolved.is_none()
    }
}

fn limits(entry: &Entry, settings: &Settings) -> Limits {
    let file = entry.checks.max_size.map_or(settings.limits.file, |size| size.get());
    Limits { file, ..settings.limits.clone() }
}
