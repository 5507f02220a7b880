//! A key in Redis: the source of one file, and where the cache keeps its set.
//!
//! `STRLEN`, `EXISTS` and `GETRANGE` are all that is asked for, so that a user who may read is enough, and so that no
//! more comes than is allowed, whatever has been written in between.

mod address;
mod bounded;
mod connection;
mod refusal;

use std::path::PathBuf;
use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use ::redis::{RedisError, RedisResult, cmd};
use async_trait::async_trait;
use bytes::Bytes;
use chassis::{config::UrlFault, tls::Roots};

use self::connection::open;
use super::{Content, Fetched, Limits, Source};
use crate::failure::{Failure, Retry};
use crate::file::RedisKey;

pub use self::address::Address;

/// A server, and as whom it is spoken to.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where it is.
    pub address: Address,
    /// A user, where Redis has ACLs.
    pub username: Option<String>,
    /// A file with the password. It is read for every connection, so that a new one is seen.
    pub password_file: Option<PathBuf>,
    /// Whom its certificate is to be trusted by.
    pub roots: Roots,
}

impl Settings {
    /// What the file says.
    ///
    /// # Errors
    /// What is wrong with its URL.
    pub fn of(given: &RedisKey, roots: Roots) -> Result<Self, UrlFault> {
        Ok(Self {
            address: given.url.as_deref().unwrap_or_default().parse()?,
            username: given.username.clone(),
            password_file: given.password_file.as_ref().map(Into::into),
            roots,
        })
    }
}

/// The source of one file: a key whose value is a string.
#[derive(Debug, Clone)]
pub struct Redis {
    settings: Settings,
    key: String,
}

impl Redis {
    /// A source that reads this key. Nothing is connected to so far.
    #[must_use]
    pub fn new(settings: Settings, key: impl Into<String>) -> Self {
        Self { settings, key: key.into() }
    }
}

#[async_trait]
impl Source for Redis {
    fn location(&self) -> String {
        location(&self.settings, &self.key)
    }

    async fn fetch(&self, limits: Limits) -> Result<Fetched, Failure> {
        let Some(bytes) = get(&self.settings, &self.key, limits.file).await? else {
            let failure = Failure::unavailable(format!("{}: there is no such key", self.location()));
            return Err(failure
                .with_retry(Retry::Never)
                .with_hint("set it, or correct the key or the database's number"));
        };
        let mut charge = limits.budget.charge();
        charge
            .take(bytes.len())
            .map_err(|failure| Failure { message: format!("{}: {}", self.location(), failure.message), ..failure })?;
        charge.keep();
        Ok(Fetched { content: Content::File(bytes), version: None, resolved: None, media_type: None })
    }
}

/// The value of a key, if there is one, of at most `limit` bytes.
///
/// # Errors
/// [`Failure`]: the server cannot be reached, refuses us, has a value there that is no string, or one that is larger.
pub async fn get(settings: &Settings, key: &str, limit: u64) -> Result<Option<Bytes>, Failure> {
    let (mut connection, line) = open(settings, key, limit).await?;
    let flooded = line.flooded();
    let found = match line.carry(read(&mut connection, key, limit)).await {
        Err(_) if flooded.is_so() => Ok(Found::Larger),
        other => other,
    };
    match found.map_err(|error| refusal::told(&location(settings, key), settings, &error))? {
        Found::Nothing => Ok(None),
        Found::Value(bytes) => Ok(Some(bytes.into())),
        Found::Larger => {
            let place = location(settings, key);
            let message = format!("{place}: is larger than the {limit} bytes that are allowed");
            Err(Failure::data(message).with_hint("make it smaller, or raise max_size or limits.file"))
        }
    }
}

/// Writes a key, whatever was there. It is gone after `expires`, in whole seconds.
///
/// # Errors
/// [`Failure`]: the server cannot be reached or refuses us.
pub async fn set(settings: &Settings, key: &str, bytes: &[u8], expires: Duration) -> Result<(), Failure> {
    let (mut connection, line) = open(settings, key, 0).await?;
    let mut command = cmd("SET");
    command.arg(key).arg(bytes).arg("EX").arg(expires.as_secs().max(1));
    let done = line.carry(command.query_async(&mut connection)).await;
    done.map_err(|error| refusal::told(&location(settings, key), settings, &error))
}

enum Found {
    Nothing,
    Value(Vec<u8>),
    Larger,
}

async fn read(connection: &mut MultiplexedConnection, key: &str, limit: u64) -> RedisResult<Found> {
    let larger = |size: u64| size > limit;
    let size: u64 = cmd("STRLEN").arg(key).query_async(connection).await?;
    if larger(size) {
        return Ok(Found::Larger);
    }
    if size == 0 {
        let exists: bool = cmd("EXISTS").arg(key).query_async(connection).await?;
        return Ok(if exists { Found::Value(Vec::new()) } else { Found::Nothing });
    }
    // Up to and including the byte that is one too many.
    let value: Vec<u8> = cmd("GETRANGE").arg(key).arg(0).arg(limit).query_async(connection).await?;
    let read = u64::try_from(value.len()).map_err(|_| RedisError::from(std::io::Error::other("no such size")))?;
    Ok(match read {
        // Nothing is kept in Redis that is empty and was not: it has been deleted meanwhile.
        0 => Found::Nothing,
        read if larger(read) => Found::Larger,
        _ => Found::Value(value),
    })
}

fn location(settings: &Settings, key: &str) -> String {
    format!("{} key {key}", settings.address)
}
