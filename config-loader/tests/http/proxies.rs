//! Proxies, by the settings and by the environment.

use chassis::{
    config::Environment,
    exit::Code::{Denied, Unavailable},
    task,
};
use config_loader::{
    failure::Retry::{Never, Soon},
    source::http::{Http, HttpSettings},
};
use tokio::{
    io::{AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
};

use crate::{
    assert_failure, failed, failure, fetch, fetched, file, settings,
    support::{
        http::{Reply, Server, head},
        tls::{Authority, Secured},
    },
};

fn within(settings: &HttpSettings, variables: &[(&str, &str)]) -> Http {
    Http::new(settings, &Environment::from_pairs(variables.iter().copied())).unwrap()
}

#[tokio::test]
async fn the_proxy_of_the_settings_is_asked_for_the_whole_url() {
    let proxy = Server::answering(Reply::ok("by proxy")).await;
    // Nobody resolves this name but the proxy.
    let there = settings("http://files.example/a?b=c");
    let by_proxy = HttpSettings { proxy: Some(format!("http://me:pass@{}", proxy.address)), ..there };
    assert_eq!(file(&fetched(&by_proxy).await), "by proxy");
    let request = proxy.one();
    assert_eq!(request.line(), "GET http://files.example/a?b=c HTTP/1.1");
    assert_eq!(request.header("proxy-authorization"), Some("Basic bWU6cGFzcw=="));
    assert_eq!(request.header("authorization"), None);
}

#[tokio::test]
async fn the_proxy_of_the_environment_is_asked_but_for_what_needs_none() {
    let proxy = Server::answering(Reply::ok("by proxy")).await;
    let server = Server::answering(Reply::ok("straight")).await;
    let address = proxy.address.to_string();
    for (variables, expected) in [
        (&[("HTTP_PROXY", address.as_str())][..], "by proxy"),
        (&[("http_proxy", &address)], "by proxy"),
        (&[("ALL_PROXY", &address)], "by proxy"),
        (&[("HTTPS_PROXY", &address)], "straight"),
        (&[("HTTP_PROXY", &address), ("NO_PROXY", "a.example, 127.0.0.0/8")], "straight"),
        (&[("HTTP_PROXY", &address), ("no_proxy", "*")], "straight"),
        (&[("HTTP_PROXY", &address), ("NO_PROXY", "a.example")], "by proxy"),
        (&[], "straight"),
    ] {
        let http = within(&settings(server.url("/")), variables);
        assert_eq!(file(&fetch(&http).await.unwrap()), expected, "{variables:?}");
    }
    let with_own = HttpSettings { proxy: Some(address), ..settings(server.url("/")) };
    assert_eq!(file(&fetch(&within(&with_own, &[("NO_PROXY", "*")])).await.unwrap()), "by proxy");
}

/// A proxy that connects to `upstream`, whatever it is asked for, or answers with a refusal.
async fn tunnel(upstream: std::net::SocketAddr, refusal: Option<&'static str>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    task::spawn(async move {
        while let Ok((mut inside, _)) = listener.accept().await {
            let request = head(&mut inside).await.unwrap();
            assert_eq!(request.line(), "CONNECT files.example:443 HTTP/1.1");
            if let Some(refusal) = refusal {
                inside.write_all(format!("HTTP/1.1 {refusal}\r\n\r\n").as_bytes()).await.unwrap();
                continue;
            }
            inside.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
            task::spawn(async move {
                let mut outside = TcpStream::connect(upstream).await.unwrap();
                let _gone = copy_bidirectional(&mut inside, &mut outside).await;
            });
        }
    });
    address.to_string()
}

#[tokio::test]
async fn tls_goes_through_a_proxy() {
    let authority = Authority::new();
    let server = Secured::start(authority.server("files.example"), |_| Reply::ok("here")).await;
    let proxy = tunnel(server.address, None).await;
    let there = HttpSettings { tls: authority.trusted(), ..settings("https://files.example/a") };
    let http = within(&there, &[("HTTPS_PROXY", &proxy)]);
    assert_eq!(file(&fetch(&http).await.unwrap()), "here");
    assert_eq!(server.one().line(), "GET /a HTTP/1.1");
}

#[tokio::test]
async fn a_proxy_that_refuses() {
    let there = settings("https://files.example/a?secret");
    for (refusal, code, retry, says) in [
        ("407 Proxy Authentication Required", Denied, Never, "/a: the proxy answers 407"),
        ("502 Bad Gateway", Unavailable, Soon, "/a: the proxy does not connect to it"),
    ] {
        let proxy = tunnel(([127, 0, 0, 1], 9).into(), Some(refusal)).await;
        let by_proxy = HttpSettings { proxy: Some(format!("http://me:secret@{proxy}")), ..there.clone() };
        assert_failure(&failure(&by_proxy).await, code, retry, says);
    }
    let plain = Server::answering(Reply::new("407 Proxy Authentication Required", &[], "")).await;
    let by_plain = HttpSettings { proxy: Some(plain.address.to_string()), ..settings("http://files.example/") };
    assert_failure(&failure(&by_plain).await, Denied, Never, "the proxy wants credentials");
}

#[tokio::test]
async fn a_proxy_is_no_way_to_credentials_of_the_cloud() {
    let proxy = Server::answering(Reply::ok("secret")).await;
    let variables = [("HTTP_PROXY", proxy.address.to_string())];
    let environment = Environment::from_pairs(variables);
    for url in ["http://metadata.google.internal/", "http://169.254.169.254/"] {
        let failure = failed(&Http::new(&settings(url), &environment).unwrap()).await;
        assert_failure(&failure, Denied, Never, "where clouds serve credentials");
    }
    assert!(proxy.asked().is_empty());
    let failure = failed(&within(&settings("http://a.example/"), &[("HTTP_PROXY", "169.254.169.254:80")])).await;
    assert_failure(&failure, Denied, Never, "the proxy: 169.254.169.254: a link-local or metadata address");
}
