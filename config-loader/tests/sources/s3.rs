//! PyPI's moto server: keys and versions, who is let in, IRSA over TLS.

use std::fs;
use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use chassis::config::Environment;
use chassis::exit::Code;
use chassis::tls::Roots;
use config_loader::failure::{Failure, Retry};
use config_loader::source::s3::{S3, Settings};
use config_loader::source::{Budget, Content, Fetched, Limits, Source as _};
use e2e::harness::free_port;
use tokio::time::timeout;

use crate::support::process::{Certificate, PATIENCE, Server, given_up, program, say};
use crate::support::scripted::{Then, scripted, scripted_over_tls};

const LIMITS: Limits = Limits { file: 16, files: 1, set: 16, budget: Budget::NONE };

const KEYS: [(&str, &str); 2] = [("AWS_ACCESS_KEY_ID", "testing"), ("AWS_SECRET_ACCESS_KEY", "hush-hush")];

const ABSENT: &str = "there is no moto_server (pip install 'moto[server]')";

fn start(address: SocketAddr, arguments: &[&str]) -> Option<Server> {
    let mut command = Command::new(program("moto_server")?);
    command.args(["-H", "127.0.0.1", "-p", &address.port().to_string()]);
    Some(Server::start(command.args(arguments), address))
}

/// One request that is not looked at closely, and its answer.
fn ask(address: SocketAddr, method: &str, target: &str, body: &str) -> String {
    let who = "AWS4-HMAC-SHA256 Credential=testing/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0";
    let length = body.len();
    let head = format!("host: {address}\r\nauthorization: {who}\r\ncontent-type: text/plain; charset=utf-8\r\n");
    let answer = say(address, &format!("{method} {target} HTTP/1.0\r\n{head}content-length: {length}\r\n\r\n{body}"));
    assert!(answer.contains(" 200 "), "{method} {target}: {answer}");
    answer
}

fn settings(url: &str, endpoint: &str) -> Settings {
    Settings { address: url.parse().unwrap(), version: None, endpoint: Some(endpoint.to_owned()), region: None }
}

fn source(url: &str, address: SocketAddr) -> S3 {
    let settings = settings(url, &format!("http://{address}"));
    S3::new(settings, &Environment::from_pairs(KEYS), &Roots::default()).unwrap()
}

async fn refusal(source: &S3) -> Failure {
    source.fetch(LIMITS).await.unwrap_err()
}

fn text(fetched: &Fetched) -> &[u8] {
    let Content::File(bytes) = &fetched.content else { panic!("one file was due") };
    bytes
}

