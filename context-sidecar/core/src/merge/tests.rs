//! Passages are what their documents say, and what comparing each with each makes of them.

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::chunk::{Size, chunks};
use crate::document::Document;
use crate::tokens::O200k;

fn cut(id: &str, text: &str) -> Vec<Chunk> {
    let document: Document = serde_json::from_value(json!({"id": id, "text": text})).unwrap();
    chunks(&document, Size::new(16, 4).unwrap(), &O200k)
}

fn passage(chunk: &Chunk, score: f32) -> Passage {
    Passage::new(uuid::Uuid::from_u128(u128::from(chunk.chunk)).into(), chunk.clone(), score, Scores::default())
}

fn text() -> String {
    (0..100).map(|number| format!("Number {number} is größer. ")).collect()
}

fn expanded(passages: Vec<Passage>, by: Expand, chunks: &[Chunk]) -> Vec<Passage> {
    expand(passages, by, chunks, &|| true).unwrap()
}

fn is_true(passage: &Passage, text: &str) -> bool {
    let Span { start, end } = passage.chunk.span;
    text.chars().skip(start).take(end - start).collect::<String>() == passage.chunk.text
}

#[test]
fn neighbours_are_one_and_rank_as_the_best() {
    let (text, other) = (text(), "Something else entirely.");
    let (chunks, others) = (cut("d", &text), cut("e", other));
    let found = [&chunks[5], &others[0], &chunks[4], &chunks[9], &chunks[6]].map(|chunk| passage(chunk, 1.0)).to_vec();
    let merged = merge(found);
    assert_eq!(merged.iter().map(|passage| passage.of.clone()).collect::<Vec<_>>(), [vec![4, 5, 6], vec![0], vec![9]]);
    assert!(is_true(&merged[0], &text) && is_true(&merged[2], &text));
    assert_eq!(merged[0].chunk.chunk, 5);
}

#[test]
fn versions_of_a_document_are_not_mixed() {
    let chunks = cut("d", &text());
    let old = cut("d", &text().replace("is", "was"));
    let merged = merge(vec![passage(&chunks[3], 1.0), passage(&old[4], 0.9)]);
    assert_eq!(merged.len(), 2);
    assert!(merged[0].joined(&merged[1]).is_none());
}

#[test]
fn what_stands_around_comes_with_it() {
    let text = text();
    let chunks = cut("d", &text);
    let found = vec![passage(&chunks[5], 1.0), passage(&chunks[8], 0.9), passage(&chunks[20], 0.8)];
    assert_eq!(needs(&found), ["d"]);
    let each = expanded(found.clone(), Expand::Window(1), &chunks);
    assert_eq!(each[0].of, [4, 5, 6]);
    let wider = merge(each);
    assert_eq!(
        wider.iter().map(|passage| passage.of.clone()).collect::<Vec<_>>(),
        [vec![4, 5, 6, 7, 8, 9], vec![19, 20, 21]]
    );
    assert!(wider.iter().all(|passage| is_true(passage, &text)));
    let whole = expanded(found.clone(), Expand::Parent, &chunks);
    assert_eq!(whole.len(), 1);
    assert_eq!(whole[0].chunk.text, text.trim_end());
    // Documents that are gone since take nothing away.
    assert_eq!(expanded(found.clone(), Expand::Window(3), &[]), found);
}

#[test]
fn the_same_text_is_there_once() {
    let (one, same) = (cut("d", "Same text."), cut("e", "Same text.\n"));
    let found = vec![passage(&one[0], 1.0), passage(&same[0], 0.9)];
    assert_eq!(dedupe(found.clone()), found[..1]);
    let again = &cut("d", &format!("{}Same text.", "Something else before it. ".repeat(20))).pop().unwrap();
    let again = Chunk { text: "Same text.".to_owned(), ..again.clone() };
    let found = vec![passage(&one[0], 1.0), passage(&again, 0.9)];
    assert_eq!(dedupe(found.clone()), found);
}

#[test]
fn nothing_is_expanded_when_there_is_no_time() {
    let chunks = cut("d", &text());
    let asked = std::cell::Cell::new(0);
    let goes_on = || asked.replace(asked.get() + 1) < 1;
    assert_eq!(expand(vec![passage(&chunks[5], 1.0); 3], Expand::Window(1), &chunks, &goes_on), None);
    assert_eq!(asked.get(), 2);
}

#[test]
fn what_was_found_is_known_after_it_has_grown() {
    let chunks = cut("d", &text());
    let whole = expanded(vec![passage(&chunks[5], 1.0)], Expand::Parent, &chunks);
    assert_eq!(whole[0].core, chunks[5].span);
    assert!(whole[0].chunk.span.end > chunks[20].span.end);
    assert_eq!(passage(&chunks[5], 1.0).joined(&passage(&chunks[4], 0.5)).unwrap().core, chunks[5].span);
}

proptest! {
    /// Each with each, as it is defined.
    #[test]
    fn it_is_what_each_with_each_makes(text in "([a-zß語 ]{1,8}[.\\n ]){1,80}", picked in prop::collection::vec((0_usize..1_000, 0_usize..3), 0..24), by in prop_oneof![Just(Expand::Parent), (0_u32..3).prop_map(Expand::Window)], most in 1_usize..12) {
        let documents = ["d", "e", "f"].map(|id| cut(id, &text));
        let found: Vec<Passage> = picked.iter().filter(|_| !documents[0].is_empty()).map(|(number, of)| passage(&documents[*of][number % documents[*of].len()], 1.0)).collect();
        prop_assert_eq!(dedupe(found.clone()), naive::dedupe(found.clone()));
        prop_assert_eq!(merge(found.clone()), naive::merge(found.clone()));
        prop_assert_eq!(listed(&found, most), naive::listed(&found, most));
        let chunks = documents.concat();
        let wider = expanded(found.clone(), by, &chunks);
        prop_assert_eq!(&wider, &naive::expand(found, by, &chunks));
        prop_assert_eq!(listed(&wider, most), naive::listed(&wider, most));
        for one in &wider {
            for other in &wider {
                prop_assert_eq!(one.joined(other), naive::joined(one, other));
            }
        }
    }

    #[test]
    fn merged_text_is_the_documents(text in "([a-zß語 ]{1,8}[.\\n ]){1,80}", picked in prop::collection::vec(0_usize..1_000, 1..12), by in prop_oneof![Just(Expand::Parent), (0_u32..3).prop_map(Expand::Window)]) {
        let chunks = cut("d", &text);
        prop_assume!(!chunks.is_empty());
        let found: Vec<Passage> = picked.iter().map(|number| passage(&chunks[number % chunks.len()], 1.0)).collect();
        for merged in [merge(found.clone()), merge(expanded(found.clone(), by, &chunks))] {
            let mut points = HashSet::new();
            for passage in &merged {
                prop_assert!(is_true(passage, &text));
                // Nothing is there twice, and nothing that touches another.
                prop_assert!((passage.chunk.span.start..=passage.chunk.span.end).all(|point| points.insert(point)));
            }
            for one in &found {
                prop_assert!(merged.iter().any(|passage| passage.chunk.span.start <= one.chunk.span.start && one.chunk.span.end <= passage.chunk.span.end));
            }
            prop_assert_eq!(merge(merged.clone()), merged);
        }
    }
}
