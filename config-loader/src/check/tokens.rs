//! How many tokens a prompt has, by o200k_base: what OpenAI's models count with, and near what others do.

use crate::failure::Failure;

/// The number of tokens; `None` where this program was built without the vocabulary.
#[must_use]
pub fn count(text: &str) -> Option<u64> {
    #[cfg(feature = "tokens")]
    let counted = Some(o200k::count(text) as u64);
    #[cfg(not(feature = "tokens"))]
    let counted = {
        let _ = text;
        None
    };
    counted
}

/// Refuses what has too many tokens.
///
/// # Errors
/// [`Failure`] if it has, or if that cannot be told.
pub fn bound(counted: Option<u64>, most: u32) -> Result<(), Failure> {
    match counted {
        Some(counted) if counted <= u64::from(most) => Ok(()),
        Some(counted) => Err(Failure::data(format!("has {counted} tokens, and checks.max_tokens allows {most}"))
            .with_hint("shorten it, or allow more")),
        None => Err(Failure::new(
            chassis::exit::Code::Config,
            "checks.max_tokens is set, and this config-loader was built without the feature `tokens`",
        )
        .with_hint("remove checks.max_tokens, or use the image that counts tokens")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(feature = "tokens")]
    #[test]
    fn tokens_are_those_of_o200k_base() {
        // As OpenAI's own tiktoken counts them.
        let table = [("", 0), ("hello world", 2), ("You are a helpful assistant.", 6), ("<|endoftext|>", 7)];
        for (text, expected) in table {
            assert_eq!(count(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn too_many_are_refused() {
        assert_eq!(bound(Some(10), 10), Ok(()));
        assert_eq!(bound(Some(11), 10).unwrap_err().message, "has 11 tokens, and checks.max_tokens allows 10");
        assert_eq!(bound(None, 10).unwrap_err().code, chassis::exit::Code::Config);
    }
}
