//! What to look for, from a conversation: what the user asked last, and what that is about.
//!
//! "And 2023?" alone finds nothing. A question that leans on earlier ones is looked for together with them: one that begins
//! with "and" or "what about", one with a pronoun that it does not explain, one with no word of its own but numbers. There is
//! no model in this: rules that are wrong add words of the same conversation, which cost little.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

/// How many earlier questions are looked at.
const MOST_TURNS: usize = 4;

/// How long a query is at most, in code points; no model embeds more.
pub const LONGEST_QUERY: usize = 4_000;

/// Why there is nothing to look for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoQuery {
    /// A message that is none.
    #[error("messages[{0}]: must be an object with a `role` and with a `content` that is text or a list of parts")]
    NoMessage(usize),
    /// None of the messages asks anything.
    #[error("messages: there must be one of role `user` with text in it")]
    NoQuestion,
}

/// The query of a conversation: of its last question with text in it and, if that leans on them, of those before.
///
/// # Errors
/// What is no message, and a conversation without a question.
pub fn query(messages: &[Box<RawValue>]) -> Result<String, NoQuery> {
    let mut questions = Vec::new();
    for (number, message) in messages.iter().enumerate() {
        let message: Message<'_> = serde_json::from_str(message.get()).map_err(|_| NoQuery::NoMessage(number))?;
        if message.role == "user" {
            questions.extend(Some(message.text()).filter(|text| !text.trim().is_empty()));
        }
    }
    let (last, before) = questions.split_last().ok_or(NoQuery::NoQuestion)?;
    Ok(from_questions(last, before.iter().map(Cow::as_ref)))
}

/// The query of a question, and of those before it, the first of which comes first.
#[must_use]
pub fn from_questions<'q>(last: &str, before: impl DoubleEndedIterator<Item = &'q str>) -> String {
    let mut parts = vec![bounded(last, LONGEST_QUERY)];
    let mut left = LONGEST_QUERY - length(&parts);
    let mut leans = leans(last);
    for earlier in before.rev().take(MOST_TURNS) {
        if !leans || left < 2 {
            break;
        }
        leans = self::leans(earlier);
        let part = bounded(earlier, left - 1);
        left -= part.chars().count() + 1;
        parts.push(part);
    }
    parts.reverse();
    parts.join("\n")
}

fn length(parts: &[String]) -> usize {
    parts.iter().map(|part| part.chars().count()).sum()
}

#[derive(Deserialize)]
struct Message<'m> {
    #[serde(borrow)]
    role: Cow<'m, str>,
    #[serde(borrow, default)]
    content: Option<Content<'m>>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Content<'m> {
    Text(#[serde(borrow)] Cow<'m, str>),
    Parts(#[serde(borrow)] Vec<Part<'m>>),
}

/// Images and the like have no text.
#[derive(Deserialize)]
struct Part<'m> {
    #[serde(borrow, default)]
    text: Option<Cow<'m, str>>,
}

impl<'m> Message<'m> {
    fn text(self) -> Cow<'m, str> {
        match self.content {
            None => Cow::Borrowed(""),
            Some(Content::Text(text)) => text,
            Some(Content::Parts(parts)) => {
                let texts: Vec<_> = parts.into_iter().filter_map(|part| part.text).collect();
                Cow::Owned(texts.join("\n"))
            }
        }
    }
}

/// How many words of a question are looked at: one that goes on longer says itself what it is about.
const LONGEST_FOLLOW_UP: usize = 16;

/// How those begin that go on: in English, German, French, Spanish, Italian, Portuguese.
const BEGINNINGS: [&str; 44] = [
    "also",
    "and",
    "but",
    "or",
    "otherwise",
    "so",
    "then",
    "what about",
    "how about",
    "what if",
    "why",
    "why not",
    "how so",
    "how come",
    "really",
    "same for",
    "the same",
    "more",
    "tell me more",
    "go on",
    "continue",
    "explain",
    "und",
    "aber",
    "oder",
    "was ist mit",
    "wie sieht es mit",
    "warum",
    "wieso",
    "et",
    "mais",
    "ou",
    "et pour",
    "pourquoi",
    "y",
    "pero",
    "por qué",
    "qué hay de",
    "ma",
    "perché",
    "e",
    "mas",
    "por quê",
    "e quanto",
];

/// Words that stand for something that was named before.
const PRONOUNS: [&str; 42] = [
    "it", "its", "itself", "they", "them", "their", "theirs", "this", "that", "these", "those", "he", "him", "his",
    "she", "her", "hers", "one", "ones", "same", "former", "latter", "both", "above", "previous", "there", "else",
    "es", "sie", "ihn", "ihm", "ihr", "ihre", "dies", "diese", "dieser", "dieses", "davon", "dazu", "cela", "eso",
    "questo",
];

/// Words of a question that say nothing of what it is about.
const EMPTY_WORDS: [&str; 46] = [
    "a", "an", "any", "are", "as", "at", "be", "by", "can", "could", "did", "do", "does", "for", "from", "had", "has",
    "have", "how", "i", "if", "in", "is", "me", "my", "no", "not", "of", "ok", "on", "please", "should", "the", "to",
    "us", "was", "we", "were", "what", "when", "where", "which", "who", "will", "yes", "you",
];

