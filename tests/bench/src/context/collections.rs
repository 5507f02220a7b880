//! What is put in and asked: collections that somebody else has judged, and texts that mean nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::Context as _;
use serde_json::Value;

pub(super) struct Document {
    pub(super) id: String,
    pub(super) title: Option<String>,
    pub(super) text: String,
}

/// Documents, and questions with the documents that answer them.
pub(super) struct Judged {
    pub(super) documents: Vec<Document>,
    pub(super) questions: Vec<(String, BTreeSet<String>)>,
}

/// Long texts, and questions with the characters that answer them.
pub(super) struct Marked {
    pub(super) documents: Vec<Document>,
    pub(super) questions: Vec<Spans>,
}

/// A question, the document that answers it, and where.
pub(super) type Spans = (String, String, Vec<(u64, u64)>);

fn lines(path: &Path) -> anyhow::Result<Vec<Value>> {
    let text = fs::read_to_string(path).with_context(|| path.display().to_string())?;
    text.lines().map(|line| serde_json::from_str(line).with_context(|| path.display().to_string())).collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn documents(folder: &Path) -> anyhow::Result<Vec<Document>> {
    let document = |line: &Value| Document {
        id: text(&line["_id"]),
        title: line["title"].as_str().map(str::to_owned),
        text: text(&line["text"]),
    };
    Ok(lines(&folder.join("corpus.jsonl"))?.iter().map(document).collect())
}

/// In BEIR's form.
pub(super) fn judged(folder: &Path) -> anyhow::Result<Judged> {
    let mut relevant: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in fs::read_to_string(folder.join("qrels.tsv"))?.lines().skip(1) {
        if let [query, document, score] = line.split('\t').collect::<Vec<_>>()[..]
            && score != "0"
        {
            relevant.entry(query.to_owned()).or_default().insert(document.to_owned());
        }
    }
    let questions = lines(&folder.join("queries.jsonl"))?;
    let question = |line: &Value| Some((text(&line["text"]), relevant.remove(line["_id"].as_str()?)?));
    Ok(Judged { documents: documents(folder)?, questions: questions.iter().filter_map(question).collect() })
}

/// Spans in Unicode code points, in order and apart.
pub(super) fn marked(folder: &Path) -> anyhow::Result<Marked> {
    let question = |line: &Value| {
        let mut given: Vec<(u64, u64)> = serde_json::from_value(line["spans"].clone()).context("spans")?;
        given.sort_unstable();
        let mut spans: Vec<(u64, u64)> = Vec::new();
        for (start, end) in given {
            match spans.last_mut().filter(|last| start <= last.1) {
                Some(last) => last.1 = last.1.max(end),
                None => spans.push((start, end)),
            }
        }
        anyhow::Ok((text(&line["text"]), text(&line["doc"]), spans))
    };
    let questions = lines(&folder.join("queries.jsonl"))?.iter().map(question).collect::<anyhow::Result<_>>()?;
    Ok(Marked { documents: documents(folder)?, questions })
}

/// Numbers that look random and are the same each time.
pub(super) struct Random(u64);

impl Random {
    pub(super) fn new() -> Self {
        Self(88_172_645_463_325_252)
    }

    fn next(&mut self) -> f32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 40) as f32 / (1_u64 << 24) as f32
    }

    /// Words as in a text: few are everywhere, most are rare.
    pub(super) fn text(&mut self, words: usize) -> String {
        const PARTS: [&str; 20] = [
            "gra", "ma", "ti", "lo", "ne", "ro", "sk", "al", "um", "be", "dor", "fi", "hu", "jan", "ke", "po", "qui",
            "se", "va", "zo",
        ];
        let mut text = String::with_capacity(words * 7);
        for word in 0..words {
            let mut number = 30_000_f32.powf(self.next()) as usize;
            loop {
                text.push_str(PARTS[number % PARTS.len()]);
                number /= PARTS.len();
                if number == 0 {
                    break;
                }
            }
            text.push_str(if word % 14 == 13 { ". " } else { " " });
        }
        text
    }

    /// Documents of some five chunks.
    pub(super) fn documents(&mut self, from: usize, many: usize) -> Vec<Document> {
        let document = |number: usize| Document {
            id: format!("document-{number}"),
            title: Some("A title".to_owned()),
            text: self.text(450),
        };
        (from..from + many).map(document).collect()
    }
}
