//! What the tests of exchanges share: fixtures, and a stream carried from its first byte to its last.
#![allow(dead_code, reason = "each test file uses some of it")]

pub(crate) mod anthropic;

use std::{fs, path::PathBuf};

use ambassador_core::{
    catalog,
    dialect::openai::Ask,
    exchange,
    provider::{Operation, Provider, StreamError},
    relay::{Progress, Relay},
};
use bytes::Bytes;

/// The time of every answer here, in seconds since 1970.
pub(crate) const CREATED: u64 = 1_700_000_000;

/// Files of a folder of exchange fixtures: name without extension, and content.
pub(crate) fn fixtures(folder: &str) -> Vec<(String, Bytes)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/exchange").join(folder);
    assert!(folder.is_dir(), "there are no fixtures at {}", folder.display());
    let mut files: Vec<(String, Bytes)> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), fs::read(&path).unwrap().into()))
        .collect();
    files.sort();
    assert!(files.len() > 2, "hardly any fixtures in {}", folder.display());
    files
}

/// Every recorded answer by stream of one kind of provider.
pub(crate) fn streams(provider: &dyn Provider) -> Vec<(String, Bytes)> {
    fixtures(&format!("{}/streams", provider.kind()))
}

/// What a provider of a kind is asked for.
pub(crate) fn model(provider: &dyn Provider) -> &'static str {
    catalog::default_model(provider.kind()).unwrap_or("meta-llama/Llama-3.3-70B-Instruct")
}

/// The relay of a caller that asks for a stream, with its usage or without.
pub(crate) fn relay(provider: &dyn Provider, include_usage: bool) -> Box<dyn Relay> {
    let body = Bytes::from(format!(
        r#"{{"model":"m","messages":[{{}}],"stream":true,"stream_options":{{"include_usage":{include_usage}}}}}"#
    ));
    let ask = Ask::parse(Operation::Chat, &body).unwrap();
    exchange::relay(provider, &ask, CREATED)
}

/// What a stream came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Carried {
    /// What the caller got.
    pub(crate) out: Vec<u8>,
    /// How far it came.
    pub(crate) progress: Progress,
    /// Whether it ended well.
    pub(crate) result: Result<(), StreamError>,
}

/// Carries a stream that arrives in these pieces and then ends, as the server does: until there is an error or the end
/// has been said.
pub(crate) fn carry<'p>(mut relay: Box<dyn Relay>, pieces: impl IntoIterator<Item = &'p [u8]>) -> Carried {
    let mut out = Vec::new();
    let mut result = Ok(());
    for piece in pieces {
        result = relay.push(piece, &mut out);
        if result.is_err() || relay.progress().ended {
            break;
        }
    }
    if result.is_ok() {
        result = relay.finish(&mut out);
    }
    Carried { out, progress: relay.progress().clone(), result }
}

/// Where the recordings of true traffic are; `None`, and the reason printed, where they are absent and need not be there.
#[allow(clippy::disallowed_methods, reason = "a switch of the test run, which has no other argument")]
#[allow(clippy::print_stdout, reason = "a test says what it skips")]
pub(crate) fn recordings() -> Option<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/conformance/recordings");
    if folder.is_dir() {
        return Some(folder);
    }
    let required = std::env::var("REQUIRE_ALL").is_ok_and(|value| value == "1");
    assert!(!required, "REQUIRE_ALL is set and there are no recordings at {}", folder.display());
    println!("skipped: there are no recordings at {}", folder.display());
    None
}
