//! How much of a value that makes no sense is shown in the complaint about it.
//!
//! Quoting it helps to find it, but a credential pasted into the wrong field must not end up in the
//! logs. Words that people mean are short or plain, and credentials are neither.

/// Nothing longer than this is shown whole. Keys of model providers have 32 characters and more.
const WHOLE: usize = 24;

/// Not even plain words are shown beyond this.
const LONGEST: usize = 64;

/// What is left of anything longer: enough to recognise what it was.
const HEAD: usize = 6;

/// The text, or its first characters and an ellipsis.
#[must_use]
pub fn excerpt(text: &str) -> String {
    let plain = text.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'_' | b'-' | b' '));
    if text.chars().count() <= if plain { LONGEST } else { WHOLE } {
        return text.to_owned();
    }
    text.chars().take(HEAD).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_words_are_shown_and_long_ones_are_not() {
        assert_eq!(excerpt("30 seconds"), "30 seconds");
        assert_eq!(excerpt("max_concurrent_requests_per_key"), "max_concurrent_requests_per_key");
        assert_eq!(excerpt("sk-proj-0123456789abcdefghij"), "sk-pro…");
    }
}