#[tokio::test]
async fn an_object_is_read_if_it_exists_is_not_too_large_and_we_may() {
    let address = free_port();
    let Some(_server) = start(address, &[]) else { e2e::skip!("{ABSENT}") };
    ask(address, "PUT", "/prompts", "");
    ask(address, "PUT", "/prompts/a%20b/c.txt", "hello");
    ask(address, "PUT", "/prompts/most", &"x".repeat(16));
    ask(address, "PUT", "/prompts/more", &"x".repeat(17));
    let whole = source("s3://prompts/a b/c.txt", address).fetch(LIMITS).await.unwrap();
    assert_eq!(text(&whole), b"hello");
    assert_eq!(whole.version.as_deref(), Some("\"5d41402abc4b2a76b9719d911017c592\""));
    assert_eq!(whole.media_type.as_deref(), Some("text/plain"));
    assert_eq!(text(&source("s3://prompts/most", address).fetch(LIMITS).await.unwrap()).len(), 16);
    let large = refusal(&source("s3://prompts/more", address)).await;
    assert_eq!((large.code, large.retry), (Code::Data, Retry::Never));
    assert_eq!(large.message, "s3://prompts/more: has 17 bytes, more than the 16 that are allowed");
    for (url, words) in [("s3://prompts/b", "there is no such object"), ("s3://elsewhere/b", "there is no such bucket")]
    {
        let missing = refusal(&source(url, address)).await;
        assert_eq!((missing.code, missing.retry), (Code::Unavailable, Retry::Never), "{missing}");
        assert!(missing.message.starts_with(&format!("{url}: {words}")), "{missing}");
    }

    ask(
        address,
        "PUT",
        "/prompts?versioning",
        "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>",
    );
    let old = ask(address, "PUT", "/prompts/a", "old");
    ask(address, "PUT", "/prompts/a", "new");
    let version = old.lines().find_map(|line| line.strip_prefix("x-amz-version-id: ")).unwrap();
    let of = |version: &str| {
        let endpoint = format!("http://{address}");
        let settings = Settings { version: Some(version.to_owned()), ..settings("s3://prompts/a", &endpoint) };
        S3::new(settings, &Environment::from_pairs(KEYS), &Roots::default()).unwrap()
    };
    let pinned = of(version).fetch(LIMITS).await.unwrap();
    assert_eq!((text(&pinned), pinned.version.as_deref()), (&b"old"[..], Some(version)));
    assert_eq!(text(&source("s3://prompts/a", address).fetch(LIMITS).await.unwrap()), b"new");
    let unknown = refusal(&of("5d41402a-bc4b-4a76-b971-9d911017c592")).await;
    assert_eq!((unknown.code, unknown.retry), (Code::Unavailable, Retry::Never), "{unknown}");
    assert!(unknown.message.contains("version"), "{unknown}");

    // From now on, it looks at who asks.
    ask(address, "POST", "/moto-api/reset-auth", "0");
    let denied = refusal(&source("s3://prompts/a", address)).await;
    assert_eq!((denied.code, denied.retry), (Code::Denied, Retry::Never), "{denied}");
    assert!(denied.to_string().contains("403, InvalidAccessKeyId"), "{denied}");
}

#[tokio::test]
async fn a_web_identity_is_enough_over_tls_with_whom_is_trusted() {
    let address = free_port();
    let certificate = Certificate::new();
    let Some(_server) = start(address, &["-c", &certificate.certificate(), "-k", &certificate.key()]) else {
        e2e::skip!("{ABSENT}")
    };
    let dir = tempfile::tempdir().unwrap();
    let token = dir.path().join("token");
    fs::write(&token, "header.payload.signature").unwrap();
    let url = format!("https://localhost:{}", address.port());
    let object = |sts: &str| {
        let environment = Environment::from_pairs([
            ("AWS_WEB_IDENTITY_TOKEN_FILE", token.to_str().unwrap()),
            ("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/reader"),
            ("AWS_ENDPOINT_URL_STS", sts),
            ("AWS_ENDPOINT_URL_S3", url.as_str()),
        ]);
        let settings = Settings { endpoint: None, ..settings("s3://prompts/a", "") };
        S3::new(settings, &environment, &certificate.roots()).unwrap()
    };
    let answer =
        |status: &str, body: &str| format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    let keys = "<AccessKeyId>a</AccessKeyId><SecretAccessKey>b</SecretAccessKey><SessionToken>c</SessionToken>";
    let keys = format!("<Credentials>{keys}<Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>");
    let result = format!("<AssumeRoleWithWebIdentityResult>{keys}</AssumeRoleWithWebIdentityResult>");
    let role = format!("<AssumeRoleWithWebIdentityResponse>{result}</AssumeRoleWithWebIdentityResponse>");
    let (sts, heard) = scripted_over_tls(&certificate, answer("200 OK", &role));
    // Who we are is known then, and so it is the bucket that is missing.
    let missing = refusal(&object(&format!("https://localhost:{}", sts.port()))).await;
    assert!(missing.message.starts_with("s3://prompts/a: there is no such bucket"), "{missing}");
    assert!(heard.join().unwrap().contains("WebIdentityToken=header.payload.signature"));

    let no = "<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>";
    let (sts, _heard) = scripted_over_tls(&certificate, answer("403 Forbidden", no));
    let untrusted = refusal(&object(&format!("https://localhost:{}", sts.port()))).await;
    assert_eq!((untrusted.code, untrusted.retry), (Code::Denied, Retry::Never), "{untrusted}");
    assert!(untrusted.message.ends_with("there are no credentials for it (status 403, AccessDenied)"), "{untrusted}");
    assert!(!untrusted.to_string().contains("payload"), "{untrusted}");
    let down = refusal(&object(&format!("https://localhost:{}", free_port().port()))).await;
    assert_eq!((down.code, down.retry), (Code::Unavailable, Retry::Soon), "{down}");
    // The token is sent to nobody in the clear.
    let plain = refusal(&object("http://localhost:1")).await;
    assert!(plain.message.contains("its address is not https://"), "{plain}");
    fs::remove_file(&token).unwrap();
    let gone = refusal(&object(&url)).await;
    assert_eq!((gone.code, gone.retry), (Code::Denied, Retry::Never), "{gone}");
    assert!(gone.message.contains("there are no credentials for it"), "{gone}");

    let direct = |roots| S3::new(settings("s3://prompts/a", &url), &Environment::from_pairs(KEYS), &roots).unwrap();
    let stranger = refusal(&direct(Certificate::new().roots())).await;
    assert_eq!((stranger.code, stranger.retry), (Code::Unavailable, Retry::Never), "{stranger}");
    assert!(stranger.message.contains("certificate is not to be trusted"), "{stranger}");
}

