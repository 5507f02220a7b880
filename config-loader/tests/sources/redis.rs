//! Debian's redis-server: open, with a password, with a user, over TLS.

use std::fs;
use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use chassis::exit::Code;
use chassis::tls::Roots;
use config_loader::failure::{Failure, Retry};
use config_loader::source::redis::{Redis, Settings, get, set};
use config_loader::source::{Budget, Content, Limits, Source as _};
use e2e::harness::free_port;
use tempfile::TempDir;

use crate::support::process::{Certificate, Server, given_up, program, say};
use crate::support::scripted::{Then, scripted};

const LIMITS: Limits = Limits { file: 16, files: 1, set: 16, budget: Budget::NONE };
const AGE: Duration = Duration::from_secs(60);

/// Starts one; `None` where there is none.
fn start(address: SocketAddr, arguments: &[&str]) -> Option<Server> {
    let mut command = Command::new(program("redis-server")?);
    command.args(["--port", &address.port().to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]);
    Some(Server::start(command.args(arguments), address))
}

const ABSENT: &str = "there is no redis-server (apt-get install redis-server)";

fn settings(url: &str) -> Settings {
    Settings { address: url.parse().unwrap(), username: None, password_file: None, roots: Roots::default() }
}

fn at(address: SocketAddr) -> Settings {
    settings(&format!("redis://{address}"))
}

fn with_password(address: SocketAddr, username: Option<&str>, password: &str) -> (Settings, TempDir) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("password");
    fs::write(&path, format!("{password}\n")).unwrap();
    (Settings { username: username.map(ToOwned::to_owned), password_file: Some(path), ..at(address) }, dir)
}

async fn fetch(settings: &Settings, key: &str) -> Result<Vec<u8>, Failure> {
    let fetched = Redis::new(settings.clone(), key).fetch(LIMITS).await?;
    let Content::File(bytes) = fetched.content else { panic!("one file was due") };
    Ok(bytes.to_vec())
}

async fn refusal(settings: &Settings, key: &str) -> Failure {
    fetch(settings, key).await.unwrap_err()
}

#[tokio::test]
async fn a_key_is_read_if_it_is_a_string_and_not_too_large() {
    let address = free_port();
    let Some(_server) = start(address, &[]) else { e2e::skip!("{ABSENT}") };
    let sixteen = "x".repeat(16);
    say(
        address,
        &format!("SET a hello\r\nSET most {sixteen}\r\nSET more {sixteen}y\r\nSET empty \"\"\r\nLPUSH list a\r\n"),
    );
    let redis = at(address);
    assert_eq!(fetch(&redis, "a").await.unwrap(), b"hello");
    assert_eq!(fetch(&redis, "most").await.unwrap(), sixteen.as_bytes());
    assert_eq!(fetch(&redis, "empty").await.unwrap(), b"");
    let missing = refusal(&redis, "b").await;
    assert_eq!((missing.code, missing.retry), (Code::Unavailable, Retry::Never));
    assert_eq!(missing.message, format!("redis://{address}/0 key b: there is no such key"));
    assert_eq!(refusal(&settings(&format!("redis://{address}/1")), "a").await.code, Code::Unavailable);
    let large = refusal(&redis, "more").await;
    assert_eq!(large.code, Code::Data);
    assert!(large.message.ends_with("key more: is larger than the 16 bytes that are allowed"), "{large}");
    let list = refusal(&redis, "list").await;
    assert_eq!((list.code, list.retry), (Code::Data, Retry::Never), "{list}");
    assert!(list.message.contains("its value is no string"), "{list}");
}

#[tokio::test]
async fn the_cache_writes_bytes_and_reads_them_again() {
    let address = free_port();
    let Some(_server) = start(address, &[]) else { e2e::skip!("{ABSENT}") };
    let redis = settings(&format!("redis://{address}/3"));
    let bytes: Vec<u8> = (0..=255).collect();
    assert_eq!(get(&redis, "set", 256).await.unwrap(), None);
    set(&redis, "set", b"old", AGE).await.unwrap();
    set(&redis, "set", &bytes, AGE).await.unwrap();
    assert_eq!(get(&redis, "set", 256).await.unwrap().unwrap(), bytes);
    assert_eq!(get(&redis, "set", 255).await.unwrap_err().code, Code::Data);
    say(address, "CONFIG SET maxmemory 1\r\n");
    let full = set(&redis, "set", b"the prompt", AGE).await.unwrap_err();
    assert_eq!((full.code, full.retry), (Code::Unavailable, Retry::Soon));
    assert!(full.message.ends_with("Redis failed the command with OOM") && !full.message.contains("prompt"), "{full}");
}

