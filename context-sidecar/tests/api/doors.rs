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
        let scores = |answer: &Value, list: &str| -> Vec<Value> {
            answer[list].as_array().unwrap().iter().map(|item| item["score"].clone()).collect()
        };
        assert_eq!(scores(&theirs, "data"), scores(&ours, "results"), "{query}");
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
