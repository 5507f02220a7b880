//! How fast it answers at the HTTP door, one question after the other on one connection, and how fast documents get in.

use anyhow::{Context as _, bail};
use serde_json::{Value, json};

use super::client::Client;
use super::collections::{Document, Random};
use super::report::Report;
use super::sidecar::{Setup, Sidecar, Stage};
use super::vectors::INSTANT;
use crate::child::Part;
use crate::spread::Spread;

const COLLECTION: &str = "bench-speed";
const QUESTIONS: usize = 200;

fn questions() -> Vec<Value> {
    let mut random = Random::new();
    let question = |_| json!({"collection": COLLECTION, "query": random.text(8)});
    (0..QUESTIONS).map(question).collect()
}

/// All questions, `rounds` times, after one time that does not count; each has to be answered by `mode`.
fn times(sidecar: &mut Sidecar, asked: &[Value], mode: &str, cache: &str, rounds: usize) -> anyhow::Result<Spread> {
    let client = &mut sidecar.client;
    let requests: Vec<_> =
        asked.iter().map(|asked| client.request("POST", "/v1/retrieve", &asked.to_string())).collect();
    let mut took = Vec::new();
    for round in 0..=rounds {
        for request in &requests {
            let (status, answer, nanoseconds) = client.send(request)?;
            if round == 0 {
                let answer: Value = serde_json::from_slice(&answer)?;
                if status != 200 || answer["mode"] != mode || answer["results"].as_array().is_none_or(Vec::is_empty) {
                    bail!("{status}: {answer}");
                }
            } else {
                took.push(nanoseconds);
                let wanted = format!("\"cache\":\"{cache}\"");
                if !answer.windows(wanted.len()).any(|bytes| bytes == wanted.as_bytes()) {
                    bail!("an answer that is no {cache}");
                }
            }
        }
    }
    Ok(Spread::of(took))
}

/// Chunks until there are so many, each document some five of them; and how many a second.
fn fill(sidecar: &mut Sidecar, size: u64) -> anyhow::Result<f64> {
    let (mut random, mut chunks, mut seconds, mut documents) = (Random::new(), 0, 0.0, 0);
    while chunks < size {
        let many = usize::try_from((size - chunks).div_ceil(5))?.min(500);
        let put = sidecar.put(COLLECTION, &random.documents(documents, many))?;
        documents += many;
        chunks += put.0;
        seconds += put.1;
    }
    Ok(chunks as f64 / seconds)
}

fn ms(spread: Spread) -> String {
    format!("p99 {:.2} ms", spread.p99 / 1_000.0)
}

pub(super) fn embedded(stage: &Stage, rounds: usize, report: &mut Report) -> anyhow::Result<()> {
    for (size, aim) in [(5_000, 0.5), (50_000, 5.0)] {
        let store = format!("speed-{size}");
        let setup = Setup { store: &store, model: Some(INSTANT), remembers: false };
        let mut sidecar = stage.start(setup)?;
        let rate = fill(&mut sidecar, size)?;
        report.say(format!("embedded, {size} chunks: taken in with vectors, chunks/s"), format!("{rate:.0}"));
        let spread = times(&mut sidecar, &questions(), "hybrid", "miss", rounds)?;
        report.below(format!("… hybrid, 10 results: p50 ({})", ms(spread)), spread.p50 / 1_000.0, "ms", aim);
        let words: Vec<Value> = with(&questions(), "mode", &json!("lexical"));
        let spread = times(&mut sidecar, &words, "lexical", "miss", rounds)?;
        report.say(format!("… lexical: p50 ({})", ms(spread)), format!("{:.2} ms", spread.p50 / 1_000.0));
        let packed: Vec<Value> = with(&questions(), "max_tokens", &json!(2_000));
        let spread = times(&mut sidecar, &packed, "hybrid", "miss", 1)?;
        report.say(
            format!("… hybrid, packed to 2,000 tokens: p50 ({})", ms(spread)),
            format!("{:.2} ms", spread.p50 / 1_000.0),
        );
        drop(sidecar);
        let mut sidecar = stage.start(Setup { remembers: true, ..setup })?;
        report.say("… opened: resident, MiB", format!("{:.1}", sidecar.rss_mib()));
        if size == 5_000 {
            let spread = times(&mut sidecar, &questions(), "hybrid", "hit", rounds * 2)?;
            report.below(format!("a remembered answer: p50 (p99 {:.0} µs)", spread.p99), spread.p50, "µs", 100.0);
        }
    }
    Ok(())
}

