//! What docs/metrics.md says is served is what is served, with these labels and no others.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use crate::{Sidecar, library};

type Table = BTreeMap<String, BTreeSet<String>>;

/// The series of the section about the sidecar, with their labels.
fn documented() -> Table {
    let text = include_str!("../../../docs/metrics.md");
    let (_, section) = text.split_once("\n## The context-sidecar\n").unwrap();
    let section = section.split("\n## ").next().unwrap();
    let mut table = Table::new();
    for line in section.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let names = |cell: &str| cell.split('`').skip(1).step_by(2).map(str::to_owned).collect::<BTreeSet<String>>();
        assert!(cells[3].len() > 10, "{line} explains nothing");
        for name in names(cells[1]) {
            assert!(table.insert(name.clone(), names(cells[2])).is_none(), "{name} is there twice");
        }
    }
    table
}

#[tokio::test]
async fn what_is_documented_is_what_is_there() {
    let nobody = format!("http://{}", e2e::harness::free_port());
    let more = format!(
        "embeddings: {{ model: m, url: {nobody} }}\nrerank: {{ url: {nobody} }}\nconversations: {{ summary: {{ model: m, url: {nobody} }} }}\n"
    );
    let sidecar = Sidecar::start(&more);
    // Each of the counters has counted: something is found, and something has failed.
    let words = Sidecar::start("");
    words.put(&library()).await;
    for _ in 0..2 {
        words.good("POST", "/v1/context", &json!({"messages": [{"role": "user", "content": "cats"}]})).await;
    }
    words.good("POST", "/v1/retrieve", &json!({"query": "dogs", "rerank": true})).await;
    sidecar.ask("PUT", "/v1/documents", &json!({"documents": library()})).await;
    let mut served = Table::new();
    for text in [sidecar.metrics.encode(), words.metrics.encode()] {
        for line in text.lines() {
            if let Some(kind) = line.strip_prefix("# TYPE ") {
                let (name, kind) = kind.split_once(' ').unwrap();
                let total = if kind == "counter" { "_total" } else { "" };
                served.entry(format!("{name}{total}")).or_default();
            }
        }
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let (name, labels) = line.split_once('{').unwrap_or((line.split(' ').next().unwrap(), ""));
            let ends = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end));
            let name = ends.filter(|name| served.contains_key(*name)).unwrap_or(name);
            let labels =
                labels.split("\"").step_by(2).filter_map(|part| part.trim_start_matches([',', '}']).strip_suffix('='));
            let labels = labels.filter(|label| *label != "le").map(str::to_owned);
            served.get_mut(name).unwrap_or_else(|| panic!("{line}")).extend(labels);
        }
    }
    assert_eq!(served, documented());
    let text = sidecar.metrics.encode();
    for series in [
        "context_breaker_state{to=\"store\"} 0",
        "context_breaker_state{to=\"embedder\"} ",
        "context_breaker_state{to=\"reranker\"} 0",
        "context_breaker_state{to=\"summarizer\"} 0",
        "context_cache_entries{cache=\"embeddings\"} 0",
        "context_cache_total{cache=\"embeddings\",outcome=\"miss\"} ",
    ] {
        assert!(text.contains(series), "{series}\n{text}");
    }
    let text = words.metrics.encode();
    assert!(text.contains("context_cache_entries{cache=\"results\"} 1"), "{text}");
    assert!(!text.contains("context_cache_bytes{cache=\"results\"} 0"), "{text}");
    assert!(!text.contains("to=\"embedder\""), "there is none\n{text}");
}
