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

/// Texts that are longer, in bytes, are counted in parts.
const LONG: usize = 1 << 16;

/// How many tokens a text has, if they are not more than `most`: of a text that is far too long only the beginning is
/// counted.
pub(crate) fn count_within(counter: &dyn Counter, text: &str, most: usize) -> Option<usize> {
    let mut rest = text;
    let mut tokens = 0;
    while rest.len() > LONG && tokens <= most {
        // Where a token must end.
        let is_end = |(at, _): &(usize, &str)| {
            let next = rest.get(at + 1..).and_then(|next| next.chars().next());
            next.is_some_and(|next| !next.is_whitespace() && next != '/')
        };
        let end = rest.match_indices('\n').skip_while(|(at, _)| *at < LONG).find(is_end);
        let Some((part, behind)) = end.and_then(|(at, _)| rest.split_at_checked(at + 1)) else { break };
        tokens += counter.count(part);
        rest = behind;
    }
    if tokens <= most {
        tokens += counter.count(rest);
    }
    (tokens <= most).then_some(tokens)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Remembers how much it was asked for.
    struct Counted(std::sync::Mutex<usize>);

    impl Counter for Counted {
        fn count(&self, text: &str) -> usize {
            *self.0.lock().unwrap() += text.len();
            O200k.count(text)
        }

        fn ends(&self, text: &str) -> Vec<usize> {
            O200k.ends(text)
        }
    }

    #[test]
    fn what_is_far_too_long_is_not_counted_to_its_end() {
        let text = "Some words.\n\n  / And more.\n\t\n//\n\nWords again\n".repeat(20_000);
        let all = O200k.count(&text);
        let counter = Counted(std::sync::Mutex::new(0));
        assert_eq!(count_within(&counter, &text, all), Some(all));
        assert_eq!(count_within(&counter, &text, all - 1), None);
        let counter = Counted(std::sync::Mutex::new(0));
        assert_eq!(count_within(&counter, &text, 2_000), None);
        assert!(*counter.0.lock().unwrap() < 3 * LONG);
        assert_eq!(count_within(&O200k, &"x y".repeat(LONG), 10), None);
        assert_eq!(count_within(&O200k, "", 0), Some(0));
    }
}
