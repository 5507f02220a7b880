//! Instructions of what every request and every chunk pays for, counted under Valgrind and held to `budget.txt`. A count
//! does not depend on the machine's mood, as a time would.

#![allow(missing_docs, unused_qualifications, reason = "the macros write public items, and paths in full")]
#![allow(clippy::disallowed_methods, reason = "the main that they write ends the process")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a benchmark may fail by panicking")]

use std::hint::black_box;

use ambassador_core::{
    dialect::openai::{Ask, chat},
    exchange::{self, Answer, Prepared},
    provider::{Anthropic, Encoded, OPENAI, Operation, Translator},
    relay::{Passthrough, Relay},
};
use bytes::Bytes;
use gungraun::{Callgrind, EventKind, LibraryBenchmarkConfig, library_benchmark, library_benchmark_group, main};

const REQUEST: &str = include_str!("request.json");
const ANSWER: &str = include_str!("answer.json");
const BUDGET: &str = include_str!("budget.txt");

/// What a chunk of OpenAI's looks like.
const CHUNK: &str = "data: {\"id\":\"chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeG\",\"object\":\"chat.completion.chunk\",\
    \"created\":1741570283,\"model\":\"gpt-4o-2024-08-06\",\"service_tier\":\"default\",\"system_fingerprint\":\
    \"fp_fc9f1d7035\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\" first\"},\"logprobs\":null,\
    \"finish_reason\":null}],\"usage\":null,\"obfuscation\":\"x3Kd9\"}\n\n";

/// A tenth more than the count in the budget.
fn within_budget(benchmark: &str) -> LibraryBenchmarkConfig {
    let count = BUDGET.lines().find_map(|line| line.strip_prefix(benchmark)?.trim().parse::<u64>().ok());
    let count = count.unwrap_or_else(|| panic!("budget.txt has no count for {benchmark}"));
    let mut callgrind = Callgrind::default();
    callgrind.hard_limits([(EventKind::Ir, count + count / 10)]);
    let mut config = LibraryBenchmarkConfig::default();
    config.tool(callgrind);
    config
}

/// A stream that has begun, and a place for what comes of it.
fn begun() -> (Passthrough, Vec<u8>) {
    let mut relay = Passthrough::new(1, true);
    let mut out = Vec::with_capacity(64 * 1024);
    relay.push(CHUNK.as_bytes(), &mut out).unwrap();
    (relay, out)
}

fn body() -> Bytes {
    Bytes::from_static(REQUEST.as_bytes())
}

fn answer() -> Bytes {
    Bytes::from_static(ANSWER.as_bytes())
}

/// Lives as long as the process, as the borrowing request wants it.
fn ask() -> Ask<'static> {
    Ask::parse(Operation::Chat, Box::leak(Box::new(body()))).unwrap()
}

#[library_benchmark(config = within_budget("relay_chunk"))]
#[bench::one(setup = begun)]
fn relay_chunk((mut relay, mut out): (Passthrough, Vec<u8>)) -> (Passthrough, Vec<u8>) {
    relay.push(black_box(CHUNK.as_bytes()), &mut out).unwrap();
    (relay, out)
}

#[library_benchmark(config = within_budget("parse_ask"))]
#[bench::one(setup = body)]
fn parse_ask(body: Bytes) -> Bytes {
    black_box(Ask::parse(Operation::Chat, black_box(&body))).unwrap();
    body
}

#[library_benchmark(config = within_budget("adapt_for_openai"))]
#[bench::one(setup = ask)]
fn adapt_for_openai(ask: Ask<'static>) -> (Ask<'static>, Prepared) {
    let prepared = exchange::prepare(&OPENAI, black_box(&ask), "gpt-4o-mini", true).unwrap();
    (ask, prepared)
}

#[library_benchmark(config = within_budget("encode_for_anthropic"))]
#[bench::one(setup = ask)]
fn encode_for_anthropic(ask: Ask<'static>) -> Encoded {
    Anthropic.encode(&chat(black_box(&ask.envelope)).unwrap(), "claude-sonnet-4-5").unwrap()
}

#[library_benchmark(config = within_budget("decode_usage"))]
#[bench::one(setup = answer)]
fn decode_usage(body: Bytes) -> Answer {
    exchange::answer(&OPENAI, Operation::Chat, black_box(body), 0).unwrap()
}

library_benchmark_group!(
    name = hot_path,
    benchmarks = [relay_chunk, parse_ask, adapt_for_openai, encode_for_anthropic, decode_usage]
);

main!(library_benchmark_groups = hot_path);
