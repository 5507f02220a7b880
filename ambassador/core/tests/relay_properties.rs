//! What holds for a streamed answer however it arrives: the same for any split of its bytes, never a good end for one
//! that was cut, and never half an event to the caller.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test may fail by panicking")]

mod common;

use ambassador_core::provider::{ALL, Api, Provider, by_kind};
use bytes::Bytes;
use common::{Carried, carry, relay, streams};
use proptest::{prelude::*, sample::Index};
use serde_json::Value;

fn whole(provider: &dyn Provider, include_usage: bool, bytes: &[u8]) -> Carried {
    carry(relay(provider, include_usage), [bytes])
}

/// The bytes in pieces, cut at these places.
fn pieces<'b>(bytes: &'b [u8], cuts: &[Index]) -> Vec<&'b [u8]> {
    let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    at.extend([0, bytes.len()]);
    at.sort_unstable();
    at.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect()
}

/// The `data` of an event stream, read by simpler means than those that are tested.
fn data(bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes);
    let lines = text.split(['\n', '\r']).filter_map(|line| line.strip_prefix("data:"));
    lines.map(|data| data.trim().to_owned()).collect()
}

/// Whether these bytes say that the answer is over: by a reason, or by the word that ends a stream.
fn says_it_is_over(bytes: &[u8]) -> bool {
    data(bytes).iter().any(|data| {
        let json: Value = serde_json::from_str(data).unwrap_or_default();
        let reason = |pointer: &str| json.pointer(pointer).is_some_and(|reason| !reason.is_null());
        data == "[DONE]" || reason("/choices/0/finish_reason") || reason("/delta/stop_reason")
    })
}

/// Every event is whole: it has its blank line, and its data is JSON or the word that ends a stream.
fn is_made_of_whole_events(out: &[u8]) -> bool {
    let closed = out.is_empty() || out.ends_with(b"\n\n") || out.ends_with(b"\n\r\n") || out.ends_with(b"\r\r");
    let is_whole = |data: &String| data == "[DONE]" || serde_json::from_str::<Value>(data).is_ok();
    closed && std::str::from_utf8(out).is_ok() && data(out).iter().all(is_whole)
}

#[test]
fn a_stream_may_arrive_in_two_pieces_or_byte_by_byte() {
    for provider in ALL {
        for (name, body) in streams(provider) {
            for include_usage in [true, false] {
                let at_once = whole(provider, include_usage, &body);
                let bytewise = carry(relay(provider, include_usage), body.chunks(1));
                assert_eq!(bytewise, at_once, "{}: {name}", provider.kind());
            }
            let at_once = whole(provider, true, &body);
            for at in 0..body.len() {
                let (head, tail) = body.split_at(at);
                assert_eq!(carry(relay(provider, true), [head, tail]), at_once, "{}: {name}: {at}", provider.kind());
            }
        }
    }
}

#[test]
fn a_stream_that_is_cut_anywhere_never_ends_well_unless_it_was_over() {
    for provider in ALL {
        for (name, body) in streams(provider) {
            let full = whole(provider, true, &body);
            let mut before = None;
            for at in 0..=body.len() {
                let cut = &body[..at];
                let carried = whole(provider, true, cut);
                if before.as_ref() == Some(&carried) {
                    continue;
                }
                let place = format!("{}: {name}: {at}", provider.kind());
                assert!(carried.result.is_err() || says_it_is_over(cut), "{place} ends well");
                assert!(is_made_of_whole_events(&carried.out), "{place}: {:?}", String::from_utf8_lossy(&carried.out));
                let done = data(&carried.out).iter().any(|data| data == "[DONE]");
                assert_eq!(done, carried.result.is_ok(), "{place}: [DONE] is said exactly where it is meant");
                assert_eq!(carried.progress.ended, carried.result.is_ok(), "{place}");
                let said: Vec<String> = data(&carried.out).into_iter().filter(|data| data != "[DONE]").collect();
                assert!(data(&full.out).starts_with(&said), "{place}: {said:?}");
                before = Some(carried);
            }
        }
    }
}