#[tokio::test]
async fn who_has_no_password_or_the_wrong_one_is_denied() {
    let address = free_port();
    let Some(_server) = start(address, &["--requirepass", "open sesame"]) else { e2e::skip!("{ABSENT}") };
    say(address, "AUTH \"open sesame\"\r\nSET a hello\r\n");
    let (right, _dir) = with_password(address, None, "open sesame");
    assert_eq!(fetch(&right, "a").await.unwrap(), b"hello");
    let none = refusal(&at(address), "a").await;
    assert_eq!((none.code, none.retry), (Code::Denied, Retry::Never), "{none}");
    assert!(none.to_string().contains("wants a password; set password_file"), "{none}");
    assert_eq!(set(&at(address), "a", b"x", AGE).await.unwrap_err().code, Code::Denied);
    let (wrong, _dir) = with_password(address, None, "open barley");
    let wrong = refusal(&wrong, "a").await;
    assert_eq!((wrong.code, wrong.retry), (Code::Denied, Retry::Never), "{wrong}");
    assert!(wrong.to_string().contains("refuses the password; check the user `default` and /"), "{wrong}");
    assert!(!wrong.to_string().contains("barley"), "{wrong}");
    let mut gone = right.clone();
    gone.password_file = Some("/nowhere/password".into());
    assert_eq!(refusal(&gone, "a").await.code, Code::Unavailable);
}

#[tokio::test]
async fn a_busy_server_is_waited_for_as_long_as_the_caller_does() {
    let address = free_port();
    let Some(_server) = start(address, &[]) else { e2e::skip!("{ABSENT}") };
    // Longer than the library would wait by itself.
    assert_eq!(say(address, "SET a hello\r\nCLIENT PAUSE 800\r\n"), "+OK\r\n+OK\r\n");
    assert_eq!(fetch(&at(address), "a").await.unwrap(), b"hello");
}

#[tokio::test]
async fn a_user_who_may_read_is_enough_and_only_for_his_keys() {
    let address = free_port();
    let Some(_server) = start(address, &[]) else { e2e::skip!("{ABSENT}") };
    let user = "ACL SETUSER reader on >pass ~prompts/* +strlen +exists +getrange\r\n";
    say(address, &format!("SET prompts/a hello\r\nSET other hello\r\n{user}"));
    let (reader, _dir) = with_password(address, Some("reader"), "pass");
    assert_eq!(fetch(&reader, "prompts/a").await.unwrap(), b"hello");
    assert_eq!(refusal(&reader, "prompts/b").await.code, Code::Unavailable);
    for failure in [refusal(&reader, "other").await, set(&reader, "prompts/a", b"secret", AGE).await.unwrap_err()] {
        assert_eq!((failure.code, failure.retry), (Code::Denied, Retry::Never), "{failure}");
        assert!(failure.to_string().contains("STRLEN, EXISTS and GETRANGE"), "{failure}");
        assert!(!failure.to_string().contains("secret"), "{failure}");
    }
    let (nobody, _dir) = with_password(address, Some("nobody"), "pass");
    assert!(refusal(&nobody, "prompts/a").await.to_string().contains("check the user `nobody`"));
}

