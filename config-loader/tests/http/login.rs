//! Who we say we are.

use std::fs;

use chassis::exit::Code::{Config, Denied};
use config_loader::{failure::Retry::Never, file::Basic, source::http::HttpSettings};
use tempfile::NamedTempFile;

use crate::{
    assert_failure, failure, fetch, fetched, settings, source,
    support::http::{Reply, Server},
};

fn file(text: &str) -> (NamedTempFile, String) {
    let file = NamedTempFile::new().unwrap();
    fs::write(file.path(), text).unwrap();
    let path = file.path().to_str().unwrap().to_owned();
    (file, path)
}

#[tokio::test]
async fn a_token_is_read_at_each_fetch() {
    let server = Server::answering(Reply::ok("")).await;
    let (token, path) = file("token-1\n");
    let http = source(&HttpSettings { bearer_file: Some(path), ..settings(server.url("/")) });
    fetch(&http).await.unwrap();
    fs::write(token.path(), "  token-2\r\n").unwrap();
    fetch(&http).await.unwrap();
    let sent: Vec<_> = server.asked().iter().map(|it| it.header("authorization").unwrap().to_owned()).collect();
    assert_eq!(sent, ["Bearer token-1", "Bearer token-2"]);
}

#[tokio::test]
async fn a_user_and_a_password() {
    let server = Server::answering(Reply::ok("")).await;
    let (_kept, password_file) = file("open sesame\n");
    let basic = Some(Basic { username: "Aladdin".to_owned(), password_file });
    fetched(&HttpSettings { basic, ..settings(server.url("/")) }).await;
    // The example of RFC 7617.
    assert_eq!(server.one().header("authorization"), Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="));
}

#[tokio::test]
async fn a_user_and_a_password_in_the_url() {
    let server = Server::answering(Reply::ok("")).await;
    let http = source(&settings(format!("http://Aladdin:open%20sesame@{}/a", server.address)));
    fetch(&http).await.unwrap();
    let request = server.one();
    assert_eq!(request.header("authorization"), Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="));
    assert_eq!(request.line(), "GET /a HTTP/1.1");
    let location = config_loader::source::Source::location(&http);
    assert_eq!(location, server.url("/a"));
    assert!(!format!("{http:?}").contains("sesame"));
}

#[tokio::test]
async fn what_is_not_accepted_is_named() {
    let server = Server::answering(Reply::new("403 Forbidden", &[], "")).await;
    let (_kept, path) = file("secret");
    let bearer = HttpSettings { bearer_file: Some(path.clone()), ..settings(server.url("/")) };
    let says = format!("answers 403 Forbidden; the token in {path} is not accepted");
    assert_failure(&failure(&bearer).await, Denied, Never, &says);
    let headers = [("x-api-key".to_owned(), "secret".to_owned())].into();
    let header = HttpSettings { headers, ..settings(server.url("/")) };
    assert_failure(&failure(&header).await, Denied, Never, "the header x-api-key is not accepted");
    let inside = settings(server.url("/").replace("http://", "http://me:secret@"));
    assert_failure(&failure(&inside).await, Denied, Never, "the user name and the password in the URL");
}

#[tokio::test]
async fn a_secret_that_is_not_there_is_not_left_out() {
    let server = Server::answering(Reply::ok("")).await;
    let bearer = HttpSettings { bearer_file: Some("/nowhere/token".to_owned()), ..settings(server.url("/")) };
    let failed = fetch(&source(&bearer)).await.unwrap_err();
    assert_failure(&failed, Config, Never, "/nowhere/token: no such file");
    let basic = Some(Basic { username: "me".to_owned(), password_file: "/nowhere/password".to_owned() });
    let failed = failure(&HttpSettings { basic, ..settings(server.url("/")) }).await;
    assert_failure(&failed, Config, Never, "/nowhere/password: cannot be read");
    assert!(server.asked().is_empty());
}
