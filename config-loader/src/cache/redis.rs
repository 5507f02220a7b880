//! A key in Redis for each set that is started from it. It expires when nobody may use it any more.

use std::{fmt, time::Duration};

use chassis::{exit::Code, tls::Roots};

use super::Record;
use crate::{
    failure::Failure,
    file::RedisKey,
    source::redis::{Settings, get, set},
};

#[derive(Debug)]
pub(super) struct Redis {
    settings: Settings,
    key: String,
    largest: u64,
    max_stale: Duration,
}

impl Redis {
    pub(super) fn new(
        given: &RedisKey,
        name: &str,
        largest: u64,
        max_stale: Duration,
        roots: Roots,
    ) -> Result<Self, Failure> {
        let settings = Settings::of(given, roots).map_err(|fault| {
            Failure::new(Code::Config, format!("cache.redis.url {}", fault.message)).with_hint(fault.hint)
        })?;
        let key = format!("{}:{name}", given.key.as_deref().unwrap_or_default());
        Ok(Self { settings, key, largest, max_stale })
    }

    pub(super) async fn recall(&self) -> Result<Option<Record>, Failure> {
        let Some(bytes) = get(&self.settings, &self.key, self.largest).await? else { return Ok(None) };
        let broken = |wrong| Failure::unavailable(format!("{self}: is no set: {wrong}"));
        Record::from_bytes(&bytes).map(Some).map_err(|wrong| broken(wrong).with_hint("it is replaced by the next run"))
    }

    pub(super) async fn save(&self, record: &Record) -> Result<(), Failure> {
        let software = |error: serde_json::Error| Failure::new(Code::Software, error.to_string());
        let bytes = record.to_bytes().map_err(software)?;
        set(&self.settings, &self.key, &bytes, self.max_stale).await
    }
}

impl fmt::Display for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} key {}", self.settings.address, self.key)
    }
}
