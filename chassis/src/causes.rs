//! An error with its causes, in one line: hyper and rustls keep what matters in the causes.

use std::error::Error;

/// The error's text and those of its sources, from the outermost to the first.
#[must_use]
pub fn causes(error: &(dyn Error + 'static)) -> String {
    let texts = std::iter::successors(Some(error), |&error| error.source()).map(ToString::to_string);
    texts.collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Layer(&'static str, #[source] Option<Box<Self>>);

    #[test]
    fn all_are_told_from_the_outermost_to_the_first() {
        let error = Layer("no spans", Some(Box::new(Layer("no connection", Some(Box::new(Layer("refused", None)))))));
        assert_eq!(causes(&error), "no spans: no connection: refused");
        assert_eq!(causes(&Layer("alone", None)), "alone");
    }
}