#[tokio::test]
async fn tls_is_spoken_with_whom_is_trusted() {
    let (address, tls) = (free_port(), free_port());
    let certificate = Certificate::new();
    let (pem, key, port) = (certificate.certificate(), certificate.key(), tls.port().to_string());
    let arguments = ["--tls-port", &port, "--tls-cert-file", &pem, "--tls-key-file", &key, "--tls-auth-clients", "no"];
    let Some(_server) = start(address, &[&arguments[..], &["--tls-ca-cert-file", &pem]].concat()) else {
        e2e::skip!("{ABSENT}")
    };
    say(address, "SET a hello\r\n");
    let over = |url: String, roots| Settings { roots, ..settings(&url) };
    let trusted = over(format!("rediss://localhost:{port}"), certificate.roots());
    assert_eq!(fetch(&trusted, "a").await.unwrap(), b"hello");
    // The certificate is for another name, and by another authority.
    let name = refusal(&over(format!("rediss://127.0.0.1:{port}"), certificate.roots()), "a").await;
    let authority = refusal(&over(format!("rediss://localhost:{port}"), Certificate::new().roots()), "a").await;
    for failure in [name, authority] {
        assert_eq!((failure.code, failure.retry), (Code::Unavailable, Retry::Never), "{failure}");
        assert!(failure.message.contains("its certificate is not to be trusted"), "{failure}");
    }
    let plain = refusal(&settings(&format!("redis://localhost:{port}")), "a").await;
    assert_eq!(plain.code, Code::Unavailable);
    assert!(plain.to_string().ends_with("if it speaks TLS, write rediss://"), "{plain}");
    // Redis takes the greeting for a command that is not complete, and waits.
    let no_tls = over(format!("rediss://localhost:{}", address.port()), certificate.roots());
    tokio::time::pause();
    let no_tls = refusal(&no_tls, "a").await;
    assert_eq!((no_tls.code, no_tls.retry), (Code::Unavailable, Retry::Soon), "{no_tls}");
    assert!(no_tls.to_string().ends_with("if it is not meant to speak TLS, write redis://"), "{no_tls}");
}

#[tokio::test]
async fn a_server_that_is_down_or_not_ready_may_be_up_in_a_moment() {
    let refused = refusal(&at(free_port()), "a").await;
    assert_eq!((refused.code, refused.retry), (Code::Unavailable, Retry::Soon));
    assert!(refused.message.contains("cannot be connected to"), "{refused}");
    for (answer, words) in [
        ("", "the connection was cut off"),
        ("$5\r\nhe", "the connection was cut off"),
        ("-LOADING Redis is loading the dataset in memory\r\n", "Redis is still loading its data"),
        ("-MASTERDOWN Link with MASTER is down\r\n", "failed the command with MASTERDOWN"),
    ] {
        let (address, _heard) = scripted(&[answer], Then::Close);
        let failure = refusal(&at(address), "a").await;
        assert_eq!((failure.code, failure.retry), (Code::Unavailable, Retry::Soon), "{failure}");
        assert!(failure.message.contains(words), "{failure}");
    }
}

#[tokio::test]
async fn a_wrong_server_stays_wrong() {
    for (answer, code, words) in [
        ("HTTP/1.1 400 Bad Request\r\n\r\n", Code::Unavailable, "what answers is not Redis"),
        ("-MOVED 3999 127.0.0.1:6381\r\n", Code::Config, "is on another node of the cluster"),
        ("-READONLY You can't write against a read only replica.\r\n", Code::Config, "is on a replica"),
    ] {
        let (address, _heard) = scripted(&[answer], Then::Close);
        let failure = refusal(&at(address), "a").await;
        assert_eq!((failure.code, failure.retry), (code, Retry::Never), "{failure}");
        assert!(failure.message.contains(words), "{failure}");
    }
}

#[tokio::test]
async fn what_grows_after_it_was_measured_is_not_read_beyond_the_limit() {
    let (address, heard) = scripted(&[":3\r\n", "$17\r\nxxxxxxxxxxxxxxxxx\r\n"], Then::Close);
    assert_eq!(refusal(&at(address), "a").await.code, Code::Data);
    let heard = heard.join().unwrap();
    assert!(heard.contains("GETRANGE\r\n$1\r\na\r\n$1\r\n0\r\n$2\r\n16\r\n"), "{heard}");
    assert!(!heard.contains("SETINFO"), "{heard}");
    let (address, _heard) = scripted(&[":3\r\n", "$0\r\n\r\n"], Then::Close);
    assert_eq!(refusal(&at(address), "a").await.code, Code::Unavailable);
}

#[tokio::test]
async fn a_fetch_that_is_given_up_closes_its_connection() {
    let (address, heard) = scripted(&[], Then::Hold);
    given_up(&Redis::new(at(address), "a"), LIMITS, heard).await;
}
