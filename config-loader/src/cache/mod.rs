//! The last known good: what the sources of a set gave when all of it was good, kept where it outlives the pod.
//!
//! Kept is what came in, not what went out: so what comes back goes through every check again, and neither a wrong pin
//! nor a wrong signature is ever let through because of it.

mod bundled;
mod directory;
mod record;
#[cfg(feature = "redis")]
mod redis;

use std::{collections::BTreeMap, fmt, time::Duration};

use chassis::{config::Environment, exit::Code};

pub use self::record::Record;
use crate::{
    failure::Failure,
    fetch::Gathered,
    manifest::sha256,
    report::Failed,
    settings::{self, Identity, Settings},
    source::file::blocking,
};

/// Variables that decide of whom an object in S3 is asked, and by whom: what one account sees is not another's.
const AWS: [&str; 6] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_DEFAULT_REGION",
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_S3",
    "AWS_REGION",
    "AWS_ROLE_ARN",
];

/// How long a place of the cache may take to answer.
const WITHIN: Duration = Duration::from_secs(5);

/// How long it may keep sources from being asked.
const SOON: Duration = Duration::from_secs(1);

/// Whether the last good set may stand in for one that failed so: what is down may be, what is wrong may not.
#[must_use]
pub fn may_stand_in(failed: &[Failed]) -> bool {
    !failed.is_empty() && failed.iter().all(|failed| matches!(failed.failure.code, Code::Unavailable | Code::Deadline))
}

/// Where the last good set is kept, or may be found.
#[derive(Debug)]
pub struct Cache {
    places: Vec<Place>,
    max_stale: Duration,
    /// The identities of all sources of the set.
    wanted: Vec<Identity>,
}

/// One of them.
#[derive(Debug)]
enum Place {
    Directory(directory::Directory),
    #[cfg(feature = "redis")]
    Redis(redis::Redis),
    Bundled(bundled::Bundled),
}

/// What was found.
#[derive(Debug)]
pub struct Recalled {
    /// What the sources gave.
    pub sources: Gathered,
    /// When that was, since 1970; a bundled set has no age.
    pub saved: Option<Duration>,
    /// Where it was found.
    pub place: String,
}

impl Cache {
    /// The cache that the settings name, if they do.
    ///
    /// # Errors
    /// [`Code::Config`]: a place that cannot be one.
    pub fn of(settings: &Settings, environment: &Environment) -> Result<Option<Self>, Failure> {
        let Some(settings::Cache { directory, redis, bundled, max_stale }) = &settings.cache else { return Ok(None) };
        let mut wanted: Vec<Identity> = settings.entries.iter().map(|entry| entry.source.identity()).collect();
        wanted.extend(settings.entries.iter().filter_map(|entry| Some(entry.signature.as_ref()?.identity())));
        wanted.sort();
        wanted.dedup();
        // Sets that share a place do not overwrite each other: while one version of an agent replaces another, both start.
        let asked_of = AWS.iter().filter_map(|name| environment.get(name));
        let name = wanted.iter().map(Identity::as_str).chain(asked_of).collect::<Vec<_>>().join(" ");
        let name = sha256(name.as_bytes());
        let name = name.get(..16).unwrap_or(&name);
        let largest = settings.limits.set.saturating_mul(2).saturating_add(1 << 20);

        let mut places = Vec::new();
        places.extend(
            directory.as_ref().map(|path| Place::Directory(directory::Directory::new(path.clone(), name, largest))),
        );
        if let Some(redis) = redis {
            places.push(in_redis(redis, name, largest, *max_stale, environment)?);
        }
        places.extend(bundled.as_ref().map(|path| Place::Bundled(bundled::Bundled::new(path.clone(), settings))));
        Ok(Some(Self { places, max_stale: *max_stale, wanted }))
    }

    /// What is known of the sources without asking anybody: sources can be asked whether it still holds.
    pub async fn known(&self) -> Record {
        let near = self.places.iter().find(|place| matches!(place, Place::Directory(_)));
        let Some(near) = near else { return Record::default() };
        // What cannot be read, or not soon, is told when it is needed.
        let read = tokio::time::timeout(SOON, near.record()).await;
        read.ok().and_then(Result::ok).flatten().unwrap_or_default()
    }

    /// What is found at a place, by its number, if there are so many: the first that makes a set is the one to take.
    ///
    /// # Errors
    /// [`Code::Unavailable`]: there is none, it is too old, or nothing was heard `within` this time.
    pub async fn recall(&self, place: usize, now: Duration, within: Duration) -> Option<Result<Recalled, Failure>> {
        let place = self.places.get(place)?;
        let within = within.min(WITHIN);
        Some(match tokio::time::timeout(within, self.look(place, now)).await {
            Ok(recalled) => recalled,
            Err(_) => Err(Failure::unavailable(format!("{place}: no answer within {within:.1?}"))),
        })
    }

