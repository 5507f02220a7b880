//! What comes whole.

use std::time::Duration;

use config_loader::source::Source;

use crate::{
    LIMITS, fetched, file, settings, source,
    support::http::{Reply, Server, Then, gzip},
};

#[tokio::test]
async fn a_file_comes_with_its_version_and_media_type() {
    let headers =
        ["ETag: \"v1\"", "Last-Modified: Sun, 06 Nov 1994 08:49:37 GMT", "Content-Type: Text/Plain; charset=x"];
    let server = Server::answering(Reply::new("200 OK", &headers, "You are helpful.")).await;
    let fetched = fetched(&settings(server.url("/prompt.txt?v=1#top"))).await;
    assert_eq!(file(&fetched), "You are helpful.");
    assert_eq!(fetched.version.as_deref(), Some("\"v1\""));
    assert_eq!(fetched.media_type.as_deref(), Some("text/plain"));
    let request = server.one();
    assert_eq!(request.line(), "GET /prompt.txt?v=1 HTTP/1.1");
    assert_eq!(request.header("host"), Some(server.address.to_string().as_str()));
    assert_eq!(request.header("accept-encoding"), Some("gzip"));
    assert!(request.header("user-agent").unwrap().starts_with("config-loader/"));
    assert_eq!(request.header("authorization"), None);
}

#[tokio::test]
async fn without_an_etag_the_date_is_the_version_and_without_both_there_is_none() {
    let dated = Server::answering(Reply::new("200 OK", &["last-modified: Sun, 06 Nov 1994 08:49:37 GMT"], "x")).await;
    let version = fetched(&settings(dated.url("/"))).await.version;
    assert_eq!(version.as_deref(), Some("Sun, 06 Nov 1994 08:49:37 GMT"));
    let bare = Server::answering(Reply::ok("x")).await;
    let fetched = fetched(&settings(bare.url("/"))).await;
    assert_eq!((fetched.version, fetched.media_type), (None, None));
}

#[tokio::test]
async fn chunks_compression_and_an_end_without_a_length_make_no_difference() {
    let head = "HTTP/1.1 200 OK\r\nconnection: close\r\n";
    let squeezed = gzip(b"one two three");
    let replies = [
        Reply::raw(format!("{head}transfer-encoding: chunked\r\n\r\n4\r\none \r\n9\r\ntwo three\r\n0\r\n\r\n")),
        Reply::raw(format!("{head}\r\none two three")),
        Reply::new("200 OK", &["content-encoding: gzip"], &squeezed),
        Reply::new("203 Non-Authoritative Information", &["content-encoding: X-GZIP"], &squeezed),
        Reply::new("200 OK", &["content-encoding: identity"], "one two three"),
    ];
    for reply in replies {
        let server = Server::answering(reply.clone()).await;
        assert_eq!(file(&fetched(&settings(server.url("/"))).await), "one two three", "{reply:?}");
    }
}

#[tokio::test]
async fn an_empty_file_is_a_file() {
    for reply in [
        Reply::ok(""),
        Reply::new("200 OK", &["content-encoding: gzip"], ""),
        Reply::raw("HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n"),
    ] {
        let server = Server::answering(reply).await;
        assert_eq!(file(&fetched(&settings(server.url("/"))).await), "");
    }
}

#[tokio::test]
async fn a_page_is_handed_on_with_its_media_type() {
    let page = "<!doctype html><title>Sign in</title>";
    let server = Server::answering(Reply::new("200 OK", &["content-type: text/html; charset=utf-8"], page)).await;
    let fetched = fetched(&settings(server.url("/tools.json"))).await;
    assert_eq!(fetched.media_type.as_deref(), Some("text/html"));
    assert_eq!(file(&fetched), page);
}

#[tokio::test]
async fn the_largest_that_is_allowed_is_allowed() {
    let body = vec![b'a'; usize::try_from(LIMITS.file).unwrap()];
    for reply in [Reply::ok(&body), Reply::new("200 OK", &["content-encoding: gzip"], gzip(&body))] {
        let server = Server::answering(reply).await;
        assert_eq!(file(&fetched(&settings(server.url("/"))).await).len(), body.len());
    }
}

#[tokio::test]
async fn what_drips_is_slow_and_no_stall() {
    let head = Reply::raw("HTTP/1.1 200 OK\r\ncontent-length: 12\r\n\r\n");
    // Six seconds in all, and never five without a byte.
    let server = Server::answering(head.then(Then::Drip(b"drip drip ok".to_vec(), Duration::from_millis(500)))).await;
    let http = source(&settings(server.url("/"))).with_stall(Duration::from_secs(5));
    assert_eq!(file(&http.fetch(LIMITS).await.unwrap()), "drip drip ok");
}

#[tokio::test]
async fn what_is_known_is_not_sent_again() {
    let server =
        Server::start(|request| match request.header("if-none-match").or(request.header("if-modified-since")) {
            Some("\"v1\"" | "Sun, 06 Nov 1994 08:49:37 GMT") => {
                Reply::raw("HTTP/1.1 304 Not Modified\r\nconnection: close\r\n\r\n")
            }
            _ => Reply::new("200 OK", &["etag: \"v1\""], "new"),
        })
        .await;
    let http = source(&settings(server.url("/")));
    for (known, news) in [("\"v1\"", false), ("Sun, 06 Nov 1994 08:49:37 GMT", true), ("\"v0\"", true), ("v\n", true)] {
        let fetched = http.fetch_unless(known, LIMITS).await.unwrap();
        assert_eq!(fetched.is_some(), news, "{known:?}");
    }
    // What is older than what was there has not been modified since.
    assert!(server.asked().iter().all(|it| it.header("if-modified-since").is_none()));
}

#[tokio::test]
async fn what_a_label_leads_to_is_not_asked_by_the_version_of_what_it_led_to_before() {
    let server = Server::start(|request| match request.path() {
        "/label" => Reply::new("302 Found", &["location: /v1"], ""),
        _ if request.header("if-none-match").is_some() => {
            Reply::raw("HTTP/1.1 304 Not Modified\r\nconnection: close\r\n\r\n")
        }
        _ => Reply::new("200 OK", &["etag: \"1\""], "v1"),
    })
    .await;
    let http = source(&settings(server.url("/label")));
    let fetched = http.fetch_unless("\"1\"", LIMITS).await.unwrap().unwrap();
    assert_eq!(fetched.resolved.as_deref(), Some(&*server.url("/v1")));
}