#[test]
fn who_does_not_ask_for_the_usage_gets_no_chunk_for_it_and_all_else() {
    for provider in ALL {
        for (name, body) in streams(provider) {
            let chunks = |include_usage| -> Vec<Value> {
                let out = whole(provider, include_usage, &body).out;
                let chunks = data(&out).into_iter().filter_map(|data| serde_json::from_str::<Value>(&data).ok());
                chunks
                    .map(|mut chunk| {
                        if chunk["usage"].is_null() {
                            chunk.as_object_mut().unwrap().remove("usage");
                        }
                        chunk
                    })
                    .collect()
            };
            let is_usage = |chunk: &Value| chunk["choices"] == Value::Array(Vec::new()) && chunk["usage"].is_object();
            let (asked, unasked) = (chunks(true), chunks(false));
            assert!(!unasked.iter().any(is_usage), "{}: {name}", provider.kind());
            let rest: Vec<Value> = asked.into_iter().filter(|chunk| !is_usage(chunk)).collect();
            assert_eq!(unasked, rest, "{}: {name}", provider.kind());
            assert_eq!(whole(provider, true, &body).progress.usage, whole(provider, false, &body).progress.usage);
        }
    }
}

/// Events of a provider in disorder: whatever a server might send, and what none should.
fn events(provider: &'static dyn Provider) -> impl Strategy<Value = Vec<u8>> {
    let mut pool: Vec<String> = streams(provider).iter().flat_map(|(_, body)| data(body)).collect();
    pool.sort();
    pool.dedup();
    pool.extend(["{}", "null", "[]", "7", "", "[DONE]", "{\"choices\":null}", "é"].map(str::to_owned));
    let event = (
        proptest::sample::select(pool),
        proptest::sample::select(vec!["data: ", "data:", "event: x\ndata: ", ": c\ndata: ", "id: 1\ndata:  "]),
        proptest::sample::select(vec!["\n\n", "\r\n\r\n", "\r\r", "\n\r\n", "\n\n\n", "\n\n: ping\n\n", "\n"]),
    );
    proptest::collection::vec(event, 0..12).prop_map(|events| {
        events.into_iter().flat_map(|(data, before, after)| format!("{before}{data}{after}").into_bytes()).collect()
    })
}

fn provider_and_events() -> impl Strategy<Value = (&'static dyn Provider, Vec<u8>)> {
    proptest::sample::select(ALL.to_vec())
        .prop_flat_map(|provider| events(provider).prop_map(move |bytes| (provider, bytes)))
}

fn fixture() -> impl Strategy<Value = (&'static dyn Provider, Bytes)> {
    let all = ALL.into_iter().flat_map(|provider| streams(provider).into_iter().map(move |(_, body)| (provider, body)));
    proptest::sample::select(all.collect::<Vec<_>>())
}

proptest! {
    #[test]
    fn any_split_of_an_answer_gives_the_same(
        (provider, body) in fixture(),
        include_usage: bool,
        cuts in proptest::collection::vec(any::<Index>(), 0..24),
    ) {
        let split = carry(relay(provider, include_usage), pieces(&body, &cuts));
        prop_assert_eq!(split, whole(provider, include_usage, &body));
    }

    #[test]
    fn any_split_of_anything_gives_the_same(
        (provider, bytes) in provider_and_events(),
        include_usage: bool,
        cuts in proptest::collection::vec(any::<Index>(), 0..24),
    ) {
        let split = carry(relay(provider, include_usage), pieces(&bytes, &cuts));
        let at_once = whole(provider, include_usage, &bytes);
        prop_assert!(at_once.result.is_err() || says_it_is_over(&bytes));
        if let Api::Own(_) = provider.api() {
            prop_assert!(is_made_of_whole_events(&at_once.out));
        }
        prop_assert_eq!(split, at_once);
    }

    #[test]
    fn noise_breaks_nothing(
        kind in proptest::sample::select(vec!["openai", "anthropic", "openai-compatible"]),
        noise in proptest::collection::vec(any::<u8>(), 0..200),
        cuts in proptest::collection::vec(any::<Index>(), 0..8),
    ) {
        let provider = by_kind(kind).unwrap();
        let split = carry(relay(provider, true), pieces(&noise, &cuts));
        prop_assert!(split.result.is_err());
        prop_assert_eq!(split, whole(provider, true, &noise));
    }
}
