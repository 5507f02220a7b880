//! OpenAI's door: the same rankings, in its words.

use serde_json::{Value, json};

use crate::{Sidecar, ids, library};

const DOOR: &str = "/v1/vector_stores/default/search";

#[tokio::test]
async fn it_ranks_as_the_endpoint_does() {
    let sidecar = Sidecar::start("");
    sidecar.put(&library()).await;
    for query in ["cats that sleep in the day", "the postman", "asleep in the sea"] {
        let ours = sidecar.good("POST", "/v1/retrieve", &json!({"query": query, "top_k": 3})).await;
        let theirs = sidecar.good("POST", DOOR, &json!({"query": query, "max_num_results": 3})).await;
        let files: Vec<&str> =
            theirs["data"].as_array().unwrap().iter().map(|item| item["file_id"].as_str().unwrap()).collect();
        assert_eq!(files, ids(&ours), "{query}");
        let scores: Vec<f64> =
            theirs["data"].as_array().unwrap().iter().map(|item| item["score"].as_f64().unwrap()).collect();
        assert!(scores.iter().all(|score| (0.0..=1.0).contains(score)) && scores.is_sorted_by(|one, next| one >= next));
        // By words alone it is the BM25 that ranks, and that is told.
        let (ours, score) = (&ours["results"][0], scores[0]);
        assert_eq!((&ours["score"], &ours["scores"]["fused"]), (&ours["scores"]["lexical"], &Value::Null));
        let bm25 = ours["score"].as_f64().unwrap();
        assert!((score - bm25 / (bm25 + 10.0)).abs() < 1e-6, "{query}: {score} {bm25}");
    }
}

#[tokio::test]
async fn what_could_not_be_done_is_in_headers_and_weights_are_taken() {
    let sidecar = Sidecar::start("");
    sidecar.put(&library()).await;
    let search = json!({"query": "cats", "ranking_options": {"score_threshold": 0.5}});
    let answer = sidecar.ask("POST", DOOR, &search).await;
    assert_eq!((answer.status, answer.header("x-context-mode")), (200, "lexical"));
    assert_eq!(answer.header("x-context-degraded"), "min_score.dense");
    let plain = sidecar.ask("POST", DOOR, &json!({"query": "cats"})).await;
    assert_eq!((plain.header("x-context-degraded"), plain.header("x-context-cache")), ("", "miss"));
    let weights = |embedding: f64, text: f64| {
        let hybrid = json!({"embedding_weight": embedding, "text_weight": text});
        json!({"query": "cats", "ranking_options": {"hybrid_search": hybrid}})
    };
    let answer = sidecar.ask("POST", DOOR, &weights(0.3, 0.7)).await;
    assert_eq!((answer.status, answer.header("x-context-degraded")), (200, "fusion.weights"));
    assert_eq!(sidecar.ask("POST", DOOR, &weights(1.0, 1.0)).await.header("x-context-degraded"), "");
    for (embedding, text, param) in [(-1.0, 1.0, "hybrid_search.embedding_weight"), (0.0, 0.0, "hybrid_search")] {
        let answer = sidecar.ask("POST", DOOR, &weights(embedding, text)).await;
        assert_eq!(
            (answer.status, &answer.json()["error"]["param"]),
            (400, &json!(format!("ranking_options.{param}")))
        );
    }
}

#[tokio::test]
async fn its_shape_is_that_of_openai() {
    let sidecar = Sidecar::start("");
    sidecar.put(&library()).await;
    let search =
        json!({"query": ["cats"], "filters": {"type": "eq", "key": "tags", "value": "fur"}, "rewrite_query": false});
    let answer = sidecar.good("POST", DOOR, &search).await;
    assert_eq!(answer["object"], "vector_store.search_results.page");
    assert_eq!(answer["search_query"], json!(["cats"]));
    assert_eq!((&answer["has_more"], &answer["next_page"]), (&json!(false), &Value::Null));
    let item = &answer["data"][0];
    assert_eq!(answer["data"].as_array().unwrap().len(), 1);
    assert_eq!((&item["file_id"], &item["filename"]), (&json!("cats"), &json!("Cats")));
    assert_eq!(item["attributes"], json!({"lang": "en", "year": 2020, "tags": "pets, fur"}));
    assert_eq!(item["content"], json!([{"type": "text", "text": "Cats sleep for most of the day."}]));
}