#[tokio::test]
async fn a_server_that_is_down_or_busy_may_be_up_in_a_moment() {
    let refused = refusal(&source("s3://prompts/a", free_port())).await;
    assert_eq!((refused.code, refused.retry), (Code::Unavailable, Retry::Soon), "{refused}");
    assert!(refused.message.contains("cannot be connected to"), "{refused}");
    let head = "HTTP/1.1 200 OK\r\nlast-modified: Thu, 01 Jan 2026 00:00:00 GMT\r\netag: \"1\"\r\n";
    let slow_down =
        "HTTP/1.1 503 Slow Down\r\nretry-after: 7\r\ncontent-length: 35\r\n\r\n<Error><Code>SlowDown</Code></Error>";
    for (answer, retry, words) in [
        (format!("{head}content-length: 9\r\n\r\nhel"), Retry::Soon, "was cut off"),
        (String::new(), Retry::Soon, "was cut off"),
        ("HTTP/1.1 500 Oh\r\ncontent-length: 0\r\n\r\n".to_owned(), Retry::Soon, "busy or broken (500)"),
        (slow_down.to_owned(), Retry::After(Duration::from_secs(7)), "busy or broken (503"),
    ] {
        let (address, heard) = scripted(&[&answer], Then::Close);
        let failure = refusal(&source("s3://prompts/a", address)).await;
        assert_eq!((failure.code, failure.retry), (Code::Unavailable, retry), "{failure}");
        assert!(failure.message.contains(words), "{failure}");
        // Trying again is the caller's.
        assert_eq!(heard.join().unwrap().matches("GET /prompts/a").count(), 1);
    }
}

#[tokio::test]
async fn what_stays_wrong_says_what_to_do() {
    let moved = "HTTP/1.1 301 Moved Permanently\r\nx-amz-bucket-region: eu-west-1\r\ncontent-length: 0\r\n\r\n";
    let expired = "HTTP/1.1 400 Bad Request\r\ncontent-length: 41\r\n\r\n<Error><Code>ExpiredToken</Code></Error> ";
    let denied = "HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n";
    let page = "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\n\r\n<html>";
    let teapot = "HTTP/1.1 418 Teapot\r\ncontent-length: 0\r\n\r\n";
    for (answer, code, words) in [
        (moved, Code::Config, "another region (301); set the region to eu-west-1"),
        (expired, Code::Denied, "the credentials are refused (400, ExpiredToken)"),
        (denied, Code::Denied, "access is denied (403); allow s3:GetObject"),
        (page, Code::Unavailable, "what answers is not S3"),
        (teapot, Code::Unavailable, "S3 refuses the request (418); check the endpoint"),
    ] {
        let (address, _heard) = scripted(&[answer], Then::Close);
        let failure = refusal(&source("s3://prompts/a", address)).await;
        assert_eq!((failure.code, failure.retry), (code, Retry::Never), "{failure}");
        assert!(failure.to_string().contains(words), "{failure}");
        assert!(!failure.to_string().contains("http://"), "{failure}");
    }
}