pub(super) fn with(asked: &[Value], key: &str, value: &Value) -> Vec<Value> {
    let mut asked = asked.to_vec();
    asked.iter_mut().for_each(|asked| asked[key] = value.clone());
    asked
}

/// Without vectors.
pub(super) fn ingest(stage: &Stage, real: Option<&[Document]>, report: &mut Report) -> anyhow::Result<()> {
    let mut sidecar = stage.start(Setup { store: "ingest", model: None, remembers: false })?;
    let rate = fill(&mut sidecar, 25_000)?;
    report.at_least("taken in without embedding, made-up texts, batches of 500 documents: chunks/s", rate, 5_000.0, 0);
    if let Some(documents) = real {
        let (chunks, seconds) = sidecar.put("bench-scifact", documents)?;
        let what = format!("… SciFact, {} documents, {chunks} chunks: chunks/s", documents.len());
        report.at_least(what, chunks as f64 / seconds, 5_000.0, 0);
    }
    Ok(())
}

/// What a question costs beyond the batch query that it is made of. In either case the Qdrant is on another core than who
/// asks it: the context-sidecar's has the client's core, and the client's has the context-sidecar's.
pub(super) fn overhead(stage: &Stage, qdrant: String, rounds: usize, report: &mut Report) -> anyhow::Result<()> {
    let mut replay = Part::ours("replay", stage.cores.load, &[qdrant])?;
    let url = format!("http://127.0.0.1:{}", replay.line()?);
    let mut sidecar = stage.start(Setup { store: &url, model: Some(INSTANT), remembers: false })?;
    // Of another run, in a Qdrant that stays.
    let body = json!({"collection": COLLECTION, "all": true}).to_string();
    let _ = sidecar.client.send(&sidecar.client.request("DELETE", "/v1/documents", &body))?;
    fill(&mut sidecar, 2_000)?;
    let asked = questions();
    // Texts of chunks are remembered after the first.
    times(&mut sidecar, &asked, "hybrid", "miss", 2)?;
    let mut other = Part::ours("replay", stage.cores.gateway, std::slice::from_ref(&url))?;
    let mut bare = Client::of(other.line()?.parse()?);
    let port = url.rsplit(':').next().unwrap_or_default().parse()?;
    let batches = Client::of(port).ask("GET", "/_batches", &Value::Null)?;
    let batches: Vec<(String, String)> = serde_json::from_value(batches).context("batches")?;
    if batches.len() != asked.len() {
        bail!("{} batch queries for {} questions", batches.len(), asked.len());
    }
    let questions: Vec<_> =
        asked.iter().map(|asked| sidecar.client.request("POST", "/v1/retrieve", &asked.to_string())).collect();
    let batches: Vec<_> = batches.iter().map(|(path, body)| bare.request("POST", path, body)).collect();
    let (mut without, mut within) = (Vec::new(), Vec::new());
    for round in 0..=rounds * 2 {
        for (batch, question) in batches.iter().zip(&questions) {
            for (client, request, times) in
                [(&mut bare, batch, &mut without), (&mut sidecar.client, question, &mut within)]
            {
                let (status, _, nanoseconds) = client.send(request)?;
                if status != 200 {
                    bail!("status {status}");
                }
                // The first are those of connections that are made.
                if round > 0 {
                    times.push(nanoseconds);
                }
            }
        }
    }
    let (without, within) = (Spread::of(without), Spread::of(within));
    report.say("a batch query to a Qdrant that takes no time: p50", format!("{:.0} µs", without.p50));
    report.say(
        format!("the question that is made of it: p50 (p99 {:.0} µs)", within.p99),
        format!("{:.0} µs", within.p50),
    );
    report.below("… what the context-sidecar adds: p50", within.p50 - without.p50, "µs", 150.0);
    Ok(())
}
