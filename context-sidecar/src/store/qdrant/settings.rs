//! Which Qdrant, and how it is spoken to.

use std::num::NonZeroU32;
use std::path::PathBuf;

use reqwest::Url;

use crate::store::Fault;

/// Which Qdrant, and how.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Where it is: `http://qdrant:6333`. With a path where it is behind a proxy.
    pub url: String,
    /// A file with the API key in it.
    pub api_key_file: Option<PathBuf>,
    /// How many replicas have to agree on what is read; Qdrant's own default where it is not said.
    pub consistency: Option<Consistency>,
    /// Metadata that is filtered by, and of which kind it is. Without an index a filter is slow, or refused in strict mode.
    pub indexes: Vec<(String, Indexed)>,
    /// Of how many shards a new collection is; Qdrant's own default where it is not said.
    pub shards: Option<NonZeroU32>,
    /// How many replicas a new collection has of each shard.
    pub replicas: Option<NonZeroU32>,
    /// How many replicas have to have a write before it is acknowledged.
    pub write_consistency: Option<NonZeroU32>,
}

/// How many replicas have to agree on what is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consistency {
    /// More than half of those that there are.
    Majority,
    /// More than half of those that answer.
    Quorum,
    /// All of them.
    All,
    /// So many.
    Of(NonZeroU32),
}

/// What kind of metadata is indexed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Indexed {
    /// Text, compared as a whole.
    Keyword,
    /// Numbers, whole or not.
    Number,
    /// True or false.
    Bool,
}

impl Consistency {
    /// As a query says it.
    pub(super) fn query(self) -> String {
        match self {
            Self::Majority => "majority".to_owned(),
            Self::Quorum => "quorum".to_owned(),
            Self::All => "all".to_owned(),
            Self::Of(replicas) => replicas.to_string(),
        }
    }
}

impl Indexed {
    /// As Qdrant names it. A range finds whole numbers in an index of fractions as well, but not the other way round.
    pub(super) const fn schema(self) -> &'static str {
        match self {
            Self::Keyword => "keyword",
            Self::Number => "float",
            Self::Bool => "bool",
        }
    }
}

/// The address, with a `/` at its end, so that paths can be joined to it.
pub(super) fn address(text: &str) -> Result<Url, Fault> {
    let refuse = |why: &str| Fault::Refused(format!("QDRANT_URL: {why}; it is to be such as http://qdrant:6333"));
    let mut url: Url = text.trim().parse().map_err(|_| refuse("is no URL"))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(refuse("begins neither with http:// nor with https://"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(refuse("has a credential in it, which belongs into QDRANT_API_KEY_FILE"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(refuse("has a query in it"));
    }
    if url.port() == Some(6334) {
        return Err(refuse("names port 6334, which is for gRPC"));
    }
    if !url.path().ends_with('/') {
        url.set_path(&format!("{}/", url.path()));
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_address_of_a_qdrant_is_told_without_quoting_it() {
        for (text, says) in [
            ("qdrant", "is no URL"),
            ("grpc://qdrant:6334", "begins neither"),
            ("http://ada:secret@qdrant:6333", "QDRANT_API_KEY_FILE"),
            ("http://qdrant:6333/?api-key=secret", "a query"),
            ("http://qdrant:6334", "gRPC"),
        ] {
            let told = address(text).unwrap_err().to_string();
            assert!(told.starts_with("QDRANT_URL: ") && told.contains(says) && !told.contains("secret"), "{told}");
        }
        assert_eq!(address("https://q.example/db").unwrap().as_str(), "https://q.example/db/");
    }
}