#[tokio::test]
async fn a_body_without_end_is_read_up_to_the_limit() {
    let head = "HTTP/1.1 200 OK\r\nlast-modified: Thu, 01 Jan 2026 00:00:00 GMT\r\netag: \"1\"\r\n";
    let (address, heard) = scripted(&[&format!("{head}content-length: 10737418240\r\n\r\nhello")], Then::Hold);
    let failure = refusal(&source("s3://prompts/a", address)).await;
    assert_eq!(failure.code, Code::Data, "{failure}");
    // The rest is not waited for.
    let heard = timeout(PATIENCE, tokio::task::spawn_blocking(|| heard.join().unwrap())).await.unwrap().unwrap();
    assert!(heard.starts_with("GET /prompts/a"));
}

#[tokio::test]
async fn a_container_has_a_role() {
    let role = r#"{"AccessKeyId":"a","SecretAccessKey":"b","Token":"c","Expiration":"2099-01-01T00:00:00Z"}"#;
    let answer = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{role}", role.len());
    let (agent, heard_by_agent) = scripted(&[&answer], Then::Close);
    let denied = "HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n";
    let (address, heard) = scripted(&[denied], Then::Close);
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("token"), "who-i-am").unwrap();
    let environment = Environment::from_pairs([
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", format!("http://{agent}/v1/credentials")),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", dir.path().join("token").to_str().unwrap().to_owned()),
    ]);
    let endpoint = format!("http://{address}");
    let object = S3::new(settings("s3://prompts/a", &endpoint), &environment, &Roots::default()).unwrap();
    assert_eq!(refusal(&object).await.code, Code::Denied);
    assert!(heard_by_agent.join().unwrap().contains("authorization: who-i-am\r\n"));
    let heard = heard.join().unwrap();
    assert!(heard.contains("Credential=a/") && heard.contains("x-amz-security-token: c\r\n"), "{heard}");
}

#[tokio::test]
async fn a_machine_without_a_role_is_found_out() {
    // Nobody listens there; or somebody who never answers.
    let (silent, _heard) = scripted(&[], Then::Hold);
    for address in [free_port(), silent] {
        let environment = [("AWS_EC2_METADATA_SERVICE_ENDPOINT", format!("http://{address}"))];
        let settings = settings("s3://prompts/a", "http://127.0.0.1:1");
        let object = S3::new(settings, &Environment::from_pairs(environment), &Roots::default()).unwrap();
        tokio::time::pause();
        let failure = refusal(&object).await;
        tokio::time::resume();
        assert_eq!((failure.code, failure.retry), (Code::Denied, Retry::Never), "{failure}");
        assert!(failure.to_string().contains("set AWS_ACCESS_KEY_ID"), "{failure}");
    }
}

#[test]
fn what_cannot_be_asked_for_is_found_out_before() {
    let of = |url: &str, environment: &[(&str, &str)]| {
        let settings = settings(url, "http://127.0.0.1:1");
        S3::new(settings, &Environment::from_pairs(environment.iter().copied()), &Roots::default()).unwrap_err()
    };
    for failure in [of("s3://prompts/a//b", &KEYS), of("s3://prompts/../b", &KEYS), of("s3://prompts/a", &KEYS[..1])] {
        assert_eq!(failure.code, Code::Config, "{failure}");
    }
}

#[test]
fn no_secret_is_in_a_log() {
    let shown = format!("{:?}", source("s3://prompts/a", free_port()));
    assert!(!shown.contains("hush-hush"), "{shown}");
}

#[tokio::test]
async fn a_fetch_that_is_given_up_closes_its_connection() {
    let (address, heard) = scripted(&[], Then::Hold);
    given_up(&source("s3://prompts/a", address), LIMITS, heard).await;
}
