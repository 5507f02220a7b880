//! Counting tokens, by which chunks are cut and contexts are packed.

/// Something that cuts text into tokens.
///
/// Behind the end of a line, and before what is neither white space nor `/`, a token must end: what packs a context adds
/// the counts of its lines up.
pub trait Counter: Send + Sync {
    /// How many tokens a text has.
    fn count(&self, text: &str) -> usize;

    /// Where each of them ends, in bytes, in order, and never within a character; the last is the end of the text.
    fn ends(&self, text: &str) -> Vec<usize>;
}

/// The tokens of OpenAI's models, near to what others have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct O200k;

impl Counter for O200k {
    fn count(&self, text: &str) -> usize {
        o200k::count(text)
    }

    fn ends(&self, text: &str) -> Vec<usize> {
        o200k::ends(text)
    }
}
