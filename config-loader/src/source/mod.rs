//! Where files come from. Each kind of source is one file here behind [`Source`].

mod budget;
pub mod file;
pub mod http;
pub mod inline;
#[cfg(feature = "redis")]
pub mod redis;
#[cfg(feature = "s3")]
pub mod s3;

pub use self::budget::Budget;
use async_trait::async_trait;
use bytes::Bytes;

use crate::failure::Failure;

/// Something that files can be fetched from.
#[async_trait]
pub trait Source: std::fmt::Debug + Send + Sync {
    /// Where it is, fit for a log: no credentials, no query.
    fn location(&self) -> String;

    /// Fetches what is there now, once. Time-outs and trying again are the caller's: dropping the future gives up.
    ///
    /// # Errors
    /// [`Failure`], which says whether trying again may help. Content larger than `limits` is [`Failure::data`], found
    /// out without holding more than that in memory.
    async fn fetch(&self, limits: Limits) -> Result<Fetched, Failure>;

    /// The same, unless what is there is still the version `known`: then `None`, if the source can tell.
    ///
    /// # Errors
    /// As of [`Self::fetch`].
    async fn fetch_unless(&self, known: &str, limits: Limits) -> Result<Option<Fetched>, Failure> {
        let _no_way_to_ask = known;
        self.fetch(limits).await.map(Some)
    }
}

/// How much may come.
#[derive(Debug, Clone)]
pub struct Limits {
    /// The largest file, in bytes, after decompression.
    pub file: u64,
    /// How many files a directory may hold.
    pub files: usize,
    /// How much a directory may hold in all, in bytes: what is larger is no set.
    pub set: u64,
    /// What of that is left, where several sources share it.
    pub budget: Budget,
}

/// What was fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// One file, or all of a directory, sorted by name.
    pub content: Content,
    /// What the source calls this version of it: an ETag, an object's version, a modification time.
    pub version: Option<String>,
    /// Where it was in the end, if that is not where it was asked for: what a label led to. Fit for a log.
    pub resolved: Option<String>,
    /// The media type, where the source tells one, without parameters.
    pub media_type: Option<String>,
}

/// One file or several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// One.
    File(Bytes),
    /// Paths relative to the directory, with `/`; none of them leads out of it.
    Directory(Vec<(String, Bytes)>),
}

impl Fetched {
    /// How many bytes it has in all.
    #[must_use]
    pub fn size(&self) -> usize {
        self.content.size()
    }
}

impl Content {
    /// How many bytes it has in all.
    #[must_use]
    pub fn size(&self) -> usize {
        match self {
            Self::File(bytes) => bytes.len(),
            Self::Directory(files) => files.iter().map(|(_, bytes)| bytes.len()).sum(),
        }
    }
}
