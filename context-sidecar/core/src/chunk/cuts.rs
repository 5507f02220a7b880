//! Where a text can be cut, and how good each of the places is.

use std::ops::Range;

use crate::tokens::{Counter, count_within};

/// The beginning of a text, of at most so many tokens: as many sentences as that is, or words; empty where not even a word
/// fits.
fn beginning<'t>(text: &'t str, tokens: usize, counter: &dyn Counter) -> &'t str {
    // What is far behind them need not be counted. Few tokens are longer.
    let reach = (tokens.saturating_mul(16)..).find(|at| text.is_char_boundary((*at).min(text.len())));
    let near = text.get(..reach.unwrap_or_default()).unwrap_or(text);
    let ends = counter.ends(near);
    if ends.len() <= tokens && near.len() == text.len() {
        return text;
    }
    let cuts = Cuts::new(near, &ends);
    let most = tokens.min(ends.len().saturating_sub(1));
    let last = |from: usize, level: Level| (from..=most).rev().find(|token| cuts.level(*token) >= level);
    let end = last(most / 2, Level::Sentence).or_else(|| last(1, Level::Word)).unwrap_or_default();
    near.get(..cuts.at(end)).unwrap_or_default().trim_end()
}

/// The end of a text, of at most so many tokens: as many sentences as that is, or words; empty where not even a word fits.
fn ending<'t>(text: &'t str, tokens: usize, counter: &dyn Counter) -> &'t str {
    let reach = text.len().saturating_sub(tokens.saturating_mul(16));
    let from = (0..=reach).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default();
    let near = text.get(from..).unwrap_or(text);
    let ends = counter.ends(near);
    if ends.len() <= tokens && from == 0 {
        return text;
    }
    let cuts = Cuts::new(near, &ends);
    let least = ends.len().saturating_sub(tokens).max(1);
    let first = |to: usize, level: Level| (least..to).find(|token| cuts.level(*token) >= level);
    let start =
        first((least + tokens / 2 + 1).min(ends.len()), Level::Sentence).or_else(|| first(ends.len(), Level::Word));
    start.and_then(|token| near.get(cuts.at(token)..)).unwrap_or_default()
}

/// Where in a text, in bytes, what has at most so many tokens is: its `core`, and as much around it as there is room for,
/// as much before it as behind it if there is so much; or else the core's beginning.
pub(crate) fn around(text: &str, core: Range<usize>, tokens: usize, counter: &dyn Counter) -> Range<usize> {
    let Range { start, end } = core;
    let (Some(before), Some(kept), Some(behind)) = (text.get(..start), text.get(start..end), text.get(end..)) else {
        return 0..beginning(text, tokens, counter).len();
    };
    let Some(left) = count_within(counter, kept, tokens).map(|kept| tokens - kept) else {
        return start..start + beginning(kept, tokens, counter).len();
    };
    // The space between is a part of the next word.
    let (space, before) = (before.len() - before.trim_end().len(), before.trim_end());
    let half = left / 2;
    let (few_before, few_behind) = (count_within(counter, before, half), count_within(counter, behind, left - half));
    // What is not needed on one side is for the other.
    let of_before = few_behind.map_or(half, |few| left - few);
    let of_behind = few_before.map_or(left - half, |few| left - few);
    let (before, behind) = (ending(before, of_before, counter), beginning(behind, of_behind, counter));
    let start = if before.is_empty() { start } else { start - space - before.len() };
    start..end + behind.len()
}

/// What ends where a text is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Nothing,
    Word,
    Sentence,
    Line,
    Paragraph,
}

/// Where a text can be cut: at the number of a token, behind it and the white space between it and the next one's word.
pub(super) struct Cuts<'t> {
    text: &'t str,
    ends: &'t [usize],
}

impl<'t> Cuts<'t> {
    pub(super) const fn new(text: &'t str, ends: &'t [usize]) -> Self {
        Self { text, ends }
    }

    /// The end of the token before, or the beginning of the text.
    fn end(&self, token: usize) -> usize {
        token.checked_sub(1).map_or(0, |token| self.ends.get(token).copied().unwrap_or(self.text.len()))
    }

    /// Where the text is cut, in bytes.
    pub(super) fn at(&self, token: usize) -> usize {
        let end = self.end(token);
        let next = self.text.get(end..self.end(token + 1)).unwrap_or_default();
        let word = next.trim_start();
        if token == 0 || word.is_empty() { end } else { end + next.len() - word.len() }
    }