    async fn look(&self, place: &Place, now: Duration) -> Result<Recalled, Failure> {
        let record = match place {
            Place::Bundled(bundled) => {
                let sources = bundled.recall().await;
                return Ok(Recalled { sources, saved: None, place: place.to_string() });
            }
            Place::Directory(_) => place.record().await?,
            #[cfg(feature = "redis")]
            Place::Redis(_) => place.record().await?,
        };
        let record = record.ok_or_else(|| {
            Failure::unavailable(format!("{place}: holds no set of these sources"))
                .with_hint("a run that succeeds leaves one there")
        })?;
        let age = now.saturating_sub(record.saved);
        if age > self.max_stale {
            let [age, most] = [age, self.max_stale].map(|time| humantime::format_duration(whole_minutes(time)));
            return Err(Failure::unavailable(format!(
                "{place}: holds a set that was good {age} ago, and {most} are allowed"
            ))
            .with_hint("mend the source, or raise cache.max_stale"));
        }
        let missing =
            |identity: &Identity| (identity.clone(), Err(Failure::unavailable("is not in the last good set")));
        let mut sources: Gathered = self.wanted.iter().map(missing).collect();
        sources.extend(record.sources.into_iter().map(|(identity, fetched)| (identity, Ok(fetched))));
        Ok(Recalled { sources, saved: Some(record.saved), place: place.to_string() })
    }

    /// Keeps what the sources gave, beside what was kept of optional ones that gave nothing now. A run does not fail for
    /// it: what cannot be kept is logged.
    pub async fn save(&self, gathered: &Gathered, now: Duration) {
        let sources: BTreeMap<_, _> = gathered
            .iter()
            .filter_map(|(identity, result)| Some((identity.clone(), result.as_ref().ok()?.clone())))
            .collect();
        let is_whole = sources.len() == gathered.len();
        let record = Record { saved: now, sources };
        for place in self.places.iter().filter(|place| !matches!(place, Place::Bundled(_))) {
            let saving = async {
                let mut record = record.clone();
                if !is_whole && let Ok(Some(before)) = place.record().await {
                    record.sources = before.sources.into_iter().chain(record.sources).collect();
                }
                place.save(record).await
            };
            let saved = match tokio::time::timeout(WITHIN, saving).await {
                Ok(saved) => saved,
                Err(_) => Err(Failure::unavailable(format!("no answer within {}s", WITHIN.as_secs()))),
            };
            match saved {
                Ok(()) => tracing::debug!(%place, "kept as the last good set"),
                Err(failure) => tracing::warn!(%place, "this set is good, and could not be kept: {failure}"),
            }
        }
    }
}

impl Place {
    /// What is kept there, if anything is.
    async fn record(&self) -> Result<Option<Record>, Failure> {
        match self {
            Self::Directory(directory) => {
                let directory = directory.clone();
                blocking(move || directory.recall()).await
            }
            #[cfg(feature = "redis")]
            Self::Redis(redis) => redis.recall().await,
            Self::Bundled(_) => Ok(None),
        }
    }

    async fn save(&self, record: Record) -> Result<(), Failure> {
        match self {
            Self::Directory(directory) => {
                let directory = directory.clone();
                blocking(move || directory.save(&record)).await
            }
            #[cfg(feature = "redis")]
            Self::Redis(redis) => redis.save(&record).await,
            Self::Bundled(_) => Ok(()),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(directory) => directory.fmt(f),
            #[cfg(feature = "redis")]
            Self::Redis(redis) => redis.fmt(f),
            Self::Bundled(bundled) => bundled.fmt(f),
        }
    }
}

#[cfg(feature = "redis")]
fn in_redis(
    settings: &crate::file::RedisKey,
    name: &str,
    largest: u64,
    max_stale: Duration,
    environment: &Environment,
) -> Result<Place, Failure> {
    redis::Redis::new(settings, name, largest, max_stale, chassis::tls::Roots::of(environment)).map(Place::Redis)
}

#[cfg(not(feature = "redis"))]
fn in_redis(_: &crate::file::RedisKey, _: &str, _: u64, _: Duration, _: &Environment) -> Result<Place, Failure> {
    Err(Failure::new(Code::Config, "this config-loader was built without Redis"))
}

/// Nobody counts the seconds of days.
fn whole_minutes(time: Duration) -> Duration {
    let seconds = time.as_secs();
    Duration::from_secs(if seconds < 120 { seconds } else { seconds / 60 * 60 })
}