/// Whether a question leans on those before it.
fn leans(question: &str) -> bool {
    let words: Vec<String> = question
        .split(|char: char| !char.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .take(LONGEST_FOLLOW_UP + 1)
        .map(|word| word.chars().take(32).flat_map(char::to_lowercase).collect())
        .collect();
    if words.len() > LONGEST_FOLLOW_UP {
        return false;
    }
    let begins = |beginning: &&str| {
        let mut words = words.iter();
        beginning.split(' ').all(|part| words.next().is_some_and(|word| word == part))
    };
    let is_pronoun = |word: &String| PRONOUNS.contains(&word.as_str());
    let is_own = |word: &String| !EMPTY_WORDS.contains(&word.as_str()) && !word.chars().all(char::is_numeric);
    BEGINNINGS.iter().any(begins) || words.iter().any(is_pronoun) || !words.iter().any(is_own)
}

/// The beginning and the end of what is too long: what is asked of a long text stands before it or behind it.
fn bounded(text: &str, most: usize) -> String {
    let text = text.trim();
    if text.char_indices().nth(most).is_none() {
        return text.to_owned();
    }
    let (half, rest) = (most / 2, most.saturating_sub(most / 2 + 1));
    let end = text.char_indices().nth(half).map_or(text.len(), |(at, _)| at);
    let start =
        rest.checked_sub(1).and_then(|rest| text.char_indices().rev().nth(rest)).map_or(text.len(), |(at, _)| at);
    format!("{}\n{}", text.get(..end).unwrap_or_default(), text.get(start..).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    fn of(messages: &Value) -> Result<String, NoQuery> {
        query(&serde_json::from_value::<Vec<Box<RawValue>>>(messages.clone()).unwrap())
    }

    fn of_questions(questions: &[&str]) -> String {
        of(&questions.iter().map(|question| json!({"role": "user", "content": question})).collect()).unwrap()
    }

    #[test]
    fn what_leans_on_earlier_questions_is_looked_for_with_them() {
        let first = "What was the revenue of Acme in 2022?";
        for follow_up in [
            "And 2023?",
            "2023?",
            "Why?",
            "what about Europe",
            "How did it grow?",
            "Was it more than theirs?",
            "Und 2023?",
            "Et en France ?",
            "how come",
            "Explain.",
            "which one?",
        ] {
            assert_eq!(of_questions(&[first, follow_up]), format!("{first}\n{follow_up}"));
        }
        for own in [
            "What is Qdrant?",
            "Who is the CEO of Globex?",
            "Anderson's address",
            "revenue Globex 2023",
            "Wie hoch war der Umsatz?",
        ] {
            assert_eq!(of_questions(&[first, own]), own);
        }
        // Back to the one that stands alone, and no further.
        assert_eq!(
            of_questions(&["Something else entirely", first, "And 2023?", "And 2024?"]),
            format!("{first}\nAnd 2023?\nAnd 2024?")
        );
    }

    #[test]
    fn questions_are_those_of_the_user() {
        let messages = json!([
            {"role": "system", "content": "s"},
            {"role": "user", "content": "Where is the office?"},
            {"role": "assistant", "content": null, "tool_calls": []},
            {"role": "tool", "content": "t", "tool_call_id": "1"},
            {"role": "user", "content": [{"type": "text", "text": "And the"}, {"type": "image_url", "image_url": {"url": "x"}}, {"type": "text", "text": "canteen?"}]},
            {"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]},
            {"role": "user", "content": "  "},
        ]);
        assert_eq!(of(&messages).unwrap(), "Where is the office?\nAnd the\ncanteen?");
    }

    #[test]
    fn what_is_no_conversation_says_so() {
        for (messages, error) in [
            (json!([]), NoQuery::NoQuestion),
            (json!([{"role": "system", "content": "s"}]), NoQuery::NoQuestion),
            (json!([{"role": "user", "content": []}]), NoQuery::NoQuestion),
            (json!([{"role": "user", "content": "q"}, 7]), NoQuery::NoMessage(1)),
            (json!([{"role": "user", "content": 7}]), NoQuery::NoMessage(0)),
            (json!([{"content": "x"}]), NoQuery::NoMessage(0)),
        ] {
            assert_eq!(of(&messages), Err(error), "{messages}");
        }
    }

    proptest! {
        #[test]
        fn a_query_is_never_too_long_and_has_the_last_question(before in prop::collection::vec("(and )?\\PC{0,9}", 0..6), times in 1_usize..600, last in "(and )?[a-zé]{1,20}") {
            let (before, last): (Vec<String>, String) = (before.iter().map(|text| text.repeat(times)).collect(), last.repeat(times));
            let query = from_questions(&last, before.iter().map(String::as_str));
            prop_assert!(query.chars().count() <= LONGEST_QUERY);
            prop_assert!(last.chars().count() > LONGEST_QUERY || query.ends_with(&last));
        }

        #[test]
        fn what_is_too_long_keeps_both_ends(text in "[a-zé]{0,50}", most in 0_usize..60) {
            let kept = bounded(&text, most);
            prop_assert!(kept.chars().count() <= most.max(1));
            if text.chars().count() > most && most > 4 {
                prop_assert!(text.starts_with(kept.split('\n').next().unwrap()) && text.ends_with(kept.split('\n').next_back().unwrap()));
            }
        }
    }
}
