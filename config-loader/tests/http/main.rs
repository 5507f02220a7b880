//! The HTTP source against real servers: what each answer, and each lack of one, becomes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod configured;
mod faults;
mod login;
mod names;
mod proxies;
mod redirects;
mod secured;
#[path = "../support/mod.rs"]
mod support;
mod whole;

use std::time::Duration;

use bytes::Bytes;
use chassis::{config::Environment, exit::Code};
use config_loader::{
    failure::{Failure, Retry},
    source::{
        Budget, Content, Fetched, Limits, Source,
        http::{Http, HttpSettings},
    },
};

/// A megabyte is enough for anything here.
const LIMITS: Limits = Limits { file: 1 << 20, files: 1, set: 1 << 20, budget: Budget::NONE };

/// Nothing takes so long; it is there so that a test that hangs fails.
const AT_MOST: Duration = Duration::from_secs(60);

/// Settings for a URL and nothing else.
fn settings(url: impl Into<String>) -> HttpSettings {
    HttpSettings { url: url.into(), ..HttpSettings::default() }
}

/// A source in an environment without a variable.
fn source(settings: &HttpSettings) -> Http {
    Http::new(settings, &Environment::default()).unwrap()
}

async fn fetch(http: &Http) -> Result<Fetched, Failure> {
    tokio::time::timeout(AT_MOST, http.fetch(LIMITS)).await.expect("it hangs")
}

async fn fetched(settings: &HttpSettings) -> Fetched {
    fetch(&source(settings)).await.unwrap()
}

async fn failure(settings: &HttpSettings) -> Failure {
    failed(&source(settings)).await
}

/// How it fails; it is looked at whether it would tell a secret.
async fn failed(http: &Http) -> Failure {
    let failure = fetch(http).await.unwrap_err();
    let told = format!("{failure} {failure:?} {http:?}");
    assert!(!told.contains("secret"), "{told}");
    assert!(failure.hint.is_some(), "{told}");
    failure
}

fn file(fetched: &Fetched) -> Bytes {
    match &fetched.content {
        Content::File(bytes) => bytes.clone(),
        Content::Directory(_) => panic!("a directory"),
    }
}

/// The failure has this code, this chance, and says this.
#[track_caller]
fn assert_failure(failure: &Failure, code: Code, retry: Retry, says: &str) {
    assert_eq!((failure.code, failure.retry), (code, retry), "{failure}");
    assert!(failure.to_string().contains(says), "`{failure}` does not say `{says}`");
}
