//! Clients that no library would be: too much, too slow, or no HTTP at all. Each gets an answer or a closed
//! connection, and nobody else notices.

use std::net::SocketAddr;
use std::time::Duration;

use e2e::harness::{Ambassador, Setup};
use e2e::provider::Provider;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::support::{MODEL, assert_error};

/// One byte over what a body may have.
const TOO_LONG: usize = 32 * 1024 * 1024 + 1;

async fn started() -> (Provider, Ambassador) {
    let provider = Provider::start().await.unwrap();
    let ambassador = Setup::openai_alone(&provider).start().await;
    (provider, ambassador)
}

/// Sends `head` and then `body` while it reads; gives back what came until the connection closed or `patience` ended.
async fn exchange(to: SocketAddr, head: String, body: Vec<u8>, patience: Duration) -> String {
    let (mut read, mut write) = TcpStream::connect(to).await.unwrap().into_split();
    let sending = tokio::spawn(async move {
        // Who refuses may stop reading: that the rest cannot be sent is no failure.
        let _ = write.write_all(head.as_bytes()).await;
        let _ = write.write_all(&body).await;
        write
    });
    let mut answer = Vec::new();
    let _ = timeout(patience, async {
        let mut bytes = vec![0; 64 * 1024];
        while let Ok(count) = read.read(&mut bytes).await {
            answer.extend_from_slice(&bytes[..count]);
            if count == 0 || is_whole(&answer) {
                break;
            }
        }
    })
    .await;
    sending.abort();
    String::from_utf8_lossy(&answer).into_owned()
}

/// A head came, and as much of a body as it announces.
fn is_whole(answer: &[u8]) -> bool {
    let text = String::from_utf8_lossy(answer).to_lowercase();
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok());
    length.is_some_and(|length| body.len() >= length)
}

fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or_else(|| panic!("no status: {answer:?}"))
}

async fn still_serves(ambassador: &Ambassador) {
    assert_eq!(ambassador.agent().ask(MODEL, "still there?").await.unwrap().status, 200);
    assert_eq!(ambassador.admin("/health/live").await.status, 200);
}

#[tokio::test]
async fn a_body_over_the_limit_is_a_413() {
    let (provider, ambassador) = started().await;
    let head = |framing: &str| {
        format!("POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n{framing}\r\n\r\n")
    };
    let chunked = [format!("{TOO_LONG:x}\r\n").as_bytes(), &vec![b' '; TOO_LONG], b"\r\n0\r\n\r\n"].concat();
    for (head, body) in [
        (head(&format!("content-length: {TOO_LONG}")), vec![b' '; TOO_LONG]),
        (head("transfer-encoding: chunked"), chunked),
    ] {
        let answer = exchange(ambassador.listen, head, body, Duration::from_secs(30)).await;
        assert_eq!(status(&answer), 413, "{answer}");
        let (_, body) = answer.split_once("\r\n\r\n").unwrap();
        assert_error(&serde_json::from_str::<Value>(body).unwrap()["error"]);
    }
    assert_eq!(provider.seen().len(), 0);
    still_serves(&ambassador).await;
}

#[tokio::test]
async fn a_long_body_within_the_limit_is_served() {
    let (provider, ambassador) = started().await;
    let answer = ambassador.agent().ask(MODEL, &"word ".repeat(2_000_000)).await.unwrap();
    assert_eq!(answer.status, 200);
    assert_eq!(provider.seen()[0].json()["messages"][0]["content"].as_str().map(str::len), Some(10_000_000));
}

#[tokio::test]
async fn ten_thousand_headers_are_refused() {
    let (provider, ambassador) = started().await;
    let headers: String = (0..10_000).map(|number| format!("x-header-{number}: value\r\n")).collect();
    let head = format!("POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\n{headers}content-length: 0\r\n\r\n");
    let answer = exchange(ambassador.listen, head, Vec::new(), Duration::from_secs(10)).await;
    assert!((400..500).contains(&status(&answer)), "{answer}");
    assert_eq!(provider.seen().len(), 0);
    still_serves(&ambassador).await;
}

