//! Rerankers of both shapes, which look at what they are asked, and all that may go wrong with them.

use std::time::Duration;

use chassis::clock;
use context_sidecar::{
    http::Call,
    rerank::{Ranked, Reranker, Shape},
};
use serde_json::{Value, json};

use crate::{
    call, client,
    server::{Reply, Request, Server},
};

fn at(url: &str, shape: Option<Shape>) -> Reranker {
    Reranker::at(&client(), url, None, shape, "rerank-1").unwrap()
}

fn keys(body: &Value) -> Vec<&str> {
    let mut keys: Vec<&str> = body.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}

/// How relevant a text is here: how long it is.
fn scores(body: &Value, field: &str) -> Vec<(usize, usize)> {
    let texts = body[field].as_array().unwrap();
    let mut scores: Vec<_> = texts.iter().map(|text| text.as_str().unwrap().len()).enumerate().collect();
    scores.sort_by_key(|(_, score)| std::cmp::Reverse(*score));
    scores
}

fn cohere(_: usize, request: &Request) -> Reply {
    if keys(&request.body) != ["documents", "model", "query", "top_n"] {
        return Reply::status("400 Bad Request", "");
    }
    let top = usize::try_from(request.body["top_n"].as_u64().unwrap()).unwrap();
    let scores = scores(&request.body, "documents").into_iter().take(top);
    let results = scores.map(|(index, score)| json!({"index": index, "relevance_score": score, "document": null}));
    Reply::json(&json!({"id": "1", "results": results.collect::<Vec<_>>(), "meta": {}}))
}

fn tei(_: usize, request: &Request) -> Reply {
    let texts = request.body["texts"].as_array().unwrap();
    if keys(&request.body) != ["query", "texts", "truncate"] || texts.is_empty() || texts.len() > 32 {
        return Reply::status("422 Unprocessable Entity", "");
    }
    let scores = scores(&request.body, "texts").into_iter();
    Reply::json(&json!(scores.map(|(index, score)| json!({"index": index, "score": score})).collect::<Vec<_>>()))
}

#[tokio::test]
async fn both_shapes_give_the_best_first_and_ties_in_order() {
    let documents: Vec<String> = (0..70).map(|index| "x".repeat(1 + index % 35)).collect();
    let documents: Vec<&str> = documents.iter().map(String::as_str).collect();
    let expected = [(34, 35.0), (69, 35.0), (33, 34.0)].map(|(index, score)| Ranked { index, score });
    let server = Server::start(cohere).await;
    let reranker = at(&server.url("/v1/rerank"), None);
    assert_eq!(reranker.shape(), Shape::Cohere);
    assert_eq!(reranker.rerank("why", &documents, 3, &call()).await.unwrap(), expected);
    assert_eq!(server.asked()[0].body["model"], "rerank-1");
    let server = Server::start(tei).await;
    let reranker = at(&server.url("/rerank"), None);
    assert_eq!(reranker.shape(), Shape::Tei);
    assert_eq!(reranker.rerank("why", &documents, 3, &call()).await.unwrap(), expected);
    assert_eq!(server.asked().len(), 3);
    assert_eq!(at(&server.url("/rerank"), Some(Shape::Cohere)).shape(), Shape::Cohere);
}

#[tokio::test]
async fn nothing_to_rank_is_not_asked() {
    let server = Server::start(cohere).await;
    assert_eq!(at(&server.base(), None).rerank("why", &[], 3, &call()).await.unwrap(), []);
    assert_eq!(server.asked().len(), 0);
}

#[tokio::test]
async fn what_is_no_ranking_is_told_and_tried_once() {
    let good = json!({"index": 0, "relevance_score": 0.5});
    for (reply, kind) in [
        (Reply::status("500 Oh", ""), "failed"),
        (Reply::status("401 Who", ""), "denied"),
        (Reply::status("429 Slow", ""), "too_many"),
        (Reply::status("200 OK", "<html>"), "unusable"),
        (Reply::status("200 OK", "[]"), "unusable"),
        (Reply::json(&json!({"results": []})), "unusable"),
        (Reply::json(&json!({"results": [good]})), "unusable"),
        (Reply::json(&json!({"results": [good, good]})), "unusable"),
        (Reply::json(&json!({"results": [good, {"index": 2, "relevance_score": 1}]})), "unusable"),
        (Reply::json(&json!({"results": [good, {"index": -1, "relevance_score": 1}]})), "unusable"),
        (Reply::json(&json!({"results": [good, {"index": 1, "relevance_score": null}]})), "unusable"),
        (Reply::json(&json!({"results": [good, {"index": 1, "relevance_score": 1e39}]})), "unusable"),
        (Reply::CutOff, "unreachable"),
    ] {
        let server = Server::answering(reply.clone()).await;
        let reranker = at(&server.url("/v2/rerank"), None);
        let trouble = reranker.rerank("a secret", &["b secret", "c"], 2, &call()).await.unwrap_err();
        assert_eq!((trouble.kind(), server.asked().len()), (kind, 1), "{reply:?}: {trouble}");
        assert!(!format!("{trouble}{trouble:?}").contains("secret"), "{trouble}");
    }
}

#[tokio::test]
async fn it_takes_no_longer_than_it_may() {
    let server = Server::answering(Reply::Hang).await;
    let call = Call::until(clock::now() + Duration::from_millis(100));
    let reranker = at(&server.url("/rerank"), None);
    let answer = tokio::time::timeout(crate::PATIENCE, reranker.rerank("why", &["a"], 1, &call)).await;
    assert_eq!(answer.unwrap().unwrap_err().kind(), "late");
}
