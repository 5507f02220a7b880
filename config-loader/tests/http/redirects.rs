//! Where redirects lead, and what is sent along.

use chassis::exit::Code::{Denied, Unavailable};
use config_loader::{failure::Retry::Never, source::http::HttpSettings};

use crate::{
    assert_failure, failure, fetched, file, settings,
    support::http::{Reply, Request, Server},
};

/// Answers with a redirect at `/start`, and with a file elsewhere.
async fn redirecting(target: impl Into<String>) -> Server {
    let target = target.into();
    Server::start(move |request| match request.path() {
        "/start" => Reply::redirect(&target),
        _ => Reply::ok("here"),
    })
    .await
}

fn with_secrets(url: String, token: &tempfile::NamedTempFile) -> HttpSettings {
    std::fs::write(token.path(), "secret\n").unwrap();
    let headers = [("cookie", "a=secret"), ("x-api-key", "secret"), ("accept", "text/plain")];
    HttpSettings {
        headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        bearer_file: Some(token.path().to_str().unwrap().to_owned()),
        ..settings(url)
    }
}

const SECRET: [(&str, &str); 3] = [("authorization", "Bearer secret"), ("cookie", "a=secret"), ("x-api-key", "secret")];

#[track_caller]
fn assert_secrets(request: &Request, sent: bool) {
    for (name, value) in SECRET {
        assert_eq!(request.header(name), sent.then_some(value), "{name} of {request:?}");
    }
    assert_eq!(request.header("accept"), Some("text/plain"));
}

#[tokio::test]
async fn every_kind_of_redirect_is_followed() {
    for status in
        ["301 Moved Permanently", "302 Found", "303 See Other", "307 Temporary Redirect", "308 Permanent Redirect"]
    {
        let server = Server::start(move |request| match request.path() {
            "/start" => Reply::new(status, &["location: end"], ""),
            _ => Reply::ok("here"),
        })
        .await;
        assert_eq!(file(&fetched(&settings(server.url("/start"))).await), "here", "{status}");
    }
}

#[tokio::test]
async fn within_a_server_credentials_go_along() {
    let server = redirecting("/end").await;
    let token = tempfile::NamedTempFile::new().unwrap();
    fetched(&with_secrets(server.url("/start"), &token)).await;
    let asked = server.asked();
    assert_eq!(asked.len(), 2);
    asked.iter().for_each(|request| assert_secrets(request, true));
}

#[tokio::test]
async fn to_another_server_no_credentials_go_along_nor_back_from_it() {
    let token = tempfile::NamedTempFile::new().unwrap();
    let other = redirecting("/end").await;
    let server = redirecting(other.url("/start")).await;
    fetched(&with_secrets(server.url("/start"), &token)).await;
    assert_secrets(&server.one(), true);
    assert_eq!(other.asked().len(), 2);
    other.asked().iter().for_each(|request| assert_secrets(request, false));
}

#[tokio::test]
async fn who_sends_us_away_and_back_does_not_get_us_to_log_in_elsewhere() {
    let back = std::sync::Arc::new(std::sync::OnceLock::<String>::new());
    let other = Server::start({
        let back = std::sync::Arc::clone(&back);
        move |_| Reply::redirect(back.get().unwrap())
    })
    .await;
    let server = redirecting(other.url("/")).await;
    back.set(server.url("/private")).unwrap();
    let token = tempfile::NamedTempFile::new().unwrap();
    fetched(&with_secrets(server.url("/start"), &token)).await;
    let asked = server.asked();
    assert_eq!(asked.len(), 2);
    assert_secrets(&asked[0], true);
    assert_secrets(&asked[1], false);
}

#[tokio::test]
async fn a_server_that_wants_what_was_not_sent_on_is_explained() {
    let other = Server::answering(Reply::new("401 Unauthorized", &[], "")).await;
    let server = redirecting(other.url("/there")).await;
    let token = tempfile::NamedTempFile::new().unwrap();
    let failure = failure(&with_secrets(server.url("/start"), &token)).await;
    let says = format!(
        "{} (redirected from {}): answers 401 Unauthorized; credentials are not sent on to another server",
        other.url("/there"),
        server.url("/start")
    );
    assert_failure(&failure, Denied, Never, &says);
}

#[tokio::test]
async fn a_circle_and_a_chain_without_an_end() {
    let server = redirecting("/start?again=secret").await;
    let circle = Server::start(|request| match request.path() {
        "/a" => Reply::redirect("/b"),
        _ => Reply::redirect("/a"),
    })
    .await;
    let told = failure(&settings(circle.url("/a"))).await;
    let says = format!("circle: {0}/a -> {0}/b -> {0}/a; ", circle.url(""));
    assert_failure(&told, Unavailable, Never, &says);
    assert_eq!(circle.asked().len(), 2);
    // Another query is another address.
    assert_eq!(file(&fetched(&settings(server.url("/start"))).await), "here");

    let chain = Server::start(|request| Reply::redirect(format!("{}a", request.path()))).await;
    assert_failure(&failure(&settings(chain.url("/a"))).await, Unavailable, Never, "more than 10 redirects");
    assert_eq!(chain.asked().len(), 11);
}

#[tokio::test]
async fn to_where_clouds_serve_credentials() {
    for (target, named) in [
        ("http://169.254.169.254/latest/meta-data/?secret", "169.254.169.254"),
        ("//169.254.169.254/", "169.254.169.254"),
        ("http://2852039166/", "169.254.169.254"),
        ("http://[::ffff:169.254.169.254]/", "[::ffff:a9fe:a9fe]"),
        ("http://[fd00:ec2::254]/", "[fd00:ec2::254]"),
        ("http://100.100.100.200/", "100.100.100.200"),
        ("http://metadata.google.internal/", "metadata.google.internal"),
    ] {
        let server = redirecting(target).await;
        let failure = failure(&settings(server.url("/start"))).await;
        let says = format!("http://{named}/");
        assert_failure(&failure, Denied, Never, &says);
        assert_failure(&failure, Denied, Never, "where clouds serve credentials; if it is meant, allow_addresses");
    }
    assert_failure(&failure(&settings("http://169.254.169.254/")).await, Denied, Never, "allow_addresses");
}

#[tokio::test]
async fn to_what_is_no_http() {
    let server = redirecting("file:///etc/passwd").await;
    assert_failure(&failure(&settings(server.url("/start"))).await, Denied, Never, "redirects to a file: URL");
    let server = Server::answering(Reply::new("302 Found", &[], "")).await;
    assert_failure(&failure(&settings(server.url("/start"))).await, Unavailable, Never, "answers 302 Found");
}