#[tokio::test]
async fn a_megabyte_of_one_header_is_refused() {
    let (_provider, ambassador) = started().await;
    let head = format!("GET /v1/models HTTP/1.1\r\nhost: a\r\nx-long: {}\r\n\r\n", "a".repeat(1024 * 1024));
    let answer = exchange(ambassador.listen, head, Vec::new(), Duration::from_secs(10)).await;
    assert!((400..500).contains(&status(&answer)), "{answer}");
    still_serves(&ambassador).await;
}

#[tokio::test]
async fn what_is_no_http_is_refused_or_closed() {
    let (_provider, ambassador) = started().await;
    for garbage in [
        "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0",
        "hello\r\n\r\n",
        "GET\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ] {
        let answer = exchange(ambassador.listen, garbage.into(), Vec::new(), Duration::from_secs(10)).await;
        assert!(answer.is_empty() || (400..=505).contains(&status(&answer)), "{garbage:?}: {answer}");
    }
    still_serves(&ambassador).await;
}

#[tokio::test]
async fn two_lengths_that_differ_are_refused() {
    let (provider, ambassador) = started().await;
    let head = "POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\ncontent-length: 40\r\n\r\n{}";
    let answer = exchange(ambassador.listen, head.into(), Vec::new(), Duration::from_secs(10)).await;
    assert!(answer.is_empty() || status(&answer) == 400, "{answer}");
    assert_eq!(provider.seen().len(), 0);
}

#[tokio::test]
async fn headers_sent_slowly_are_not_waited_for_without_end() {
    let provider = Provider::start().await.unwrap();
    let yaml = format!(
        "providers: {{ p: {{ kind: openai-compatible, base_url: '{}' }} }}
routes: [ {{ model: '*', targets: [ {{ provider: p }} ] }} ]
limits: {{ header_timeout: 2s }}",
        provider.openai_url()
    );
    let ambassador = Setup::new().config(&yaml).start().await;
    let (mut read, mut write) = TcpStream::connect(ambassador.listen).await.unwrap().into_split();
    let dribble = tokio::spawn(async move {
        write.write_all(b"POST /v1/chat/completions HTTP/1.1\r\nhost: a\r\nx-slow: ").await.unwrap();
        while write.write_all(b"a").await.is_ok() {
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    });
    still_serves(&ambassador).await;
    let mut answer = String::new();
    let ended = timeout(Duration::from_secs(45), read.read_to_string(&mut answer)).await;
    dribble.abort();
    assert!(ended.is_ok(), "the connection is still held after 45 seconds");
    assert!(answer.is_empty() || status(&answer) == 408, "{answer}");
}

#[tokio::test]
async fn a_thousand_connections_that_say_nothing_hinder_nobody() {
    let (_provider, ambassador) = started().await;
    let mut idle = Vec::new();
    for _ in 0..1000 {
        idle.push(TcpStream::connect(ambassador.listen).await.unwrap());
    }
    still_serves(&ambassador).await;
}

#[tokio::test]
async fn more_connections_than_there_are_descriptors_keep_no_probe_out() {
    let provider = Provider::start().await.unwrap();
    let ambassador = Setup::openai_alone(&provider).open_files(256).start().await;
    let mut idle = Vec::new();
    for _ in 0..500 {
        idle.push(TcpStream::connect(ambassador.listen).await.unwrap());
    }
    for path in ["/health/live", "/health/ready", "/metrics"] {
        assert_eq!(ambassador.admin(path).await.status, 200, "{path}");
    }
    // One more is told why, and has its turn when the others have left.
    let refused = ambassador.agent().ask(MODEL, "hello").await;
    assert!(refused.map_or(true, |answer| answer.status == 503));
    drop(idle);
    let deadline = std::time::Instant::now() + e2e::harness::PATIENCE;
    while !ambassador.agent().ask(MODEL, "hello").await.is_ok_and(|answer| answer.status == 200) {
        assert!(std::time::Instant::now() < deadline, "{}", ambassador.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let complaints = ambassador.log().matches("cannot accept connections").count();
    assert!(complaints <= 3, "{complaints} lines about the same");
}
