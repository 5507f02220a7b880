//! Where a text can be cut, and how good each of the places is.

use crate::tokens::Counter;

/// The beginning of a text, of at most so many tokens: as many sentences as that is, or words; empty where not even a word
/// fits.
pub(crate) fn beginning<'t>(text: &'t str, tokens: usize, counter: &dyn Counter) -> &'t str {
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
