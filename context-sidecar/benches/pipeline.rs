//! What the pipeline adds to the store: questions, remembered ones, packed contexts; and how fast documents get in.
//!
//! `cargo bench -p context-sidecar --bench pipeline`; the number of documents (of some five chunks) is an argument, 1,000
//! without.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "it prints a table, and fails loudly"
)]

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use chassis::{clock, metrics::Metrics};
use context_core::{
    bm25::{Encoder, Language},
    document::{Document, Metadata},
    fuse::Fusion,
    scope::Scope,
    threshold::Minimum,
};
use context_sidecar::{
    embed::{Embedder, Purpose},
    http::{Call, Trouble},
    metrics::Series,
    pipeline::{Parts, Pipeline, Settings},
    question::{Marks, Mode, Question},
    store::{Legs, Store, embedded::Embedded},
};

const DIMENSION: usize = 384;

/// Numbers that look random and are the same each time.
struct Random(u64);

impl Random {
    fn next(&mut self) -> f32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 40) as f32 / (1_u64 << 24) as f32
    }

    /// Words as in a text: few are everywhere, most are rare.
    fn text(&mut self, words: usize) -> String {
        let mut text = String::with_capacity(words * 7);
        for word in 0..words {
            let number = 20_000_f32.powf(self.next()) as u32;
            let (head, tail) =
                (["gra", "ma", "ti", "lo"][number as usize % 4], ["ne", "ro", "sk", "al", "um"][number as usize % 5]);
            text.push_str(&format!("{head}{}{tail}", char::from(b'a' + (number / 20 % 26) as u8)));
            text.push_str(if word % 14 == 13 { ". " } else { " " });
        }
        text
    }
}

/// Vectors that cost nothing.
#[derive(Debug)]
struct Free;

#[async_trait]
impl Embedder for Free {
    fn model(&self) -> &str {
        "free"
    }

    fn dimension(&self) -> Option<usize> {
        Some(DIMENSION)
    }

    fn describe(&self) -> String {
        "free".to_owned()
    }

    async fn embed(&self, texts: &[&str], _: Purpose, _: &Call) -> Result<Vec<Vec<f32>>, Trouble> {
        let vector = |text: &&str| {
            let mut random =
                Random(text.bytes().fold(88_172_645_463_325_252, |sum, byte| sum.rotate_left(7) ^ u64::from(byte)));
            let vector: Vec<f32> = (0..DIMENSION).map(|_| random.next() - 0.5).collect();
            let length = vector.iter().map(|number| number * number).sum::<f32>().sqrt();
            vector.into_iter().map(|number| number / length).collect()
        };
        Ok(texts.iter().map(vector).collect())
    }
}

fn question(query: String) -> Question {
    Question {
        query,
        filter: None,
        top_k: 10,
        mode: None,
        fusion: Fusion::default(),
        min_score: Minimum::default(),
        rerank: None,
        mmr: None,
        expand: None,
        freshness: None,
        max_tokens: None,
        marks: Marks::Numbers,
        timeout: Duration::from_secs(60),
        explain: false,
    }
}

fn percentiles(name: &str, mut taken: Vec<Duration>) {
    taken.sort_unstable();
    let at = |share: usize| taken[(taken.len() - 1) * share / 100];
    println!("  {name:<34}p50 {:>9.1?}  p99 {:>9.1?}", at(50), at(99));
}

fn main() {
    let given = std::env::args().find_map(|argument| argument.parse().ok());
    chassis::task::runtime().unwrap().block_on(measure(given.unwrap_or(1_000)));
}

async fn measure(documents: usize) {
    let mut random = Random(88_172_645_463_325_252);
    let texts: Vec<String> = (0..documents).map(|_| random.text(600)).collect();
    let call = Call::until(clock::now() + Duration::from_secs(3_600));
    let scope = Scope { tenant: "bench".parse().unwrap(), collection: "bench".parse().unwrap() };
    for embedder in [None, Some(Arc::new(Free) as Arc<dyn Embedder>)] {
        let directory = tempfile::tempdir().unwrap();
        let store = Arc::new(Embedded::open(directory.path()).unwrap());
        let has_meaning = embedder.is_some();
        let pipeline = Pipeline::new(Parts {
            store: store.clone(),
            embedder: embedder.clone(),
            reranker: None,
            summarizer: None,
            series: Series::new(&Metrics::new()),
            settings: Settings::default(),
        });
        let started = clock::now();
        for (part, texts) in texts.chunks(500).enumerate() {
            let document = |(number, text): (usize, &String)| {
                let metadata: Metadata = [("year".to_owned(), (2000 + number % 25).into())].into_iter().collect();
                let (id, title) = (format!("{part}-{number}"), Some("A title".to_owned()));
                Ok(Document { id, title, text: text.clone(), url: Some("https://example.org/".to_owned()), metadata })
            };
            let given = texts.iter().enumerate().map(document).collect();
            pipeline.put(&scope, given, None, &call).await.unwrap();
        }
        let took = (clock::now() - started).as_secs_f64();
        let listed = store.documents(&scope, None, None, documents, 0).await.unwrap();
        let chunks: u32 = listed.iter().map(|(_, chunks)| chunks).sum();
        let what = if has_meaning { "by words and meaning" } else { "by words" };
        println!("{documents} documents, {chunks} chunks, {what}: {:.0} chunks a second", f64::from(chunks) / took);
        run(&pipeline, store.as_ref(), &scope, embedder.as_deref(), &mut random, &call).await;
    }
}

async fn run(
    pipeline: &Pipeline,
    store: &dyn Store,
    scope: &Scope,
    embedder: Option<&dyn Embedder>,
    random: &mut Random,
    call: &Call,
) {
    let encoder = Encoder::new(Language::English);
    let queries: Vec<String> = (0..400).map(|number| format!("{} {number}", random.text(8))).collect();
    let mut bare = Vec::new();
    for query in &queries {
        let vector = match embedder {
            Some(embedder) => embedder.embed(&[query], Purpose::Query, call).await.unwrap().pop(),
            None => None,
        };
        let legs = Legs { dense: vector.map(|vector| (vector, 100)), lexical: Some((encoder.query(query), 100)) };
        let started = clock::now();
        store.search(scope, &legs, None, 0).await.unwrap();
        bare.push(clock::now() - started);
    }
    percentiles("the store alone", bare);
    for (name, change) in [
        ("10 results", (|_| {}) as fn(&mut Question)),
        ("again, other chunks remembered", |asked| asked.top_k = 11),
        ("remembered", |asked| asked.top_k = 11),
        ("packed to 2,000 tokens", |asked| asked.max_tokens = Some(2_000)),
        ("packed, remembered", |asked| asked.max_tokens = Some(2_000)),
        ("1,000 results", |asked| asked.top_k = 1_000),
        ("1,000 results, remembered", |asked| asked.top_k = 1_000),
        ("by novelty", |asked| asked.mmr = Some(0.7)),
        ("by words alone", |asked| asked.mode = Some(Mode::Lexical)),
    ] {
        let mut taken = Vec::new();
        // Larger answers are not remembered that many.
        for query in queries.iter().take(if name.starts_with("1,000") { 5 } else { 200 }) {
            let mut asked = question(query.clone());
            change(&mut asked);
            let started = clock::now();
            let answer = pipeline.retrieve(scope, &asked, call).await.unwrap();
            taken.push(clock::now() - started);
            assert!(!answer.results.is_empty());
        }
        percentiles(name, taken);
    }
}
