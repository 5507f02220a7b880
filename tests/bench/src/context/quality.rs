//! How good what is found is, from outside: documents in and questions out, over HTTP.

use std::collections::BTreeSet;

use anyhow::{Context as _, bail};
use serde_json::{Value, json};

use super::collections::{Judged, Marked};
use super::sidecar::Sidecar;

/// Documents of the best results, for each question.
pub(super) type Rankings = Vec<Vec<String>>;

pub(super) struct Scores {
    /// At ten documents.
    pub(super) ndcg: f64,
    /// At ten documents.
    pub(super) recall: f64,
    pub(super) rankings: Rankings,
}

/// By document, each by its best chunk.
pub(super) fn judge(sidecar: &mut Sidecar, judged: &Judged, mode: &str) -> anyhow::Result<Scores> {
    let gain = |rank: usize| 1.0 / ((rank + 2) as f64).log2();
    let (mut ndcg, mut recall, mut rankings) = (0.0, 0.0, Vec::new());
    for (question, relevant) in &judged.questions {
        let asked = json!({"collection": "bench-scifact", "query": question, "mode": mode, "top_k": 50});
        let answer = sidecar.client.ask("POST", "/v1/retrieve", &asked)?;
        if answer["mode"] != mode || answer["degraded"] != json!([]) {
            bail!("a question is answered by {} without {}", answer["mode"], answer["degraded"]);
        }
        let mut seen = BTreeSet::new();
        let results = answer["results"].as_array().context("results")?;
        let documents = results.iter().filter_map(|found| found["document_id"].as_str());
        let ranking: Vec<String> = documents.filter(|id| seen.insert(*id)).take(10).map(str::to_owned).collect();
        let found: Vec<usize> = (0..ranking.len()).filter(|&rank| relevant.contains(&ranking[rank])).collect();
        let ideal: f64 = (0..relevant.len().min(10)).map(gain).sum();
        ndcg += found.iter().copied().map(gain).sum::<f64>() / ideal;
        recall += found.len() as f64 / relevant.len() as f64;
        rankings.push(ranking);
    }
    let all = judged.questions.len().max(1) as f64;
    Ok(Scores { ndcg: ndcg / all, recall: recall / all, rankings })
}

/// How much of what answers the questions is in contexts of so many tokens.
pub(super) fn span_recall(sidecar: &mut Sidecar, marked: &Marked, mode: &str, tokens: usize) -> anyhow::Result<f64> {
    let mut sum = 0.0;
    for (question, document, spans) in &marked.questions {
        let asked = json!({"collection": "bench-chunkeval", "query": question, "mode": mode, "max_tokens": tokens});
        let answer = sidecar.client.ask("POST", "/v1/retrieve", &asked)?;
        let context = &answer["context"];
        if answer["mode"] != mode || context["tokens"].as_u64().is_none_or(|used| used > tokens as u64) {
            bail!("a context by {} of {} tokens instead of {tokens}", answer["mode"], context["tokens"]);
        }
        let citations = context["citations"].as_array().context("citations")?;
        let own = citations.iter().filter(|citation| citation["document_id"] == document.as_str());
        let shown: Vec<(u64, u64)> = own.filter_map(|citation| span(&citation["span"])).collect();
        let both = |&(start, end): &(u64, u64)| -> u64 {
            shown.iter().map(|other| end.min(other.1).saturating_sub(start.max(other.0))).sum()
        };
        let all: u64 = spans.iter().map(|(start, end)| end - start).sum();
        sum += spans.iter().map(both).sum::<u64>() as f64 / all.max(1) as f64;
    }
    Ok(sum / marked.questions.len().max(1) as f64)
}

fn span(value: &Value) -> Option<(u64, u64)> {
    Some((value["start"].as_u64()?, value["end"].as_u64()?))
}
