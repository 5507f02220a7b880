//! What does not come, or not whole.

use std::time::Duration;

use chassis::exit::Code::{Data, Deadline, Denied, Unavailable};
use config_loader::{
    failure::Retry::{After, Never, Soon},
    source::Source,
};
use tokio::net::TcpListener;

use crate::{
    AT_MOST, LIMITS, assert_failure, failed, failure, fetch, settings, source,
    support::http::{Reply, Server, Then, gzip},
};

#[tokio::test]
async fn a_server_that_is_down() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let failure = failure(&settings(format!("http://me:secret@{address}/prompt.txt?token=secret#secret"))).await;
    let says = format!("http://{address}/prompt.txt: cannot connect: Connection refused");
    assert_failure(&failure, Unavailable, Soon, &says);
}

#[tokio::test]
async fn a_server_that_hangs() {
    let server = Server::answering(Reply::raw("").then(Then::Hang)).await;
    // In the clear before the answer begins, and with TLS before its handshake has ended.
    for url in [server.url("/a"), server.url("/a").replace("http:", "https:")] {
        let http = source(&settings(url)).with_stall(Duration::from_millis(300));
        assert_failure(&failed(&http).await, Deadline, Soon, "/a: no answer within 300ms");
    }
}

#[tokio::test]
async fn a_server_that_stops_half_way() {
    let half = Reply::raw("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf").then(Then::Hang);
    let server = Server::answering(half).await;
    let http = source(&settings(server.url("/a"))).with_stall(Duration::from_secs(2));
    assert_failure(&failed(&http).await, Deadline, Soon, "/a: nothing more came for 2s, after 4 bytes");
}

#[tokio::test]
async fn a_server_that_drips_without_an_end_until_the_caller_gives_up() {
    let drip = Then::Drip(vec![b'a'; 100_000], Duration::from_millis(20));
    let server = Server::answering(Reply::raw("HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n").then(drip)).await;
    let http = source(&settings(server.url("/")));
    let enough = async {
        while server.sent() < 60 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::select! {
        fetched = http.fetch(LIMITS) => panic!("{fetched:?}"),
        gone = tokio::time::timeout(AT_MOST, enough) => gone.unwrap(),
    }
}

#[tokio::test]
async fn a_connection_that_is_cut() {
    for (reply, says) in [
        ("", "the connection broke before an answer came"),
        ("HTTP/1.1 200 OK\r\nconte", "the connection broke before an answer came"),
        ("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf", "was cut off after 4 bytes"),
        ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n9\r\nan", "was cut off after"),
    ] {
        for then in [Then::Close, Then::Reset] {
            let server = Server::answering(Reply::raw(reply).then(then.clone())).await;
            let failure = failure(&settings(server.url("/a"))).await;
            assert_eq!((failure.code, failure.retry), (Unavailable, Soon), "{failure}");
            // A reset may overtake what was sent before it.
            let overtaken = matches!(then, Then::Reset);
            assert!(overtaken || failure.message.contains(says), "{reply:?} {then:?}: {failure}");
        }
    }
}

#[tokio::test]
async fn what_is_no_http() {
    let server = Server::answering(Reply::raw("220 mail.example ESMTP\r\n")).await;
    assert_failure(&failure(&settings(server.url("/a"))).await, Unavailable, Soon, "the connection broke before");
}

#[tokio::test]
async fn a_server_that_refuses() {
    for (status, code, retry, says) in [
        ("401 Unauthorized", Denied, Never, "answers 401 Unauthorized; name a bearer_file"),
        ("403 Forbidden", Denied, Never, "answers 403 Forbidden"),
        ("407 Proxy Authentication Required", Denied, Never, "the proxy wants credentials"),
        ("404 Not Found", Unavailable, Never, "answers 404 Not Found; correct the path"),
        ("410 Gone", Unavailable, Never, "answers 410 Gone; correct the path"),
        ("405 Method Not Allowed", Unavailable, Never, "answers 405"),
        ("429 Too Many Requests", Unavailable, After(Duration::from_secs(7)), "answers 429"),
        ("500 Internal Server Error", Unavailable, After(Duration::from_secs(7)), "answers 500"),
        ("206 Partial Content", Unavailable, Never, "answers 206 Partial Content; a whole file comes with 200 OK"),
        ("304 Not Modified", Unavailable, Never, "answers 304"),
    ] {
        let server = Server::answering(Reply::new(status, &["retry-after: 7"], "secret reason")).await;
        assert_failure(&failure(&settings(server.url("/a?key=secret"))).await, code, retry, says);
    }
    let server = Server::answering(Reply::new("503 Service Unavailable", &[], "")).await;
    assert_failure(&failure(&settings(server.url("/a"))).await, Unavailable, Soon, "/a: answers 503");
}

#[tokio::test]
async fn ten_gigabytes_that_are_announced_are_not_read() {
    let head = Reply::raw("HTTP/1.1 200 OK\r\ncontent-length: 10737418240\r\n\r\n").then(Then::Hang);
    let server = Server::answering(head).await;
    // Longer than the test waits: nothing of the body may be waited for.
    let http = source(&settings(server.url("/a"))).with_stall(2 * AT_MOST);
    assert_failure(&failed(&http).await, Data, Never, "/a: is larger than 1MiB (10737418240 bytes)");
}

#[tokio::test]
async fn a_body_without_an_end_is_left_at_the_limit() {
    let chunk = [b"10000\r\n".as_slice(), &[b'a'; 0x10000], b"\r\n"].concat();
    let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    let server = Server::answering(Reply::raw(head).then(Then::Repeat(chunk))).await;
    assert_failure(&failure(&settings(server.url("/a"))).await, Data, Never, "/a: is larger than 1MiB");
    // What is beyond the limit was on its way already.
    assert!(server.sent() < 64 << 20, "{} bytes", server.sent());
}

#[tokio::test]
async fn a_gzip_bomb_is_left_at_the_limit() {
    // Half a gigabyte, of which less than the limit is sent.
    let bomb = gzip(&[0; 1 << 20]).repeat(1 << 9);
    assert!((bomb.len() as u64) < LIMITS.file, "{}", bomb.len());
    let server = Server::answering(Reply::new("200 OK", &["content-encoding: gzip"], &bomb)).await;
    assert_failure(&failure(&settings(server.url("/a"))).await, Data, Never, "/a: is larger than 1MiB");
}

#[tokio::test]
async fn what_is_said_to_be_gzip_and_is_not() {
    let half = gzip(b"one two three");
    for body in [b"plain".as_slice(), &half[..half.len() - 4]] {
        let server = Server::answering(Reply::new("200 OK", &["content-encoding: gzip"], body)).await;
        assert_failure(&failure(&settings(server.url("/a"))).await, Data, Soon, "/a: is announced as gzip");
    }
    let server = Server::answering(Reply::new("200 OK", &["content-encoding: br"], "x")).await;
    assert_failure(&failure(&settings(server.url("/a"))).await, Data, Never, "/a: is compressed in a way");
}

#[tokio::test]
async fn what_failed_may_succeed_the_next_time() {
    let server = Server::start({
        let calls = std::sync::atomic::AtomicU32::new(0);
        move |_| match calls.fetch_add(1, std::sync::atomic::Ordering::SeqCst) {
            0 => Reply::raw("").then(Then::Reset),
            _ => Reply::ok("here"),
        }
    })
    .await;
    let http = source(&settings(server.url("/")));
    assert_eq!(failed(&http).await.retry, Soon);
    assert_eq!(crate::file(&fetch(&http).await.unwrap()), "here");
}
