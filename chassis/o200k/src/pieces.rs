//! Where `o200k_base` cuts a text before it counts: roughly words, numbers of three digits, runs of signs, and spaces.
//!
//! It is published as a regular expression, which is here by hand, since compiling that takes longer than counting most
//! prompts does:
//!
//! ```text
//! [^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?
//! [^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?
//! \p{N}{1,3}
//!  ?[^\s\p{L}\p{N}]+[\r\n/]*
//! \s*[\r\n]+
//! \s+(?!\S)
//! \s+
//! ```

use icu_properties::CodePointMapData;
use icu_properties::props::{GeneralCategory, GeneralCategoryGroup as Group};

/// What the expression tells apart.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// `\p{Lu}` and `\p{Lt}`.
    Upper,
    /// `\p{Ll}`.
    Lower,
    /// `\p{Lm}` and `\p{Lo}`: both of them.
    Letter,
    /// `\p{M}`: both of them, and no letter.
    Mark,
    /// `\p{N}`.
    Digit,
    /// `\s`.
    Space,
    Sign,
}

use Kind::{Digit, Letter, Lower, Mark, Sign, Space, Upper};

fn kind(char: char) -> Kind {
    match char {
        'a'..='z' => Lower,
        'A'..='Z' => Upper,
        '0'..='9' => Digit,
        _ if char.is_whitespace() => Space,
        _ if char.is_ascii() => Sign,
        _ => of_category(CodePointMapData::<GeneralCategory>::new().get(char)),
    }
}

fn of_category(category: GeneralCategory) -> Kind {
    let kinds = [
        (Group::UppercaseLetter, Upper),
        (Group::TitlecaseLetter, Upper),
        (Group::LowercaseLetter, Lower),
        (Group::Letter, Letter),
        (Group::Mark, Mark),
        (Group::Number, Digit),
    ];
    kinds.into_iter().find(|(group, _)| group.contains(category)).map_or(Sign, |(_, kind)| kind)
}

/// The pieces of a text: all of it, in its order.
pub(crate) struct Pieces<'t>(pub(crate) &'t str);

impl<'t> Iterator for Pieces<'t> {
    type Item = &'t str;

    fn next(&mut self) -> Option<&'t str> {
        let first = self.0.chars().next()?;
        let length = if kind(first) == Digit {
            run(self.0.chars().take(3), |kind| kind == Digit)
        } else {
            word(self.0, first).or_else(|| signs(self.0)).unwrap_or_else(|| spaces(self.0))
        };
        let (piece, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(piece)
    }
}

/// How many bytes of the beginning are of these kinds.
fn run(chars: impl Iterator<Item = char>, is_one: impl Fn(Kind) -> bool) -> usize {
    chars.take_while(|char| is_one(kind(*char))).map(char::len_utf8).sum()
}

fn after(text: &str, length: usize) -> &str {
    text.get(length..).unwrap_or_default()
}

/// A word, perhaps with what stands before it, and with `'s` and the like.
fn word(text: &str, first: char) -> Option<usize> {
    // A letter is no prefix. A mark can be one, or a part of the word.
    let may_precede = matches!(kind(first), Sign | Space | Mark) && first != '\r' && first != '\n';
    let prefix = may_precede.then_some(first.len_utf8());
    let beginnings = || prefix.into_iter().chain([0]);
    let with =
        |body: fn(&str) -> Option<usize>| beginnings().find_map(|skipped| Some(skipped + body(after(text, skipped))?));
    let word = with(ends_in_lower_case).or_else(|| with(all_upper_case))?;
    Some(word + contraction(after(text, word)))
}

/// Upper case as long as it goes, but so that something of lower case, or of no case, is behind it.
fn ends_in_lower_case(text: &str) -> Option<usize> {
    let upper = run(text.chars(), |kind| matches!(kind, Upper | Letter | Mark));
    let lower = run(after(text, upper).chars(), |kind| matches!(kind, Lower | Letter | Mark));
    if lower > 0 {
        return Some(upper + lower);
    }
    // Up to the last that is of no case.
    let (at, last) = text.get(..upper)?.char_indices().rfind(|(_, char)| matches!(kind(*char), Letter | Mark))?;
    Some(at + last.len_utf8())
}

/// What [`ends_in_lower_case`] has left over: no lower case is behind it.
fn all_upper_case(text: &str) -> Option<usize> {
    Some(run(text.chars(), |kind| matches!(kind, Upper | Letter | Mark))).filter(|length| *length > 0)
}

/// `'s`, `'t`, `'re`, `'ve`, `'m`, `'ll`, `'d`, in any case.
fn contraction(text: &str) -> usize {
    let Some(rest) = text.strip_prefix('\'') else { return 0 };
    let mut chars = rest.chars();
    // A long s is one, too, where case does not count.
    let (Some(first), second) = (chars.next(), chars.next()) else { return 0 };
    match (first.to_ascii_lowercase(), second.map(|second| second.to_ascii_lowercase())) {
        ('s' | 't' | 'm' | 'd' | 'ſ', _) => 1 + first.len_utf8(),
        ('r' | 'v', Some('e')) | ('l', Some('l')) => 3,
        _ => 0,
    }
}

/// Signs, perhaps with a space before them, and with the ends of lines behind them.
fn signs(text: &str) -> Option<usize> {
    let space = usize::from(text.starts_with(' '));
    let signs = run(after(text, space).chars(), |kind| matches!(kind, Sign | Mark));
    let end = space + signs;
    let ends = after(text, end).chars().take_while(|char| matches!(char, '\r' | '\n' | '/')).count();
    (signs > 0).then_some(end + ends)
}

/// Spaces: up to the last end of a line, else all but the one before a word.
fn spaces(text: &str) -> usize {
    let all = run(text.chars(), |kind| kind == Space);
    let spaces = text.get(..all).unwrap_or_default();
    if let Some(end) = spaces.rfind(['\r', '\n']) {
        return end + 1;
    }
    let last = spaces.chars().next_back().map_or(0, char::len_utf8);
    if all == text.len() || all == last { all } else { all - last }
}
