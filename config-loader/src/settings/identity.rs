//! What tells one source from another.

use serde::{Deserialize, Serialize};

use super::Spec;
use crate::manifest::sha256;

/// Equal for the same place asked for the same thing in the same way, credentials included: what one may see is not what
/// another may. A digest, since addresses may hold secrets.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Identity(String);

impl Identity {
    /// The digest, in hex.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Spec {
    /// What tells this source from others.
    #[must_use]
    pub fn identity(&self) -> Identity {
        // It cannot fail: these are plain values with names.
        Identity(sha256(&serde_json::to_vec(self).unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::file::{Http, RedisKey, S3};

    #[test]
    fn what_is_asked_for_and_who_asks_tells_sources_apart() {
        let http = |url: &str| Http::of(url.to_owned());
        let with = |name: &str, value: &str| Http {
            headers: [(name.to_owned(), value.to_owned())].into(),
            ..http("http://a/b")
        };
        let different = [
            Spec::Http(http("http://a/b")),
            Spec::Http(http("http://a/b?v=2")),
            Spec::Http(with("x-tenant", "a")),
            Spec::Http(with("x-tenant", "b")),
            Spec::File("/a".into()),
            Spec::Inline("/a".to_owned()),
            Spec::S3(S3::of("s3://a/b".to_owned())),
            Spec::S3(S3 { version: Some("2".to_owned()), ..S3::of("s3://a/b".to_owned()) }),
            Spec::Redis(RedisKey::of("redis://a/0".to_owned(), "k".to_owned())),
            Spec::Redis(RedisKey::of("redis://a/0k".to_owned(), String::new())),
        ];
        let identities: BTreeSet<Identity> = different.iter().map(Spec::identity).collect();
        assert_eq!(identities.len(), different.len());

        let token = |path: &str| Spec::Http(Http { bearer_file: Some(path.to_owned()), ..http("http://a/b") });
        assert_ne!(token("/a").identity(), different[0].identity());
        assert_ne!(token("/a").identity(), token("/b").identity());
        assert_eq!(token("/a").identity(), token("/a").identity());
    }
}
