//! TLS: whom we trust, and by what we are known.

use std::path::Path;

use chassis::{
    config::Environment,
    exit::Code::{Config, Denied, Unavailable},
    task,
};
use config_loader::{
    failure::Retry::{Never, Soon},
    file::Tls,
    source::http::{Http, HttpSettings},
};
use tokio::net::TcpListener;

use crate::{
    assert_failure, failed, failure, fetch, fetched, file, settings, source,
    support::{
        http::{Reply, Server},
        tls::{Authority, Secured},
    },
};

fn with(tls: Tls, url: String) -> HttpSettings {
    HttpSettings { tls, ..settings(url) }
}

#[tokio::test]
async fn an_authority_of_ones_own_is_trusted_where_it_is_named() {
    let authority = Authority::new();
    let server = Secured::start(authority.server("localhost"), |_| Reply::ok("here")).await;
    let url = server.secure_url("localhost", "/a");
    assert_eq!(file(&fetched(&with(authority.trusted(), url.clone())).await), "here");
    let environment = Environment::from_pairs([("SSL_CERT_FILE", authority.path("ca.pem").unwrap())]);
    let http = Http::new(&settings(url), &environment).unwrap();
    assert_eq!(file(&fetch(&http).await.unwrap()), "here");
}

#[tokio::test]
async fn an_authority_that_nobody_named_is_not() {
    let authority = Authority::new();
    let server = Secured::start(authority.server("localhost"), |_| Reply::ok("here")).await;
    let url = server.secure_url("localhost", "/a");
    let says = "/a: TLS: invalid peer certificate: UnknownIssuer; name the authority that signed it with tls.ca_file";
    assert_failure(&failure(&settings(&url)).await, Unavailable, Never, says);
    // Nor where another one is named, which the environment's does not join.
    let other = Authority::new();
    let environment = Environment::from_pairs([("SSL_CERT_FILE", authority.path("ca.pem").unwrap())]);
    let http = Http::new(&with(other.trusted(), url), &environment).unwrap();
    assert_failure(&failed(&http).await, Unavailable, Never, "tls.ca_file");
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn a_certificate_for_another_name_or_of_another_time() {
    let authority = Authority::new();
    let other = Secured::start(authority.server("other.example"), |_| Reply::ok("here")).await;
    let failure_of = |server: &Secured| with(authority.trusted(), server.secure_url("localhost", "/a"));
    assert_failure(&failure(&failure_of(&other)).await, Unavailable, Never, "the certificate is for another name");
    let old = Secured::start(authority.until("localhost", 2001), |_| Reply::ok("here")).await;
    assert_failure(&failure(&failure_of(&old)).await, Unavailable, Never, "certificate is to be renewed");
}

#[tokio::test]
async fn a_server_that_wants_to_know_us() {
    let authority = Authority::new();
    let server = Secured::start(authority.asking("localhost", false), |_| Reply::ok("here")).await;
    let url = server.secure_url("localhost", "/a");
    assert_eq!(file(&fetched(&with(authority.known(), url.clone())).await), "here");
    assert_eq!(server.shown(), [true]);
    let says = "name tls.cert_file and tls.key_file";
    assert_failure(&failure(&with(authority.trusted(), url.clone())).await, Unavailable, Never, says);
    // Of the right form, but signed by somebody else.
    let stranger = Tls { ca_file: authority.path("ca.pem"), ..Authority::new().known_elsewhere() };
    assert_failure(&failure(&with(stranger, url)).await, Unavailable, Never, "check tls.cert_file");
}

#[tokio::test]
async fn our_certificate_is_not_shown_to_another_server() {
    let authority = Authority::new();
    let other = Secured::start(authority.asking("localhost", true), |_| Reply::ok("here")).await;
    let target = other.secure_url("localhost", "/there");
    let server = Secured::start(authority.asking("localhost", true), move |_| Reply::redirect(&target)).await;
    fetched(&with(authority.known(), server.secure_url("localhost", "/a"))).await;
    assert_eq!((server.shown(), other.shown()), (vec![true], vec![false]));
}

#[tokio::test]
async fn a_redirect_that_gives_up_tls() {
    let authority = Authority::new();
    let plain = Server::answering(Reply::ok("here")).await;
    let target = plain.url("/there");
    let server = Secured::start(authority.server("localhost"), move |_| Reply::redirect(&target)).await;
    let refusing = with(authority.trusted(), server.secure_url("localhost", "/a"));
    let says = format!("/a: redirects from https to {}; allow_http_redirect", plain.url("/there"));
    assert_failure(&failure(&refusing).await, Denied, Never, &says);
    assert!(plain.asked().is_empty());
    let allowing = HttpSettings { allow_http_redirect: true, ..refusing };
    assert_eq!(file(&fetched(&allowing).await), "here");
}

#[tokio::test]
async fn a_redirect_to_tls_is_trusted_as_the_settings_say() {
    let authority = Authority::new();
    let server = Secured::start(authority.server("localhost"), |_| Reply::ok("here")).await;
    let plain = Server::answering(Reply::redirect(server.secure_url("localhost", "/"))).await;
    assert_eq!(file(&fetched(&with(authority.trusted(), plain.url("/"))).await), "here");
    assert_failure(&failure(&settings(plain.url("/"))).await, Unavailable, Never, "tls.ca_file");
}

#[tokio::test]
async fn no_tls_where_tls_is_due_and_the_other_way_round() {
    let plain = Server::answering(Reply::raw("HTTP/1.1 400 Bad Request\r\n\r\n")).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    task::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            use tokio::io::{AsyncReadExt, AsyncWriteExt};
            let _hello = stream.read(&mut [0; 4096]).await;
            let _said = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        }
    });
    let failed = failure(&settings(format!("https://localhost:{port}/a"))).await;
    assert_failure(&failed, Unavailable, Soon, "if no TLS is spoken at that port, write http://");
    drop(plain);

    let authority = Authority::new();
    let secured = Secured::start(authority.server("localhost"), |_| Reply::ok("here")).await;
    assert_failure(&failure(&settings(secured.url("/a"))).await, Unavailable, Soon, "whether HTTP is spoken");
}

