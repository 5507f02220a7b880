//! Words as sparse vectors: one BM25 for all stores, so that they rank alike.
//!
//! BM25 is a sum over the words of a question: `idf * tf * (k1 + 1) / (tf + k1 * (1 - b + b * length / average))`. All but
//! the IDF is in the vector of a chunk, 1 for each word in that of a question; the store brings the IDF, which changes
//! with each chunk that comes, by the formula that Qdrant has, [`idf`].

use icu_normalizer::ComposingNormalizerBorrowed;
use rust_stemmers::{Algorithm, Stemmer};
use serde::{Deserialize, Serialize};
use twox_hash::XxHash32;

use crate::point::Sparse;

/// How soon more of the same word says no more: what Lucene, Elasticsearch and Qdrant have.
const K1: f32 = 1.2;
/// How much a long text must have more of a word: what all of them have.
const B: f32 = 0.75;
/// How many words the average chunk has, stop words not counted. It is fixed, since a true average would change all
/// vectors with each chunk that comes: 200 tokens of prose are some 150 words, of which two thirds are no stop words, and
/// a title has ten.
const AVERAGE: f32 = 110.0;
/// Words are hashed with this; another one would make all that is stored unfindable.
const SEED: u32 = 0;
/// No word of any language is longer, in bytes: what is, is not stemmed.
const LONGEST_WORD: usize = 64;

/// What Lucene leaves out of English. Other languages need no list: what is in every chunk has an IDF of nearly zero.
const ENGLISH_STOP_WORDS: [&str; 33] = [
    "a", "an", "and", "are", "as", "at", "be", "but", "by", "for", "if", "in", "into", "is", "it", "no", "not", "of",
    "on", "or", "such", "that", "the", "their", "then", "there", "these", "they", "this", "to", "was", "will", "with",
];

/// Whose words are cut down to their stems.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Language {
    /// Words are what they are.
    None,
    /// Arabic.
    Arabic,
    /// Danish.
    Danish,
    /// Dutch.
    Dutch,
    /// English, without its stop words.
    #[default]
    English,
    /// Finnish.
    Finnish,
    /// French.
    French,
    /// German.
    German,
    /// Greek.
    Greek,
    /// Hungarian.
    Hungarian,
    /// Italian.
    Italian,
    /// Norwegian.
    Norwegian,
    /// Portuguese.
    Portuguese,
    /// Romanian.
    Romanian,
    /// Russian.
    Russian,
    /// Spanish.
    Spanish,
    /// Swedish.
    Swedish,
    /// Tamil.
    Tamil,
    /// Turkish.
    Turkish,
}

impl Language {
    const fn algorithm(self) -> Option<Algorithm> {
        Some(match self {
            Self::None => return None,
            Self::Arabic => Algorithm::Arabic,
            Self::Danish => Algorithm::Danish,
            Self::Dutch => Algorithm::Dutch,
            Self::English => Algorithm::English,
            Self::Finnish => Algorithm::Finnish,
            Self::French => Algorithm::French,
            Self::German => Algorithm::German,
            Self::Greek => Algorithm::Greek,
            Self::Hungarian => Algorithm::Hungarian,
            Self::Italian => Algorithm::Italian,
            Self::Norwegian => Algorithm::Norwegian,
            Self::Portuguese => Algorithm::Portuguese,
            Self::Romanian => Algorithm::Romanian,
            Self::Russian => Algorithm::Russian,
            Self::Spanish => Algorithm::Spanish,
            Self::Swedish => Algorithm::Swedish,
            Self::Tamil => Algorithm::Tamil,
            Self::Turkish => Algorithm::Turkish,
        })
    }
}

/// The weight of a word that `n` of `of` chunks have.
#[must_use]
#[allow(clippy::cast_precision_loss, reason = "nobody has 2^52 chunks")]
pub fn idf(n: u64, of: u64) -> f32 {
    let (n, of) = (n.min(of) as f64, of as f64);
    (1.0 + (of - n + 0.5) / (n + 0.5)).ln() as f32
}

/// Makes vectors of texts.
pub struct Encoder {
    language: Language,
    stemmer: Option<Stemmer>,
}

