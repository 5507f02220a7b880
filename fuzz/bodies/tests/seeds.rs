//! The seeds of the fuzzer, its findings among them, asked the same as it asks.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test may fail by panicking, and say what it looks at"
)]

use std::{fs, path::PathBuf};

fn replay(target: &str, body: fn(&[u8])) {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../seeds").join(target);
    let mut seeds: Vec<PathBuf> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    seeds.sort();
    assert!(seeds.len() >= 10, "hardly any seeds in {}", folder.display());
    for seed in seeds {
        // The test's output ends with the one that failed.
        eprintln!("{}", seed.display());
        body(&fs::read(&seed).unwrap());
    }
}

#[test]
fn sse_decode() {
    replay("sse_decode", fuzz_bodies::sse_decode);
}

#[test]
fn provider_roundtrip() {
    replay("provider_roundtrip", fuzz_bodies::provider_roundtrip);
}

#[test]
fn configuration() {
    replay("configuration", fuzz_bodies::configuration);
}
