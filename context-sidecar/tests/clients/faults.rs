//! Everything that may go wrong with an embedder: each has a sentence, and none passes for an answer.

use std::{fs, time::Duration};

use chassis::clock;
use context_sidecar::{
    breaker::{Policy, State},
    embed::{Dialect, Embedder as _, Purpose, Settings},
    http::{Call, Client, Endpoint, Token, Trouble},
};
use serde_json::{Value, json};

use crate::{
    call, client, embedder,
    server::{Reply, Server, embeddings, unit},
    settings, with_token,
};

/// What becomes of two texts, and how often the server was asked.
async fn told(server: &Server, dialect: Dialect) -> (Trouble, usize) {
    let embedder = embedder(&server.base(), settings(dialect));
    let trouble = embedder.embed(&["a secret", "text"], Purpose::Document, &call()).await.unwrap_err();
    let sentence = trouble.to_string();
    assert!(sentence.starts_with(&server.base()), "{sentence}");
    assert!(sentence.contains("; ") && !format!("{sentence}{trouble:?}").contains("secret"), "{sentence}");
    (trouble, server.asked().len())
}

#[tokio::test]
async fn what_is_no_answer_is_told_by_kind_and_tried_again_only_where_that_helps() {
    for (status, kind, tries) in [
        ("401 Unauthorized", "denied", 1),
        ("403 Forbidden", "denied", 1),
        ("404 Not Found", "refused", 1),
        ("413 Too Large", "refused", 1),
        ("302 Found\r\nlocation: http://127.0.0.1:9/", "refused", 1),
        ("429 Too Many Requests", "too_many", 4),
        ("500 Internal Server Error", "failed", 4),
        ("503 Service Unavailable", "failed", 4),
    ] {
        let server = Server::answering(Reply::status(status, r#"{"error": "your a secret"}"#)).await;
        let (trouble, asked) = told(&server, Dialect::OpenAi).await;
        assert_eq!((trouble.kind(), asked), (kind, tries), "{status}: {trouble}");
    }
}

#[tokio::test]
async fn answers_that_are_not_what_they_should_be_are_refused() {
    let data = |vectors: &[Value]| {
        let items = vectors.iter().enumerate().map(|(index, it)| json!({"index": index, "embedding": it}));
        json!({"data": items.collect::<Vec<_>>()}).to_string()
    };
    let nan = "AADAf"; // base64 of a NaN, and a one behind it
    for (body, says) in [
        ("<!doctype html><h1>secret</h1>".to_owned(), "HTML page"),
        (String::new(), "is not JSON"),
        (r#"{"data": [{"index": 0, "embedding": [1, 2"#.to_owned(), "is not JSON"),
        (r#"{"error": {"message": "secret"}}"#.to_owned(), "has something else"),
        ("[[1, 2], [3, 4]]".to_owned(), "has something else"),
        (data(&[json!([1, 2])]), "has 1 vectors for 2 texts"),
        (data(&[json!([1, 2]), json!([1, 2]), json!([1, 2])]), "has 3 vectors for 2 texts"),
        (data(&[json!([1, 2]), json!([1])]), "1 numbers in vector 1 where the others have 2"),
        (data(&[json!([1, 2]), json!([0, 0])]), "nothing but zeros in vector 1"),
        (data(&[json!([1, 2]), json!([1, null])]), "has something else"),
        (data(&[json!([1, 2]), json!([1, 1e39])]), ""),
        (data(&[json!([1, 2]), json!(format!("{nan}wAAgD8="))]), "no finite number"),
        (data(&[json!([1, 2]), json!("secret!")]), "has something else"),
        (r#"{"data": [{"index": 1, "embedding": [1]}, {"index": 1, "embedding": [1]}]}"#.to_owned(), "index 1 twice"),
        (r#"{"data": [{"index": 0, "embedding": [1]}, {"index": 2, "embedding": [1]}]}"#.to_owned(), "the index 2"),
    ] {
        let server = Server::answering(Reply::status("200 OK", &body)).await;
        let (trouble, asked) = told(&server, Dialect::OpenAi).await;
        assert!(trouble.to_string().contains(says) && trouble.kind() == "unusable", "{body}: {trouble}");
        assert_eq!(asked, 1);
    }
    for body in ["[[1, 2]]", r#"{"data": []}"#, "[[1, 2], []]", "[[1, 2], [1, 2], [1, 2]]"] {
        let server = Server::answering(Reply::status("200 OK", body)).await;
        assert_eq!(told(&server, Dialect::Tei).await.0.kind(), "unusable", "{body}");
    }
}

#[tokio::test]
async fn another_dimension_than_before_is_refused() {
    let server = Server::start(|before, request| {
        let wide = json!({"data": [{"index": 0, "embedding": [1, 2, 3, 4]}]});
        if before == 0 { embeddings(request) } else { Reply::json(&wide) }
    });
    let embedder = embedder(&server.await.base(), settings(Dialect::OpenAi));
    embedder.embed(&["a"], Purpose::Query, &call()).await.unwrap();
    let trouble = embedder.embed(&["b"], Purpose::Query, &call()).await.unwrap_err();
    assert!(trouble.to_string().contains("4 numbers in vector 0 where the others have 3"), "{trouble}");
    // What was good stays good.
    assert_eq!(embedder.embed(&["a"], Purpose::Query, &call()).await.unwrap(), [unit("a")]);
}

#[tokio::test]
async fn what_passes_is_sat_out() {
    let server = Server::start(|before, request| match before {
        0 => Reply::status("503 Service Unavailable", ""),
        1 => Reply::CutOff,
        2 => Reply::status("429 Too Many Requests\r\nretry-after: 1", ""),
        _ => embeddings(request),
    });
    let server = server.await;
    let embedder = embedder(&server.base(), settings(Dialect::OpenAi));
    let started = clock::now();
    assert_eq!(embedder.embed(&["a"], Purpose::Query, &call()).await.unwrap(), [unit("a")]);
    assert_eq!(server.asked().len(), 4);
    assert!(clock::now() - started >= Duration::from_secs(1), "a retry-after was not heeded");
}

#[tokio::test]
async fn nothing_is_waited_for_beyond_the_deadline() {
    for reply in [Reply::Hang, Reply::status("429 Slow Down\r\nretry-after: 3600", "")] {
        let server = Server::answering(reply).await;
        let embedder = embedder(&server.base(), settings(Dialect::OpenAi));
        let call = Call::until(clock::now() + Duration::from_millis(200));
        let answer = tokio::time::timeout(crate::PATIENCE, embedder.embed(&["a"], Purpose::Query, &call)).await;
        let trouble = answer.unwrap().unwrap_err();
        assert!(matches!(trouble.kind(), "late" | "too_many"), "{trouble}");
        assert_eq!(server.asked().len(), 1);
    }
}

#[tokio::test]
async fn a_server_that_is_away_is_left_alone_and_found_again() {
    let server = Server::start(|before, request| match before {
        0..=3 => Reply::status("500 Internal Server Error", ""),
        _ => embeddings(request),
    });
    let server = server.await;
    let breaker = Policy { in_a_row: 4, open: Duration::from_secs(1), ..Policy::default() };
    let embedder = embedder(&server.base(), Settings { breaker, ..settings(Dialect::OpenAi) });
    assert_eq!(embedder.embed(&["a"], Purpose::Query, &call()).await.unwrap_err().kind(), "failed");
    let trouble = embedder.embed(&["a"], Purpose::Query, &call()).await.unwrap_err();
    assert_eq!((trouble.kind(), server.asked().len()), ("resting", 4), "{trouble}");
    tokio::time::sleep(trouble.retry_after().unwrap() + Duration::from_millis(10)).await;
    assert_eq!(embedder.gate().state(), State::HalfOpen);
    embedder.embed(&["a"], Purpose::Query, &call()).await.unwrap();
    assert_eq!(embedder.gate().state(), State::Closed);
}

#[tokio::test]
async fn a_server_that_is_too_slow_is_left_alone_but_not_for_a_caller_that_gave_it_no_time() {
    let server = Server::answering(Reply::Hang).await;
    let breaker = Policy { in_a_row: 2, open: crate::PATIENCE, ..Policy::default() };
    let embedder = embedder(&server.base(), Settings { breaker, ..settings(Dialect::OpenAi) });
    for (time, state) in [(50, State::Closed), (1_050, State::Open)] {
        for _ in 0..2 {
            let call = Call::until(clock::now() + Duration::from_millis(time));
            assert_eq!(embedder.embed(&["a"], Purpose::Query, &call).await.unwrap_err().kind(), "late");
        }
        assert_eq!(embedder.gate().state(), state);
    }
}

/// However much time a question has, it waits for its vector only so long; and whoever makes all wait is left alone.
#[tokio::test]
async fn a_question_waits_for_its_vector_no_longer_than_it_is_told_to() {
    let server = Server::answering(Reply::Hang).await;
    let breaker = Policy { in_a_row: 2, open: crate::PATIENCE, ..Policy::default() };
    let query_timeout = Duration::from_millis(100);
    let embedder = embedder(&server.base(), Settings { breaker, query_timeout, ..settings(Dialect::OpenAi) });
    for _ in 0..2 {
        let answer = tokio::time::timeout(crate::PATIENCE / 2, embedder.embed(&["a"], Purpose::Query, &call())).await;
        assert_eq!(answer.unwrap().unwrap_err().kind(), "late");
    }
    let trouble = embedder.embed(&["a"], Purpose::Query, &call()).await.unwrap_err();
    assert_eq!((trouble.kind(), server.asked().len()), ("resting", 2));
    assert!(trouble.to_string().contains("; last: ") && trouble.to_string().contains("no answer within"), "{trouble}");
}

#[tokio::test]
async fn nobody_listens() {
    let address = e2e::harness::free_port();
    let embedder = embedder(&format!("http://{address}/v1"), settings(Dialect::OpenAi));
    let trouble = embedder.embed(&["a"], Purpose::Query, &call()).await.unwrap_err();
    let told = trouble.to_string();
    assert!(told.starts_with(&format!("http://{address}/v1/embeddings: cannot be reached (")), "{told}");
    assert!(told.contains("refused"), "{told}");
}

#[tokio::test]
async fn an_answer_without_end_is_cut() {
    for reply in [Reply::status("200 OK", "[1]".repeat(1_000)), Reply::Endless] {
        let server = Server::answering(reply).await;
        let endpoint = Endpoint::new(&client(), &server.base(), "/x", None).unwrap().with_largest(2_000);
        let trouble = endpoint.ask::<Value>(&json!({}), "a list", &call()).await.unwrap_err();
        assert_eq!(trouble, Trouble::TooLarge { place: server.url("/v1/x"), limit: 2_000 });
    }
}

#[tokio::test]
async fn a_token_that_is_not_accepted_is_named_and_not_shown() {
    let server = Server::answering(Reply::status("401 Unauthorized", "")).await;
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), "tok-4711").unwrap();
    let embedder = with_token(&server.base(), Token::at(file.path()).unwrap());
    let trouble = embedder.embed(&["a"], Purpose::Query, &call()).await.unwrap_err();
    let told = format!("{trouble} {embedder:?}");
    assert!(told.contains(file.path().to_str().unwrap()) && !told.contains("4711"), "{told}");
}

#[tokio::test]
async fn a_token_that_is_not_accepted_is_read_again_even_if_its_file_looks_the_same() {
    let server = Server::start(|_, request| match request.header("authorization") {
        Some("Bearer new") => embeddings(request),
        _ => Reply::status("401 Unauthorized", ""),
    });
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), "old").unwrap();
    let written = file.as_file().metadata().unwrap().modified().unwrap();
    let embedder = with_token(&server.await.base(), Token::at(file.path()).unwrap());
    assert_eq!(embedder.embed(&["a"], Purpose::Query, &call()).await.unwrap_err().kind(), "denied");
    fs::write(file.path(), "new").unwrap();
    file.as_file().set_modified(written).unwrap();
    assert_eq!(embedder.embed(&["a"], Purpose::Query, &call()).await.unwrap(), [unit("a")]);
}

#[test]
fn an_address_that_is_none_is_told_without_showing_it() {
    let client: Client = client();
    for base in ["ftp://a", "http://me:secret@a/v1", "http://a/v1?key=secret", "a/v1"] {
        let told = Endpoint::new(&client, base, "/embeddings", None).unwrap_err();
        assert!(!told.contains("secret"), "{told}");
    }
}
