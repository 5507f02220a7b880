//! Content that stands in the configuration itself.

use async_trait::async_trait;
use bytes::Bytes;

use super::{Content, Fetched, Limits, Source};
use crate::failure::Failure;

/// What there is to fetch: all of it is here already.
#[derive(Clone, PartialEq, Eq)]
pub struct Settings {
    /// The content.
    pub content: String,
}

/// The source of one file.
#[derive(Clone, PartialEq, Eq)]
pub struct Inline {
    content: Bytes,
}

impl Inline {
    /// A source that always has this.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        Self { content: settings.content.into() }
    }
}

#[async_trait]
impl Source for Inline {
    fn location(&self) -> String {
        "inline".to_owned()
    }

    async fn fetch(&self, limits: Limits) -> Result<Fetched, Failure> {
        let (size, most) = (self.content.len(), limits.file);
        if u64::try_from(size).is_ok_and(|size| size <= most) {
            return Ok(Fetched {
                content: Content::File(self.content.clone()),
                version: None,
                resolved: None,
                media_type: None,
            });
        }
        let message = format!("inline: has {size} bytes, more than the {most} that are allowed");
        Err(Failure::data(message).with_hint("make it smaller, or raise max_size or limits.file"))
    }
}

/// Tells the size only: a log is no place for a prompt.
impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Settings({} bytes)", self.content.len())
    }
}

impl std::fmt::Debug for Inline {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Inline({} bytes)", self.content.len())
    }
}

#[cfg(test)]
mod tests {
    use chassis::exit::Code;

    use super::*;
    use crate::source::Budget;

    fn inline(text: &str) -> Inline {
        Inline::new(Settings { content: text.to_owned() })
    }

    #[tokio::test]
    async fn it_is_what_was_written_up_to_the_limit() {
        let fetched = inline("four").fetch(Limits { file: 4, files: 1, set: 4, budget: Budget::NONE }).await.unwrap();
        assert_eq!(fetched.content, Content::File(Bytes::from_static(b"four")));
        assert_eq!((fetched.version, fetched.media_type), (None, None));
        let failure =
            inline("fiver").fetch(Limits { file: 4, files: 1, set: 4, budget: Budget::NONE }).await.unwrap_err();
        assert_eq!(failure.code, Code::Data);
        assert_eq!(failure.message, "inline: has 5 bytes, more than the 4 that are allowed");
    }

    #[test]
    fn its_content_is_in_no_log() {
        let settings = Settings { content: "be evil".to_owned() };
        assert_eq!(format!("{settings:?} {:?}", inline("be evil")), "Settings(7 bytes) Inline(7 bytes)");
    }
}