impl std::fmt::Debug for Encoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Encoder").field(&self.language).finish()
    }
}

impl Encoder {
    /// For texts of this language.
    #[must_use]
    pub fn new(language: Language) -> Self {
        Self { language, stemmer: language.algorithm().map(Stemmer::create) }
    }

    /// The vector of a chunk.
    #[must_use]
    pub fn document(&self, title: Option<&str>, text: &str) -> Sparse {
        let mut terms = Vec::with_capacity(text.len() / 6);
        title.into_iter().chain([text]).for_each(|text| self.terms(text, &mut terms));
        let norm = K1 * (1.0 - B + B * float(terms.len()) / AVERAGE);
        sparse(terms, |tf| tf * (K1 + 1.0) / (tf + norm))
    }

    /// The vector of a question: each of its words counts once, however often it is there.
    #[must_use]
    pub fn query(&self, text: &str) -> Sparse {
        let mut terms = Vec::new();
        self.terms(text, &mut terms);
        sparse(terms, |_| 1.0)
    }

    /// All words of a text, hashed, as often as they are there.
    fn terms(&self, text: &str, terms: &mut Vec<u32>) {
        let mut word = String::new();
        let mut rest = text;
        let mut is_first = true;
        while let Some(start) = rest.find(is_of_word) {
            let from = rest.get(start..).unwrap_or_default();
            let end = from.find(|char| !is_of_word(char)).unwrap_or(from.len());
            let (found, behind) = from.split_at_checked(end).unwrap_or_default();
            let between = rest.get(..start).unwrap_or_default();
            let is_ending = !is_first && found.len() <= 2 && matches!(between, "'" | "’");
            is_first = false;
            rest = behind;
            // What is left of "it's", "we'll".
            if is_ending && self.language == Language::English {
                continue;
            }
            if found.is_ascii() {
                word.clear();
                word.push_str(found);
                word.make_ascii_lowercase();
                self.term(&word, terms);
            } else {
                let composed = ComposingNormalizerBorrowed::new_nfkc().normalize(found);
                self.foreign(&composed.to_lowercase(), terms);
            }
        }
    }

    fn term(&self, word: &str, terms: &mut Vec<u32>) {
        if self.language == Language::English && ENGLISH_STOP_WORDS.binary_search(&word).is_ok() {
            return;
        }
        match &self.stemmer {
            Some(stemmer) if word.len() <= LONGEST_WORD => terms.push(hash(&stemmer.stem(word))),
            _ => terms.push(hash(word)),
        }
    }

    /// A word that is not of ASCII. Some scripts have no spaces between words: there each two neighbours are one.
    fn foreign(&self, word: &str, terms: &mut Vec<u32>) {
        let mut rest = word;
        while let Some(first) = rest.chars().next() {
            let dense = is_dense(first);
            let end = rest.find(|char| is_dense(char) != dense).unwrap_or(rest.len());
            let (run, behind) = rest.split_at_checked(end).unwrap_or_default();
            rest = behind;
            if !dense {
                self.term(run, terms);
                continue;
            }
            let mut ends = run.char_indices().map(|(at, _)| at).skip(2).chain([run.len()]);
            for (start, _) in run.char_indices() {
                let Some(end) = ends.next() else { break };
                terms.extend(run.get(start..end).map(hash));
            }
        }
    }
}

/// Letters, digits, and the marks upon letters.
fn is_of_word(char: char) -> bool {
    if char.is_ascii() {
        char.is_ascii_alphanumeric()
    } else {
        char.is_alphanumeric() || matches!(char, '\u{300}'..='\u{36f}')
    }
}

/// Whether words of this script stand without spaces between them: Chinese, Japanese.
const fn is_dense(char: char) -> bool {
    matches!(char, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}'
        | '\u{20000}'..='\u{323af}')
}

fn hash(term: &str) -> u32 {
    XxHash32::oneshot(SEED, term.as_bytes())
}

fn sparse(mut terms: Vec<u32>, value: impl Fn(f32) -> f32) -> Sparse {
    terms.sort_unstable();
    let mut sparse = Sparse::default();
    for same in terms.chunk_by(|one, other| one == other) {
        sparse.indices.extend(same.first());
        sparse.values.push(value(float(same.len())));
    }
    sparse
}

