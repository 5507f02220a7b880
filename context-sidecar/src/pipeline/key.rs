//! A question as it is asked, and as it is remembered: all that makes a difference to the answer, in one way of writing it
//! down.

use context_core::{
    filter::{Bound, Filter, Scalar},
    fuse::Method,
    merge::Expand,
    query::LONGEST_QUERY,
};

use crate::{
    failure::{Failure, Kind},
    question::{MOST_RESULTS, Marks, Mode, Question},
};

/// The words of a query with one space between them: how it is asked, embedded and remembered.
///
/// # Errors
/// There is nothing in it, or too much; or the question is none.
pub(super) fn checked(question: &Question) -> Result<String, Failure> {
    let invalid = |why: String, param| Err(Failure::new(Kind::Invalid, why).about(param));
    // A code point has four bytes at most: nobody reads 10 MiB to see that they are too many.
    let too_long = question.query.len() > 4 * LONGEST_QUERY || question.query.chars().count() > LONGEST_QUERY;
    if too_long {
        let bytes = question.query.len();
        let why =
            format!("has {bytes} bytes; up to {LONGEST_QUERY} characters are looked for: send the question alone");
        return Err(Failure::new(Kind::TooLarge, why).about("query"));
    }
    let query = question.query.split_whitespace().collect::<Vec<_>>().join(" ");
    if query.is_empty() {
        return invalid("is empty: say what to look for".to_owned(), "query");
    }
    if query.contains('\0') {
        return invalid("has a NUL in it".to_owned(), "query");
    }
    if question.top_k == 0 || question.top_k > MOST_RESULTS {
        return invalid(format!("must be from 1 to {MOST_RESULTS}"), "top_k");
    }
    if question.mmr.is_some_and(|lambda| !(0.0..=1.0).contains(&lambda)) {
        return invalid("must be from 0 (all novelty) to 1 (all relevance)".to_owned(), "mmr");
    }
    let fusion = &question.fusion;
    let is_weight = |weight: f32| weight.is_finite() && weight >= 0.0;
    if !is_weight(fusion.dense) || !is_weight(fusion.lexical) || fusion.dense + fusion.lexical <= 0.0 {
        return invalid("must be numbers from 0 on, and not all 0".to_owned(), "fusion.weights");
    }
    if !is_weight(fusion.k) {
        return invalid("must be a number from 0 on".to_owned(), "fusion.k");
    }
    let minimum = &question.min_score;
    if [minimum.dense, minimum.lexical, minimum.rerank].into_iter().flatten().any(|least| !least.is_finite()) {
        return invalid("must be numbers".to_owned(), "min_score");
    }
    if question.freshness.as_ref().is_some_and(|freshness| freshness.half_life.is_zero()) {
        return invalid("must be longer than nothing".to_owned(), "freshness.half_life");
    }
    Ok(query)
}

/// The question in its normal form. `query` is [`checked`]; how long it may take makes no difference.
pub(super) fn normal(question: &Question, query: &str) -> Vec<u8> {
    let Question { query: _, timeout: _, .. } = question;
    let Question { filter, top_k, mode, fusion, min_score, rerank, mmr, .. } = question;
    let Question { expand, freshness, max_tokens, marks, explain, .. } = question;
    let mut key = Key(Vec::with_capacity(128 + query.len()));
    key.text(query);
    key.number(*top_k as u64);
    key.byte(mode.map(|mode| match mode {
        Mode::Hybrid => 1,
        Mode::Dense => 2,
        Mode::Lexical => 3,
    }));
    key.byte(Some(u8::from(fusion.method == Method::Rrf)));
    [fusion.dense, fusion.lexical, fusion.k].into_iter().for_each(|number| key.float(Some(number)));
    [min_score.dense, min_score.lexical, min_score.rerank, *mmr].into_iter().for_each(|number| key.float(number));
    key.byte(rerank.map(u8::from));
    match expand {
        None => key.byte(None),
        Some(Expand::Parent) => key.byte(Some(1)),
        Some(Expand::Window(each)) => {
            key.byte(Some(2));
            key.number(u64::from(*each));
        }
    }
    key.byte(freshness.as_ref().map(|_| 1));
    if let Some(freshness) = freshness {
        key.text(&freshness.field);
        key.number(u64::try_from(freshness.half_life.as_nanos()).unwrap_or(u64::MAX));
    }
    key.byte(max_tokens.map(|_| 1));
    key.number(max_tokens.unwrap_or_default() as u64);
    key.byte(Some(u8::from(*marks == Marks::Delimited)));
    key.byte(Some(u8::from(*explain)));
    key.byte(filter.as_ref().map(|_| 1));
    filter.iter().for_each(|filter| key.filter(filter));
    key.0
}

struct Key(Vec<u8>);

impl Key {
    fn byte(&mut self, byte: Option<u8>) {
        self.0.push(byte.unwrap_or(u8::MAX));
    }

    fn number(&mut self, number: u64) {
        self.0.extend(number.to_le_bytes());
    }

    fn float(&mut self, number: Option<f32>) {
        self.byte(number.map(|_| 1));
        self.0.extend(number.unwrap_or_default().to_bits().to_le_bytes());
    }

    fn text(&mut self, text: &str) {
        // With its length, so that no two texts are another two.
        self.number(text.len() as u64);
        self.0.extend(text.as_bytes());
    }

    fn filter(&mut self, filter: &Filter) {
        match filter {
            Filter::And(filters) | Filter::Or(filters) => {
                self.byte(Some(u8::from(matches!(filter, Filter::Or(_)))));
                self.number(filters.len() as u64);
                filters.iter().for_each(|filter| self.filter(filter));
            }
            Filter::Any { key, values } | Filter::None { key, values } => {
                self.byte(Some(2 + u8::from(matches!(filter, Filter::None { .. }))));
                self.text(key);
                self.number(values.len() as u64);
                values.iter().for_each(|value| self.scalar(value));
            }
            Filter::Range { key, bound, value } => {
                self.byte(Some(match bound {
                    Bound::Gt => 4,
                    Bound::Gte => 5,
                    Bound::Lt => 6,
                    Bound::Lte => 7,
                }));
                self.text(key);
                self.number(value.to_bits());
            }
        }
    }

    fn scalar(&mut self, value: &Scalar) {
        match value {
            Scalar::Text(text) => {
                self.byte(Some(0));
                self.text(text);
            }
            Scalar::Number(number) => {
                self.byte(Some(1));
                self.number(number.to_bits());
            }
            Scalar::Bool(bool) => self.byte(Some(2 + u8::from(*bool))),
        }
    }
}
