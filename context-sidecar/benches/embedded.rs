//! How fast the embedded store is, and how large: hybrid searches, writing, opening.
//!
//! `cargo bench -p context-sidecar --bench embedded`; the numbers of chunks are arguments, 5,000 and 50,000 without.
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "it prints a table, and fails loudly"
)]

use std::process::Command;
use std::time::Duration;

use chassis::clock;
use context_core::{
    document::{Chunk, Metadata, Span},
    filter::Filter,
    point::{Point, PointId, Sparse},
    scope::Scope,
};
use context_sidecar::store::{Kind, Legs, Store as _, embedded::Embedded};

const DIMENSION: usize = 384;
const BATCH: usize = 128;

/// Numbers that look random and are the same each time.
struct Random(u64);

impl Random {
    fn next(&mut self) -> f32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 40) as f32 / (1_u64 << 24) as f32
    }

    fn vector(&mut self) -> Vec<f32> {
        (0..DIMENSION).map(|_| self.next() - 0.5).collect()
    }

    /// Words as in a text: few are everywhere, most are rare.
    fn words(&mut self, many: usize) -> Sparse {
        let mut indices: Vec<u32> = (0..many).map(|_| (30_000_f32.powf(self.next())) as u32).collect();
        indices.sort_unstable();
        indices.dedup();
        let values = indices.iter().map(|_| 0.5 + self.next()).collect();
        Sparse { indices, values }
    }
}

fn point(scope: &Scope, number: usize, random: &mut Random) -> Point {
    let document = format!("document-{}", number / 3);
    let chunk = (number % 3) as u32;
    let metadata: Metadata = [("year".to_owned(), (2000 + number % 25).into())].into_iter().collect();
    let text = "The right passages, within the budget, from the right tenant. ".repeat(18);
    let span = Span { start: 0, end: text.len() };
    Point {
        id: PointId::of(scope, &document, chunk, ""),
        chunk: Chunk {
            document_id: document,
            chunk,
            text,
            span,
            title: Some("A title".to_owned()),
            url: None,
            metadata,
        },
        hash: "0".repeat(64),
        version: Default::default(),
        written: 1_700_000_000,
        expires: None,
        dense: Some(random.vector()),
        lexical: random.words(130),
    }
}

fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok()).unwrap_or_default() >> 10
}

fn percentiles(mut taken: Vec<Duration>) -> String {
    taken.sort_unstable();
    let at = |share: usize| taken[(taken.len() - 1) * share / 100];
    format!("p50 {:>9.1?}  p99 {:>9.1?}", at(50), at(99))
}

/// Where this program, started again, opens a store and says how large it is then.
const RESIDENT: &str = "--resident";

fn main() {
    let mut arguments = std::env::args().skip_while(|argument| argument != RESIDENT).skip(1);
    if let Some(directory) = arguments.next() {
        let store = Embedded::open(directory.as_ref()).unwrap();
        println!("  {} opened: {} MB resident", store.describe(), resident());
        return;
    }
    let given: Vec<usize> = std::env::args().filter_map(|argument| argument.parse().ok()).collect();
    let sizes = if given.is_empty() { vec![5_000, 50_000] } else { given };
    let runtime = chassis::task::runtime().unwrap();
    sizes.into_iter().for_each(|size| runtime.block_on(measure(size)));
}

async fn measure(size: usize) {
    let directory = tempfile::tempdir().unwrap();
    let scope = Scope { tenant: "bench".parse().unwrap(), collection: "bench".parse().unwrap() };
    let mut random = Random(88_172_645_463_325_252);
    let store = Embedded::open(directory.path()).unwrap();
    store.create(&scope.collection, &Kind { dense: Some(("bench".to_owned(), DIMENSION)) }).await.unwrap();
    let mut writing = Duration::ZERO;
    let mut number = 0;
    while number < size {
        let many = BATCH.min(size - number);
        let batch: Vec<Point> = (number..number + many).map(|number| point(&scope, number, &mut random)).collect();
        number += many;
        let started = clock::now();
        store.put(&scope, &batch).await.unwrap();
        writing += clock::now() - started;
    }
    println!("{size} chunks: written at {:.0} a second in batches of {BATCH}", size as f64 / writing.as_secs_f64());
    drop(store);
    let mut again = Command::new(std::env::current_exe().unwrap());
    assert!(again.arg(RESIDENT).arg(directory.path()).status().unwrap().success());
    let started = clock::now();
    let store = Embedded::open(directory.path()).unwrap();
    let file = std::fs::metadata(directory.path().join("chunks.redb")).unwrap().len() >> 20;
    println!("  opened in {:.0?}; the file has {file} MB", clock::now() - started);
    let filter = Filter::Range { key: "year".to_owned(), bound: context_core::filter::Bound::Gte, value: 2012.0 };
    for (name, dense, lexical, filter) in [
        ("hybrid", true, true, None),
        ("dense", true, false, None),
        ("lexical", false, true, None),
        ("hybrid, filtered", true, true, Some(&filter)),
    ] {
        let mut taken = Vec::new();
        for _ in 0..400 {
            let (vector, words) = (random.vector(), random.words(8));
            let legs = Legs { dense: dense.then_some((vector, 50)), lexical: lexical.then_some((words, 50)) };
            let started = clock::now();
            let found = store.search(&scope, &legs, filter, 0).await.unwrap();
            taken.push(clock::now() - started);
            assert!(found.dense.is_none_or(|hits| hits.len() == 50));
        }
        println!("  {name:<18}{}", percentiles(taken));
    }
}
