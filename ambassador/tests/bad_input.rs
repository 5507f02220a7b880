//! Requests that are none: a clear answer in the shape that SDKs know, nothing sent upstream, and the next request served.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail by panicking")]

mod common;

use common::{Ambassador, Answer, Client, Upstream, WHOLE, alone};

async fn started() -> (Upstream, Ambassador) {
    let upstream = Upstream::healthy("fine").await;
    let file = format!("{}limits: {{ max_body: 64KiB }}\n", alone(upstream.address, ""));
    let ambassador = Ambassador::start(&file);
    (upstream, ambassador)
}

/// What these bytes are answered; all of them are sent first.
async fn raw(ambassador: &Ambassador, text: &str) -> Answer {
    let mut client = Client::connect(ambassador.address).await;
    client.send(text).await;
    client.answer().await
}

#[tokio::test]
async fn a_body_over_the_limit_is_a_413() {
    let (upstream, ambassador) = started().await;
    let long = WHOLE.replace("Hi", &"x".repeat(64 * 1024));
    let announced = {
        let mut client = Client::connect(ambassador.address).await;
        client.chat(&long).await;
        client.answer().await
    };
    let head = "POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n";
    let chunked = raw(&ambassador, &format!("{head}{:x}\r\n{long}\r\n0\r\n\r\n", long.len())).await;
    // Announced and never sent: there is nothing to wait for.
    let head = "POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-length: 99999999999\r\n\r\n";
    let unsent = raw(&ambassador, head).await;
    for answer in [announced, chunked, unsent] {
        assert_eq!((answer.status, answer.error()["code"].as_str()), (413, Some("request_too_large")), "{answer:?}");
        assert!(answer.body.contains("65536 bytes (limits.max_body)"), "{answer:?}");
    }
    let fits = WHOLE.replace("Hi", &"x".repeat(60 * 1024));
    assert_eq!(ambassador.chat(&fits).await.text(), "fine");
    assert_eq!(upstream.seen().len(), 1);
}

#[tokio::test]
async fn a_body_far_over_the_limit_is_a_413_even_to_one_who_reads_only_at_the_end() {
    let (_upstream, ambassador) = started().await;
    let long = WHOLE.replace("Hi", &"x".repeat(8 * 1024 * 1024));
    for _ in 0..5 {
        let mut client = Client::connect(ambassador.address).await;
        client.chat(&long).await;
        let answer = client.answer().await;
        assert_eq!((answer.status, answer.whole), (413, true), "{answer:?}");
    }
}

#[tokio::test]
async fn a_wrong_method_is_a_405_that_says_which_is_right() {
    let (upstream, ambassador) = started().await;
    for (path, allowed, methods) in [
        ("/v1/chat/completions", "POST", ["GET", "PUT", "DELETE"]),
        ("/v1/embeddings", "POST", ["GET", "PATCH", "OPTIONS"]),
        ("/v1/models", "GET, HEAD", ["POST", "PUT", "DELETE"]),
        ("/v1/models/m", "GET, HEAD", ["POST", "PUT", "DELETE"]),
    ] {
        for method in methods {
            let answer =
                raw(&ambassador, &format!("{method} {path} HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n")).await;
            assert_eq!((answer.status, answer.header("allow")), (405, Some(allowed)), "{method} {path}");
            assert_eq!(answer.error()["code"], "method_not_allowed");
        }
    }
    assert_eq!(upstream.connections(), 0);
}

#[tokio::test]
async fn an_unknown_url_is_a_404_that_says_what_there_is() {
    let (_upstream, ambassador) = started().await;
    for path in ["/", "/v1", "/v1/chat/completions/", "/v1/messages", "/chat/completions", "/metrics", "/health/live"] {
        let answer = raw(&ambassador, &format!("POST {path} HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n")).await;
        assert_eq!((answer.status, answer.error()["code"].as_str()), (404, Some("unknown_url")), "{path}");
        assert!(answer.body.contains("/v1/chat/completions, /v1/embeddings and /v1/models"), "{answer:?}");
    }
}

