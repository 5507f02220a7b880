//! Counting tokens, by which chunks are cut and contexts are packed.

/// Something that cuts text into tokens.
///
/// Behind the end of a line, and before what is neither white space nor `/`, a token must end; and so it must between a
/// letter and a single space that a letter follows, all of ASCII. What packs a context adds up the counts of what is between
/// such places.
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
        let Some((part, behind)) = first_break(rest, LONG).and_then(|at| rest.split_at_checked(at)) else { break };
        tokens += counter.count(part);
        rest = behind;
    }
    if tokens <= most {
        tokens += counter.count(rest);
    }
    (tokens <= most).then_some(tokens)
}

/// The first place from `from` on where a token must end, within the text.
pub(crate) fn first_break(text: &str, from: usize) -> Option<usize> {
    (from.max(1)..text.len()).find(|at| is_break(text, *at))
}

/// The last place where a token must end, within the text.
pub(crate) fn last_break(text: &str) -> Option<usize> {
    (1..text.len()).rev().find(|at| is_break(text, *at))
}

fn is_break(text: &str, at: usize) -> bool {
    let bytes = text.as_bytes();
    match (at.checked_sub(1).and_then(|before| bytes.get(before)), bytes.get(at)) {
        (Some(b'\n'), Some(_)) => {
            let next = text.get(at..).and_then(|next| next.chars().next());
            next.is_some_and(|next| !next.is_whitespace() && next != '/')
        }
        (Some(before), Some(b' ')) if before.is_ascii_alphabetic() => {
            bytes.get(at + 1).is_some_and(u8::is_ascii_alphabetic)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

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

    proptest! {
        #[test]
        fn where_a_token_must_end_the_counts_add_up(text in "([A-Za-z\'éß語0-9/.,_-]{0,6}( |  |\n|\t|\r\n| \n)){0,30}|\\PC{0,60}") {
            let mut whole = text.clone();
            whole.retain(|char| char != '\u{0}');
            let all = O200k.count(&whole);
            for at in (1..whole.len()).filter(|at| is_break(&whole, *at)) {
                prop_assert_eq!(O200k.count(&whole[..at]) + O200k.count(&whole[at..]), all, "{:?} | {:?}", &whole[..at], &whole[at..]);
            }
            let breaks: Vec<usize> = (0..whole.len()).filter(|at| is_break(&whole, *at)).collect();
            prop_assert_eq!((first_break(&whole, 0), last_break(&whole)), (breaks.first().copied(), breaks.last().copied()));
        }
    }
}
