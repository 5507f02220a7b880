//! Settings that make no sense are told all at once, and without what may be secret.

use chassis::config::Environment;
use config_loader::{
    file::{self, Basic, Tls},
    source::http::{Fault, Http, HttpSettings},
};

use crate::settings;

fn faults(settings: &HttpSettings) -> Vec<String> {
    let faults = Http::new(settings, &Environment::default()).err().unwrap_or_default();
    let told = format!("{faults:?}");
    assert!(!told.contains("secret"), "{told}");
    assert!(faults.iter().all(|fault| !fault.hint.is_empty()), "{told}");
    faults.into_iter().map(|Fault { field, message, .. }| format!("{field}: {message}")).collect()
}

#[test]
fn what_is_no_url_of_http() {
    for (url, fault) in [
        ("", "url: missing"),
        ("config.example/prompt.txt?secret", "url: is not a URL"),
        ("http://", "url: is not a URL"),
        ("http://me:secret@[/", "url: is not a URL"),
        ("ftp://me:secret@a/b", "url: has the scheme `ftp`"),
        ("s3://bucket/secret", "url: has the scheme `s3`"),
        ("http://a:0/", "url: has the port 0"),
    ] {
        assert_eq!(faults(&settings(url)), [fault], "{url}");
    }
    for url in ["http://a", "HTTPS://A.example:8443/b?c=d#e", "http://[::1]/", "https://me:secret@a/"] {
        assert_eq!(faults(&settings(url)), [""; 0], "{url}");
    }
}

#[test]
fn everything_is_told_at_once() {
    let headers = [("a b", "x"), ("Host", "a.example"), ("Transfer-Encoding", "x"), ("x-key", "secret\u{1}")];
    let settings = HttpSettings {
        headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
        bearer_file: Some("/token".to_owned()),
        basic: Some(Basic { username: "me".to_owned(), password_file: "/password".to_owned() }),
        tls: Tls { cert_file: Some("/a.pem".to_owned()), ..Tls::default() },
        proxy: Some("socks5://me:secret@a".to_owned()),
        allow_addresses: vec!["10.0.0.1".to_owned(), "10.0.0.0/40".to_owned(), "fe80::/10".to_owned()],
        ..settings("ftp://a")
    };
    let expected = [
        "url: has the scheme `ftp`",
        "headers.Transfer-Encoding: is set by this program",
        "headers.a b: is no name of a header",
        "headers.x-key: has a control character in it",
        "basic: is a second way to log in, beside bearer_file",
        "tls.key_file: missing",
        "proxy: is not the URL of an HTTP proxy; others, such as SOCKS, are not supported",
        "allow_addresses[1]: `10.0.0.0/40` is neither an address nor a network",
    ];
    assert_eq!(faults(&settings), expected);
}

#[test]
fn there_is_one_way_to_log_in() {
    let headers = [("Authorization".to_owned(), "secret".to_owned())].into();
    let two = HttpSettings { headers, ..settings("http://me:secret@a/") };
    assert_eq!(faults(&two), ["headers.authorization: is a second way to log in, beside url"]);
    let basic = Some(Basic { username: "a:b".to_owned(), password_file: "/password".to_owned() });
    assert_eq!(faults(&HttpSettings { basic, ..settings("http://a/") }), ["basic.username: has a colon"]);
}

#[test]
fn what_the_file_says_is_what_is_set() {
    let http: file::Http = serde_json::from_value(serde_json::json!({
        "url": "https://a/b", "headers": {"x": "y"}, "bearer_file": "/t", "proxy": "p", "allow_http_redirect": true,
        "allow_addresses": ["10.0.0.1"], "tls": {"ca_file": "/ca.pem"},
    }))
    .unwrap();
    let settings = HttpSettings::from(&http);
    assert_eq!((settings.url.as_str(), settings.tls.ca_file.as_deref()), ("https://a/b", Some("/ca.pem")));
    assert_eq!(faults(&settings), [""; 0]);
}
