//! What tells one source from another.

use serde::{Deserialize, Serialize};

use super::Spec;
use crate::manifest::sha256;

/// Equal for the same place asked for the same thing, whoever asks and whomever it trusts. A digest, since addresses may
/// hold secrets.
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
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let parts = match self {
            Self::Http(http) => {
                // A header may choose what comes: a tenant, a media type.
                let headers = http.headers.iter().flat_map(|(name, value)| [name.to_ascii_lowercase(), value.clone()]);
                ["http".to_owned(), text(&http.url)].into_iter().chain(headers).collect()
            }
            Self::File(path) => vec!["file".to_owned(), path.to_string_lossy().into_owned()],
            Self::S3(s3) => vec!["s3".to_owned(), text(&s3.url), text(&s3.endpoint), text(&s3.version)],
            Self::Redis(redis) => vec!["redis".to_owned(), text(&redis.url), text(&redis.key)],
            Self::Inline(content) => vec!["inline".to_owned(), content.clone()],
        };
        // Lengths, so that no two lists of parts become one text.
        let text: String = parts.iter().map(|part| format!("{}:{part}", part.len())).collect();
        Identity(sha256(text.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::file::{Http, RedisKey, S3};

    #[test]
    fn what_is_asked_for_tells_sources_apart_and_who_asks_does_not() {
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

        let token = Spec::Http(Http { bearer_file: Some("/token".to_owned()), ..http("http://a/b") });
        assert_eq!(token.identity(), different[0].identity());
        assert_eq!(Spec::Http(with("X-Tenant", "a")).identity(), different[2].identity());
    }
}