#[tokio::test]
async fn files_that_are_no_certificates() {
    let authority = Authority::new();
    let known = authority.known();
    let server = Secured::start(authority.server("localhost"), |_| Reply::ok("here")).await;
    let empty = authority.path("empty.pem");
    std::fs::write(Path::new(empty.as_ref().unwrap()), "secret\n").unwrap();
    let other = Authority::new().known_elsewhere();
    let nowhere = Some("/nowhere.pem".to_owned());
    for (tls, says) in [
        (Tls { ca_file: nowhere.clone(), ..known.clone() }, "/nowhere.pem: cannot be read: No such file"),
        (Tls { ca_file: empty.clone(), ..known.clone() }, "empty.pem: has no certificate in PEM format in it"),
        (Tls { cert_file: empty.clone(), ..known.clone() }, "empty.pem: has no certificate in PEM format in it"),
        (Tls { key_file: nowhere, ..known.clone() }, "/nowhere.pem: cannot be read: No such file"),
        (Tls { key_file: empty, ..known.clone() }, "empty.pem: has no private key in PEM format in it"),
        (Tls { key_file: other.key_file, ..known.clone() }, "are to be a certificate and its own key"),
    ] {
        let failure = failure(&with(tls, server.secure_url("localhost", "/"))).await;
        assert_failure(&failure, Config, Never, says);
    }
    // It is read again each time.
    let http = source(&with(known, server.secure_url("localhost", "/")));
    fetch(&http).await.unwrap();
    std::fs::remove_file(authority.folder.path().join("client.key")).unwrap();
    assert_failure(&failed(&http).await, Config, Never, "client.key: cannot be read");
}