    /// What ends there.
    fn level(&self, token: usize) -> Level {
        let at = self.at(token);
        let before = self.text.get(..at).unwrap_or_default();
        let after = self.text.get(at..).unwrap_or_default();
        if after.starts_with(char::is_whitespace) {
            return Level::Nothing;
        }
        let words = before.trim_end();
        let space = before.get(words.len()..).unwrap_or_default();
        let lines = space.bytes().filter(|byte| *byte == b'\n').count();
        if lines > 0 {
            let line = words.rsplit('\n').next().unwrap_or_default();
            return match lines {
                // A heading stays with what it is the heading of.
                _ if is_heading(line) => Level::Word,
                1 if !is_heading(after.get(..after.len().min(8)).unwrap_or_default()) => Level::Line,
                _ => Level::Paragraph,
            };
        }
        let is_end = ends_sentence(words, !space.is_empty());
        match (is_end, words.chars().next_back(), after.chars().next()) {
            (true, ..) => Level::Sentence,
            (_, Some(last), Some(first)) if space.is_empty() && last.is_alphanumeric() && first.is_alphanumeric() => {
                Level::Nothing
            }
            _ if space.is_empty() && !after.is_empty() && !words.ends_with(['-', '/', ',', ';', ':', '|']) => {
                Level::Nothing
            }
            _ => Level::Word,
        }
    }

    /// The last of the best cuts within.
    pub(super) fn best_end(&self, from: usize, to: usize) -> usize {
        (from..=to).max_by_key(|token| self.level(*token)).unwrap_or(to)
    }

    /// Where the next chunk begins: with a sentence in the first half of the overlap, or with its first word.
    pub(super) fn best_start(&self, from: usize, end: usize) -> usize {
        let half = from + (end - from.min(end)) / 2;
        let first = |from: usize, to: usize, level: Level| (from..=to).find(|token| self.level(*token) >= level);
        first(from, half.min(end), Level::Sentence)
            .or_else(|| first(from, end.saturating_sub(1), Level::Word))
            .unwrap_or(from)
            .min(end)
    }
}

/// Whether a line is a heading of Markdown.
fn is_heading(line: &str) -> bool {
    let rest = line.trim_start_matches('#');
    (1..=6).contains(&(line.len() - rest.len())) && rest.starts_with(' ')
}

/// Whether a sentence ends here; in scripts with spaces there must be one.
fn ends_sentence(words: &str, is_space: bool) -> bool {
    // Few of them: looking through all would take the square of the time in a text of nothing else.
    let mut last = words.chars().rev().take(4);
    match last.find(|char| !['"', '\'', ')', ']', '”', '’', '»', '」', '』', '）', '*', '_'].contains(char)) {
        Some('。' | '！' | '？' | '｡') => true,
        Some('.' | '!' | '?' | '…' | '।' | '؟' | '۔') => is_space,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tokens::O200k;

    #[test]
    fn what_is_kept_is_cut_around_at_sentences() {
        let text = "One is first. Two is second. Three is third. Four is fourth. Five is fifth.";
        let core = text.find("Three").unwrap()..text.find(" Four").unwrap();
        let shown = |tokens| text[around(text, core.clone(), tokens, &O200k)].trim();
        assert_eq!(shown(4), "Three is third.");
        assert_eq!(shown(12), "Two is second. Three is third. Four is fourth.");
        assert_eq!(shown(100), text);
        assert_eq!(shown(2), "Three is");
        let first = text[around(text, 0..13, 8, &O200k)].trim();
        assert_eq!(first, "One is first. Two is second.");
        let last = text[around(text, text.find("Five").unwrap()..text.len(), 8, &O200k)].trim();
        assert_eq!(last, "Four is fourth. Five is fifth.");
    }

    proptest! {
        #[test]
        fn an_end_is_one_and_is_within(text in "([A-Za-z語é]{1,9}( |, |\\. |\n|/ |  ){1,2}){0,60}", tokens in 0_usize..40, at in 0_usize..400, many in 0_usize..100) {
            let end = ending(&text, tokens, &O200k);
            prop_assert!(text.ends_with(end));
            prop_assert!(O200k.count(end) <= tokens + 1, "{} of {}: {:?}", O200k.count(end), tokens, end);
            let place = |at: usize| text.char_indices().map(|(at, _)| at).chain([text.len()]).nth(at).unwrap_or(text.len());
            let core = place(at)..place(at + many);
            let shown = around(&text, core.clone(), tokens, &O200k);
            prop_assert!(text.get(shown.clone()).is_some());
            prop_assert!(shown.start <= core.start && (shown.end >= core.end || shown.start == core.start));
        }
    }
}
