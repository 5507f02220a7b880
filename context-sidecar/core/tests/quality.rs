//! How good words alone are: the floor of each hybrid ranking, and what is left in an outage of the embedder.
//!
//! The whole way of a question and of a document is here, but for a store: exact search in memory stands for it. The
//! numbers are printed (`cargo test --release -p context-core --test quality -- --nocapture`).

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

use context_core::bm25::{Encoder, Language, idf};
use context_core::chunk::{Size, chunks};
use context_core::document::{Chunk, Document, Span};
use context_core::fuse::{Fusion, fuse};
use context_core::merge::{Passage, Scores};
use context_core::pack::pack;
use context_core::point::{Hit, PointId};
use context_core::prompt::Frame;
use context_core::tokens::O200k;
use serde_json::Value;
use uuid::Uuid;

fn collection(name: &str) -> Option<PathBuf> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/retrieval").join(name);
    path.is_dir().then_some(path)
}

fn lines(path: PathBuf) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// Chunks that are searched by going through the lists of their words.
struct Index {
    encoder: Encoder,
    chunks: Vec<Chunk>,
    words: HashMap<u32, Vec<(usize, f32)>>,
}

impl Index {
    fn of(corpus: &[Value]) -> Self {
        let mut index = Self { encoder: Encoder::new(Language::English), chunks: Vec::new(), words: HashMap::new() };
        for line in corpus {
            let document = Document {
                id: text(&line["_id"]),
                title: Some(text(&line["title"])),
                text: text(&line["text"]),
                url: None,
                metadata: serde_json::Map::new(),
            };
            for chunk in chunks(&document, Size::default(), &O200k) {
                let vector = index.encoder.document(chunk.title.as_deref(), &chunk.text);
                for (word, value) in vector.indices.into_iter().zip(vector.values) {
                    index.words.entry(word).or_default().push((index.chunks.len(), value));
                }
                index.chunks.push(chunk);
            }
        }
        index
    }

    fn hits(&self, question: &str) -> Vec<Hit> {
        let question = self.encoder.query(question);
        let mut scores: BTreeMap<usize, f32> = BTreeMap::new();
        for (word, weight) in question.indices.iter().zip(&question.values) {
            let with = self.words.get(word).map_or(&[][..], Vec::as_slice);
            let idf = idf(with.len() as u64, self.chunks.len() as u64);
            for (chunk, value) in with {
                *scores.entry(*chunk).or_default() += weight * idf * value;
            }
        }
        let id = |chunk: usize| PointId::from(Uuid::from_u128(chunk as u128));
        scores.into_iter().map(|(chunk, score)| Hit { id: id(chunk), score }).collect()
    }

    /// The chunks that were found, best first.
    fn search(&self, question: &str) -> Vec<Passage> {
        let (fused, _) = fuse(None, Some(&self.hits(question)), &Fusion::default());
        let chunk = |id: PointId| self.chunks[id.uuid().as_u128() as usize].clone();
        fused
            .into_iter()
            .take(100)
            .map(|hit| Passage::new(hit.id, chunk(hit.id), hit.score, Scores::default()))
            .collect()
    }
}

#[test]
fn claims_find_what_is_written_of_them() {
    let Some(path) = collection("scifact") else { e2e::skip!("there is no ../shared/retrieval/scifact") };
    let index = Index::of(&lines(path.join("corpus.jsonl")));
    let mut relevant: HashMap<String, Vec<String>> = HashMap::new();
    for line in std::fs::read_to_string(path.join("qrels.tsv")).unwrap().lines().skip(1) {
        let fields: Vec<&str> = line.split('\t').collect();
        if fields[2] != "0" {
            relevant.entry(fields[0].to_owned()).or_default().push(fields[1].to_owned());
        }
    }
    let questions: HashMap<String, String> =
        lines(path.join("queries.jsonl")).iter().map(|line| (text(&line["_id"]), text(&line["text"]))).collect();
    let gain = |rank: usize| 1.0 / ((rank + 2) as f64).log2();
    let (mut ndcg, mut recall) = (0.0, 0.0);
    for (question, relevant) in &relevant {
        let mut documents: Vec<String> = Vec::new();
        for passage in index.search(&questions[question]) {
            if !documents.contains(&passage.chunk.document_id) {
                documents.push(passage.chunk.document_id.clone());
            }
        }
        documents.truncate(10);
        let found = documents.iter().enumerate().filter(|(_, id)| relevant.contains(id));
        let ideal: f64 = (0..relevant.len().min(10)).map(gain).sum();
        ndcg += found.clone().map(|(rank, _)| gain(rank)).sum::<f64>() / ideal;
        recall += found.count() as f64 / relevant.len() as f64;
    }
    let questions = relevant.len() as f64;
    let (ndcg, recall) = (ndcg / questions, recall / questions);
    println!("scifact, words only: {} chunks, nDCG@10 {ndcg:.4}, recall@10 {recall:.4}", index.chunks.len());
    assert!(ndcg >= 0.67, "{ndcg}");
}

/// How many code points of some spans are in others, none of which overlap.
fn common(wanted: &[Span], shown: &[Span]) -> usize {
    let both = |one: &Span, other: &Span| one.end.min(other.end).saturating_sub(one.start.max(other.start));
    wanted.iter().flat_map(|one| shown.iter().map(move |other| both(one, other))).sum()
}

#[test]
fn contexts_have_in_them_what_answers_the_question() {
    let Some(path) = collection("chunkeval") else { e2e::skip!("there is no ../shared/retrieval/chunkeval") };
    let index = Index::of(&lines(path.join("corpus.jsonl")));
    let questions = lines(path.join("queries.jsonl"));
    let mut measured = Vec::new();
    for budget in [500, 1_000, 2_000, 4_000] {
        let (mut recall, mut precision) = (0.0, 0.0);
        for question in &questions {
            let packed = pack(&index.search(&text(&question["text"])), budget, &Frame::plain(), &O200k);
            assert!(packed.tokens <= budget);
            let mut wanted: Vec<Span> = Vec::new();
            let mut spans: Vec<(usize, usize)> = serde_json::from_value(question["spans"].clone()).unwrap();
            spans.sort_unstable();
            for (start, end) in spans {
                match wanted.last_mut().filter(|last| start <= last.end) {
                    Some(last) => last.end = last.end.max(end),
                    None => wanted.push(Span { start, end }),
                }
            }
            let of = |spans: &[Span]| spans.iter().map(|span| span.end - span.start).sum::<usize>() as f64;
            let all: Vec<Span> = packed.citations.iter().map(|citation| citation.span).collect();
            let its_own = packed.citations.iter().filter(|citation| question["doc"] == citation.document_id);
            let found = common(&wanted, &its_own.map(|citation| citation.span).collect::<Vec<_>>()) as f64;
            recall += found / of(&wanted);
            precision += found / of(&all).max(1.0);
        }
        let count = questions.len() as f64;
        println!(
            "chunkeval, words only, {budget} tokens: {} chunks, span recall {:.4}, precision {:.4}",
            index.chunks.len(),
            recall / count,
            precision / count
        );
        measured.push(recall / count);
    }
    assert!(measured[2] >= 0.93, "{measured:?}");
}