#[allow(clippy::cast_precision_loss, reason = "a word that is there 2^24 times counts as one that is there once less")]
const fn float(count: usize) -> f32 {
    count as f32
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn english() -> Encoder {
        Encoder::new(Language::English)
    }

    fn same(encoder: &Encoder, one: &str, other: &str) -> bool {
        encoder.query(one) == encoder.query(other)
    }

    #[test]
    fn the_list_is_in_order() {
        assert!(ENGLISH_STOP_WORDS.is_sorted());
    }

    #[test]
    fn what_is_the_same_word() {
        let encoder = english();
        for (one, other) in [
            ("Running THE Dogs", "run dog"),
            ("it's Ada's", "ada"),
            ("ada’s", "ada"),
            ("caf\u{e9} CAFE\u{301}", "café"),
            ("snake_case", "snake case"),
            ("ﬁnding", "find"),
            ("", "the of and"),
            ("東京都", "東京 京都"),
            ("ABC東", "abc 東"),
        ] {
            assert!(same(&encoder, one, other), "{one} {other}");
        }
        for (one, other) in [("vitamin C", "vitamin D"), ("2023", "2024"), ("hot", "not"), ("東京", "京東")] {
            assert!(!same(&encoder, one, other), "{one} {other}");
        }
        assert!(!same(&Encoder::new(Language::None), "dogs", "dog"));
        assert!(same(&Encoder::new(Language::German), "Häuser", "HAUS"));
    }

    /// Stored vectors are found by these.
    #[test]
    fn the_numbers_of_words_do_not_change() {
        assert_eq!(english().query("retrieval").indices, [hash("retriev")]);
        assert_eq!((hash(""), hash("retriev")), (0x02cc_5d05, 1_434_867_200));
    }

    #[test]
    fn values_are_those_of_the_formula() {
        let vector = english().document(Some("cat"), "cat dog");
        let norm = 1.2 * (0.25 + 0.75 * 3.0 / AVERAGE);
        let (cat, dog) = (hash("cat"), hash("dog"));
        for (index, value) in vector.indices.iter().zip(&vector.values) {
            let tf = if *index == cat { 2.0 } else { 1.0 };
            assert!(*index == cat || *index == dog);
            assert!((value - tf * 2.2 / (tf + norm)).abs() < 1e-6);
        }
        assert_eq!(vector.indices.len(), 2);
        assert!((idf(0, 0) - 2.0_f32.ln()).abs() < 1e-6 && (idf(10, 100) - (1.0_f32 + 90.5 / 10.5).ln()).abs() < 1e-6);
        assert!(idf(7, 5) > 0.0);
    }

    #[test]
    fn a_word_without_an_end_is_a_word() {
        let long = "x".repeat(1 << 20);
        assert_eq!(english().document(None, &long).indices.len(), 1);
        assert_eq!(english().document(None, &"語".repeat(1 << 16)).indices.len(), 1);
    }

    proptest! {
        #[test]
        fn any_text_has_a_vector_in_order(title in prop::option::of("\\PC{0,20}"), text in "\\PC{0,200}") {
            for language in [Language::None, Language::English, Language::Arabic, Language::Turkish, Language::Greek, Language::Tamil] {
                let encoder = Encoder::new(language);
                let vector = encoder.document(title.as_deref(), &text);
                prop_assert!(vector.indices.is_sorted_by(|one, other| one < other));
                prop_assert_eq!(vector.indices.len(), vector.values.len());
                prop_assert!(vector.values.iter().all(|value| *value > 0.0 && *value < K1 + 1.0));
                let query = encoder.query(&format!("{} {text}", title.as_deref().unwrap_or_default()));
                prop_assert_eq!(query.indices, vector.indices);
            }
        }

        #[test]
        fn rarer_words_weigh_more(n in 0_u64..1_000, more in 1_u64..1_000, of in 2_000_u64..1_000_000) {
            prop_assert!(idf(n, of) > idf(n + more, of) && idf(n + more, of) > 0.0);
        }
    }
}
