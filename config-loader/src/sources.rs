//! From what the settings say about a source to one that can be fetched from.

use std::{sync::Arc, time::Duration};

#[cfg(any(feature = "s3", feature = "redis"))]
use chassis::tls::Roots;
use chassis::{config::Environment, exit::Code};

use crate::{
    failure::Failure,
    file::{self, RedisKey},
    settings::Spec,
    source::{Source, file as local, http, inline},
};

/// Makes sources. What they share is read once.
#[derive(Debug)]
pub struct Sources<'e> {
    environment: &'e Environment,
    trust: http::Trust,
    #[cfg(any(feature = "s3", feature = "redis"))]
    roots: Roots,
    /// How long a server may send nothing, unless its entry says something else.
    stall: Duration,
}

impl<'e> Sources<'e> {
    /// Sources that find proxies, authorities and credentials in `environment`, and have so long until the deadline.
    #[must_use]
    pub fn new(environment: &'e Environment, deadline: Duration) -> Self {
        Self {
            environment,
            // A server that hangs is asked twice.
            stall: deadline / 2,
            trust: http::Trust::of(environment),
            #[cfg(any(feature = "s3", feature = "redis"))]
            roots: Roots::of(environment),
        }
    }

    /// The source that `spec` describes. Nothing is connected to so far.
    ///
    /// # Errors
    /// [`Code::Config`], with everything about it that makes no sense.
    pub fn source(&self, spec: &Spec) -> Result<Arc<dyn Source>, Failure> {
        Ok(match spec {
            Spec::Http(http) => self.http(http)?,
            Spec::File(path) => Arc::new(local::File::new(local::Settings { path: path.clone() })),
            Spec::Inline(content) => Arc::new(inline::Inline::new(inline::Settings { content: content.clone() })),
            Spec::S3(s3) => self.s3(s3)?,
            Spec::Redis(redis) => self.redis(redis)?,
        })
    }

    fn http(&self, http: &file::Http) -> Result<Arc<dyn Source>, Failure> {
        match http::Http::sharing(&http.into(), self.environment, self.trust.clone()) {
            Ok(source) => Ok(Arc::new(source.with_stall(http.timeout.map_or(self.stall, Duration::from)))),
            Err(faults) => {
                let all: Vec<String> = faults
                    .into_iter()
                    .map(|http::Fault { field, message, hint }| format!("{field}: {message} ({hint})"))
                    .collect();
                Err(Failure::new(Code::Config, all.join("; ")))
            }
        }
    }

    #[cfg(feature = "s3")]
    fn s3(&self, s3: &file::S3) -> Result<Arc<dyn Source>, Failure> {
        use crate::source::s3::{S3, Settings};
        let address = s3.url.as_deref().unwrap_or_default().parse().map_err(config)?;
        let file::S3 { url: _, endpoint, region, version } = s3.clone();
        Ok(Arc::new(S3::new(Settings { address, version, endpoint, region }, self.environment, &self.roots)?))
    }

    #[cfg(not(feature = "s3"))]
    fn s3(&self, _: &file::S3) -> Result<Arc<dyn Source>, Failure> {
        Err(Failure::new(Code::Config, "this config-loader was built without S3"))
    }

    #[cfg(feature = "redis")]
    fn redis(&self, redis: &RedisKey) -> Result<Arc<dyn Source>, Failure> {
        use crate::source::redis::{Redis, Settings};
        let settings = Settings::of(redis, self.roots.clone()).map_err(config)?;
        Ok(Arc::new(Redis::new(settings, redis.key.clone().unwrap_or_default())))
    }

    #[cfg(not(feature = "redis"))]
    fn redis(&self, _: &RedisKey) -> Result<Arc<dyn Source>, Failure> {
        Err(Failure::new(Code::Config, "this config-loader was built without Redis"))
    }
}

#[cfg(any(feature = "s3", feature = "redis"))]
fn config(fault: chassis::config::UrlFault) -> Failure {
    Failure::new(Code::Config, format!("its URL {}", fault.message)).with_hint(fault.hint)
}
