//! How good what is found is, on collections that somebody else has judged: the whole way, documents in and questions out.
//! One command prints the numbers, the first time in ten minutes (a real model on two cores), then in one: `make quality`.
//!
//! What needs no model is measured each time. Nothing smaller stands in for the rest: vectors of hashed words, or some of
//! the documents, would be quick, and would say nothing about how good the search by meaning is.

use std::{
    collections::{HashMap, HashSet},
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use chassis::{clock, tls::Roots};
use context_core::{
    document::{Document, Metadata, Span},
    scope::Scope,
};
use context_sidecar::{
    embed::{Dialect, Embedder, Memory, Purpose, Remote, Settings as Embedding},
    http::{Call, Client, Trouble},
    ingest::Outcome,
    pipeline::Pipeline,
    question::{Mode, Question},
    store::embedded::Embedded,
};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use crate::{
    pipeline, question, scope, settings,
    support::{MODEL, MiniLm},
};

fn collection(name: &str) -> Option<PathBuf> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/retrieval").join(name);
    path.is_dir().then_some(path)
}

fn lines(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// Longer than embedding all of it takes.
fn call() -> Call {
    Call::until(clock::now() + Duration::from_secs(3_600))
}

/// A model whose vectors are kept between runs.
#[derive(Debug)]
struct Kept {
    model: Remote,
    path: PathBuf,
    known: Mutex<HashMap<[u8; 32], Vec<f32>>>,
}

impl Kept {
    fn of(model: Remote) -> Self {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("minilm-vectors");
        let bytes = fs::read(&path).unwrap_or_default();
        let records = bytes.chunks_exact(32 + 4 * 384);
        let known = records.map(|record| {
            let (key, vector) = record.split_at(32);
            let numbers = vector.chunks_exact(4).map(|four| f32::from_le_bytes(four.try_into().unwrap()));
            (key.try_into().unwrap(), numbers.collect())
        });
        Self { model, path, known: Mutex::new(known.collect()) }
    }

    fn save(&self) {
        let record = |(key, vector): (&[u8; 32], &Vec<f32>)| {
            key.iter().copied().chain(vector.iter().flat_map(|number| number.to_le_bytes())).collect::<Vec<u8>>()
        };
        let bytes: Vec<u8> = self.known.lock().unwrap().iter().flat_map(record).collect();
        fs::write(&self.path, bytes).unwrap();
    }
}

#[async_trait]
impl Embedder for Kept {
    fn model(&self) -> &str {
        self.model.model()
    }

    fn dimension(&self) -> Option<usize> {
        Some(384)
    }

    fn describe(&self) -> String {
        self.model.describe()
    }

    async fn embed(&self, texts: &[&str], purpose: Purpose, call: &Call) -> Result<Vec<Vec<f32>>, Trouble> {
        let key = |text: &str| -> [u8; 32] { Sha256::digest(text).into() };
        let new: Vec<&str> = {
            let known = self.known.lock().unwrap();
            texts.iter().copied().filter(|text| !known.contains_key(&key(text))).collect()
        };
        if !new.is_empty() {
            let made = self.model.embed(&new, purpose, call).await?;
            self.known.lock().unwrap().extend(new.iter().map(|text| key(text)).zip(made));
            if purpose == Purpose::Document {
                self.save();
            }
        }
        let known = self.known.lock().unwrap();
        Ok(texts.iter().map(|text| known[&key(text)].clone()).collect())
    }
}

struct Rig {
    pipeline: Pipeline,
    scope: Scope,
    _directory: TempDir,
}

async fn rig(embedder: Option<Arc<dyn Embedder>>, corpus: &[Value]) -> Rig {
    let directory = tempfile::tempdir().unwrap();
    let store = Arc::new(Embedded::open(directory.path()).unwrap());
    let (pipeline, scope) = (pipeline(store, embedder, None, settings()), scope("a", "docs"));
    let document = |line: &Value| Document {
        id: text(&line["_id"]),
        title: line["title"].as_str().map(str::to_owned),
        text: text(&line["text"]),
        url: None,
        metadata: Metadata::new(),
    };
    let started = clock::now();
    for some in corpus.chunks(500) {
        let given = some.iter().map(|line| Ok(document(line))).collect();
        let outcomes = pipeline.put(&scope, given, None, &call()).await.unwrap();
        assert!(outcomes.iter().all(|item| matches!(item.outcome, Outcome::Created { .. })));
    }
    let took = clock::now() - started;
    let page = pipeline.list(&scope, None, None, 1_000, &call()).await.unwrap();
    let chunks: u32 = page.documents.iter().map(|listed| listed.chunks).sum();
    println!(
        "ingested {} documents in {took:.1?}; the first {} of them have {chunks} chunks",
        corpus.len(),
        page.documents.len()
    );
    Rig { pipeline, scope, _directory: directory }
}

/// nDCG@10 by document, each by its best chunk.
async fn ndcg(rig: &Rig, path: &Path, mode: Mode) -> f64 {
    let mut relevant: HashMap<String, HashSet<String>> = HashMap::new();
    for line in fs::read_to_string(path.join("qrels.tsv")).unwrap().lines().skip(1) {
        let fields: Vec<&str> = line.split('\t').collect();
        if fields[2] != "0" {
            relevant.entry(fields[0].to_owned()).or_default().insert(fields[1].to_owned());
        }
    }
    let queries: HashMap<String, String> =
        lines(&path.join("queries.jsonl")).iter().map(|line| (text(&line["_id"]), text(&line["text"]))).collect();
    let gain = |rank: usize| 1.0 / ((rank + 2) as f64).log2();
    let (mut sum, mut times) = (0.0, Vec::new());
    for (query, relevant) in &relevant {
        let asked = Question { mode: Some(mode), top_k: 50, ..question(&queries[query]) };
        let started = clock::now();
        let answer = rig.pipeline.retrieve(&rig.scope, &asked, &call()).await.unwrap();
        times.push(clock::now() - started);
        assert_eq!((answer.mode, answer.degraded.len()), (mode, 0));
        let mut documents: Vec<&str> = Vec::new();
        for found in answer.results.iter() {
            if !documents.contains(&found.document_id.as_str()) {
                documents.push(&found.document_id);
            }
        }
        documents.truncate(10);
        let ideal: f64 = (0..relevant.len().min(10)).map(gain).sum();
        let found = documents.iter().enumerate().filter(|(_, id)| relevant.contains(**id));
        sum += found.map(|(rank, _)| gain(rank)).sum::<f64>() / ideal;
    }
    times.sort_unstable();
    let ndcg = sum / relevant.len() as f64;
    println!("scifact, {mode:?}: nDCG@10 {ndcg:.4}; 50 results in {:.2?} (p50)", times[times.len() / 2]);
    ndcg
}

fn overlap(wanted: &[Span], shown: &[Span]) -> usize {
    let both = |one: &Span, other: &Span| one.end.min(other.end).saturating_sub(one.start.max(other.start));
    wanted.iter().flat_map(|one| shown.iter().map(move |other| both(one, other))).sum()
}

/// How much of what answers the questions is in contexts of so many tokens.
async fn span_recall(rig: &Rig, path: &Path, mode: Mode, max_tokens: usize) -> f64 {
    let queries = lines(&path.join("queries.jsonl"));
    let mut sum = 0.0;
    for query in &queries {
        let asked =
            Question { mode: Some(mode), max_tokens: Some(max_tokens), ..question(query["text"].as_str().unwrap()) };
        let answer = rig.pipeline.retrieve(&rig.scope, &asked, &call()).await.unwrap();
        let context = answer.context.as_ref().unwrap();
        assert!(context.tokens <= max_tokens);
        let mut wanted: Vec<Span> = Vec::new();
        let mut spans: Vec<(usize, usize)> = serde_json::from_value(query["spans"].clone()).unwrap();
        spans.sort_unstable();
        for (start, end) in spans {
            match wanted.last_mut().filter(|last| start <= last.end) {
                Some(last) => last.end = last.end.max(end),
                None => wanted.push(Span { start, end }),
            }
        }
        let own = context.citations.iter().filter(|citation| query["doc"] == citation.document_id);
        let own: Vec<Span> = own.map(|citation| citation.span).collect();
        let all: usize = wanted.iter().map(|span| span.end - span.start).sum();
        sum += overlap(&wanted, &own) as f64 / all as f64;
    }
    let recall = sum / queries.len() as f64;
    println!("chunkeval, {mode:?}: span recall {recall:.4} at {max_tokens} tokens");
    recall
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn by_words() {
    let Some(path) = collection("scifact") else { e2e::skip!("there is no ../shared/retrieval/scifact") };
    let rig = rig(None, &lines(&path.join("corpus.jsonl"))).await;
    assert!(ndcg(&rig, &path, Mode::Lexical).await >= 0.67);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn contexts_by_words() {
    let Some(path) = collection("chunkeval") else { e2e::skip!("there is no ../shared/retrieval/chunkeval") };
    let rig = rig(None, &lines(&path.join("corpus.jsonl"))).await;
    assert!(span_recall(&rig, &path, Mode::Lexical, 2_000).await >= 0.93);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a real model reads 15,000 chunks, which takes ten minutes the first time: make quality"]
async fn by_words_and_meaning() {
    let Some(path) = collection("scifact") else { e2e::skip!("there is no ../shared/retrieval/scifact") };
    let Some(server) = MiniLm::start().await else { e2e::skip!("MINILM_PYTHON names no Python with the model") };
    let client = Client::new(&Roots::default(), false).unwrap();
    let remote = Remote::at(&client, &server.base, None, Embedding::of(MODEL, Dialect::OpenAi), Memory::default());
    let model = Arc::new(Kept::of(remote.unwrap()));
    let scifact = rig(Some(model.clone()), &lines(&path.join("corpus.jsonl"))).await;
    let both = ndcg(&scifact, &path, Mode::Hybrid).await;
    ndcg(&scifact, &path, Mode::Dense).await;
    assert!(ndcg(&scifact, &path, Mode::Lexical).await >= 0.67);
    assert!(both >= 0.72);
    let Some(path) = collection("chunkeval") else { return };
    let chunkeval = rig(Some(model.clone()), &lines(&path.join("corpus.jsonl"))).await;
    for max_tokens in [500, 1_000, 2_000, 4_000] {
        let recall = span_recall(&chunkeval, &path, Mode::Hybrid, max_tokens).await;
        assert!(max_tokens != 2_000 || recall >= 0.93);
    }
    model.save();
}