#[tokio::test]
async fn what_is_no_request_is_a_400_that_names_the_field() {
    let (upstream, ambassador) = started().await;
    for (body, param) in [
        ("", None),
        ("nonsense", None),
        ("[1]", None),
        ("\"text\"", None),
        (r#"{"model":"m","messages":[{"role":"user""#, None),
        ("{}", Some("model")),
        (r#"{"messages":[{}]}"#, Some("model")),
        (r#"{"model":7,"messages":[{}]}"#, Some("model")),
        (r#"{"model":"","messages":[{}]}"#, Some("model")),
        (r#"{"model":"m"}"#, Some("messages")),
        (r#"{"model":"m","messages":null}"#, Some("messages")),
        (r#"{"model":"m","messages":[]}"#, Some("messages")),
        (r#"{"model":"m","messages":"Hi"}"#, Some("messages")),
        (r#"{"model":"m","messages":["Hi"]}"#, Some("messages[0]")),
        (r#"{"model":"m","messages":[{}],"stream":"yes"}"#, Some("stream")),
        (r#"{"model":"m","messages":[{}],"stream":true,"stream_options":7}"#, Some("stream_options")),
        (r#"{"model":"m","messages":[{}],"stream":true,"stream_options":[1]}"#, Some("stream_options")),
    ] {
        let answer = ambassador.chat(body).await;
        let error = answer.error();
        assert_eq!((answer.status, error["param"].as_str()), (400, param), "{body}: {answer:?}");
        assert_eq!(error["type"], "invalid_request_error", "{body}");
        let message = error["message"].as_str().unwrap();
        assert!(!message.contains("struct") && (param.is_none() || !message.contains("line ")), "{body}: {answer:?}");
        assert_eq!(answer.header("x-ambassador-attempts"), Some("0"), "{body}");
    }
    assert_eq!(upstream.connections(), 0);
    assert_eq!(ambassador.chat(WHOLE).await.text(), "fine");
}

#[tokio::test]
async fn an_unknown_model_is_a_404_when_there_are_routes() {
    let upstream = Upstream::healthy("fine").await;
    let ambassador = Ambassador::start(&alone(upstream.address, "").replace("'*'", "'gpt-*'"));
    let answer = ambassador.chat(WHOLE).await;
    let error = answer.error();
    assert_eq!((answer.status, error["code"].as_str()), (404, Some("model_not_found")), "{answer:?}");
    assert_eq!(error["param"], "model");
    assert_eq!(ambassador.chat(&WHOLE.replace("\"m\"", "\"gpt-x\"")).await.text(), "fine");
}

#[tokio::test]
async fn an_encoded_body_is_refused_by_name() {
    let (upstream, ambassador) = started().await;
    let head = "POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-encoding: gzip\r\ncontent-length: 2";
    let answer = raw(&ambassador, &format!("{head}\r\n\r\n\u{1}\u{2}")).await;
    assert_eq!(answer.status, 415);
    assert!(answer.error()["message"].as_str().unwrap().contains("gzip"));
    assert_eq!(upstream.connections(), 0);
}

#[tokio::test]
async fn what_is_no_http_is_answered_as_an_sdk_knows_it() {
    let (upstream, ambassador) = started().await;
    let headers: String = (0..10_000).map(|i| format!("x-{i}: 1\r\n")).collect();
    for (text, status, code) in [
        ("nonsense\r\n\r\n".to_owned(), 400, "invalid_http"),
        ("\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\r\n\r\n".to_owned(), 400, "invalid_http"),
        ("GET / HTTP/9.9\r\n\r\n".to_owned(), 400, "invalid_http"),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(), 400, "invalid_http"),
        ("GET / HTTP/1.1\r\nbad header: 1\r\n\r\n".to_owned(), 400, "invalid_http"),
        (format!("GET / HTTP/1.1\r\n{headers}\r\n"), 431, "headers_too_large"),
        (format!("GET / HTTP/1.1\r\nx-long: {}\r\n\r\n", "x".repeat(1024 * 1024)), 431, "headers_too_large"),
        (format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(70_000)), 414, "uri_too_long"),
        (
            "POST /v1/embeddings HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n{}".to_owned(),
            400,
            "invalid_http",
        ),
    ] {
        // As the first request of a connection, and after one that was served.
        for served in [false, true] {
            let mut client = Client::connect(ambassador.address).await;
            if served {
                client.chat(WHOLE).await;
                assert_eq!(client.answer().await.text(), "fine");
            }
            // It may be refused before all of it has been sent.
            client.try_send(&text).await;
            let answer = client.answer().await;
            let begins = text.split_at(20.min(text.len())).0;
            assert_eq!(
                (answer.status, answer.error()["code"].as_str()),
                (status, Some(code)),
                "{answer:?} to {begins}"
            );
            assert!(
                answer.whole && answer.header("x-request-id").is_some_and(|id| id.starts_with("req_")),
                "{answer:?}"
            );
            assert_eq!(answer.header("connection"), Some("close"));
            assert!(!client.more().await, "the connection is closed, and nothing else is said: {}", client.unread());
        }
    }
    assert_eq!(upstream.seen().len(), 9);
    assert_eq!(ambassador.chat(WHOLE).await.text(), "fine");
}

#[tokio::test]
async fn a_model_is_found_by_its_name_however_it_is_encoded() {
    let upstream = Upstream::healthy("fine").await;
    let ambassador = Ambassador::start(&alone(upstream.address, "").replace("'*'", "'org/model'"));
    for path in ["org/model", "org%2Fmodel"] {
        let answer = raw(&ambassador, &format!("GET /v1/models/{path} HTTP/1.1\r\nhost: a\r\n\r\n")).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(answer.body.contains(r#""id":"org/model""#), "{answer:?}");
        let mut client = Client::connect(ambassador.address).await;
        client.send(&format!("HEAD /v1/models/{path} HTTP/1.1\r\nhost: a\r\n\r\n")).await;
        assert_eq!(client.head().await.status, 200);
    }
    let answer = raw(&ambassador, "GET /v1/models/org HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert_eq!((answer.status, answer.error()["code"].as_str()), (404, Some("model_not_found")), "{answer:?}");
}

#[tokio::test]
async fn every_answer_has_the_id_of_its_request() {
    let (_upstream, ambassador) = started().await;
    for path in ["/v1/models", "/nowhere", "/v1/chat/completions"] {
        let answer = raw(&ambassador, &format!("GET {path} HTTP/1.1\r\nhost: a\r\nx-request-id: my-1\r\n\r\n")).await;
        assert_eq!(answer.header("x-request-id"), Some("my-1"), "{answer:?}");
        let unfit = format!("GET {path} HTTP/1.1\r\nhost: a\r\nx-request-id: no good\r\n\r\n");
        let answer = raw(&ambassador, &unfit).await;
        assert!(answer.header("x-request-id").is_some_and(|id| id.starts_with("req_")), "{answer:?}");
    }
}
