//! Answers of Anthropic, rule by rule: whole and streamed.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test may fail by panicking, and say what it skips"
)]

use ambassador_core::{
    chat::{Event, Finish, Usage},
    provider::{Anthropic, NoAnswer, StreamError, Translator},
};
use serde_json::{Value, json};

fn decode(body: &Value) -> Result<ambassador_core::chat::Response, NoAnswer> {
    Anthropic.decode(body.to_string().as_bytes())
}

fn message(content: Value, stop_reason: &str) -> Value {
    json!({
        "type": "message", "role": "assistant", "id": "msg_1", "model": "claude-x", "content": content,
        "stop_reason": stop_reason, "usage": {"input_tokens": 1, "output_tokens": 2},
    })
}

/// Events as they come from the decoder, and how it ends.
fn stream(events: &[Value]) -> (Vec<Event>, Result<(), StreamError>) {
    let mut decoder = Anthropic.events();
    let mut out = Vec::new();
    for event in events {
        // The API pads its lines.
        if let Err(error) = decoder.event(format!("{event}    ").as_bytes(), &mut out) {
            return (out, Err(error));
        }
    }
    (out, Ok(()))
}

fn start() -> Value {
    json!({"type": "message_start", "message": {"id": "msg_1", "model": "claude-x", "usage": {"input_tokens": 5, "cache_read_input_tokens": 3, "output_tokens": 1}}})
}

fn block(index: u64, block: Value) -> Value {
    json!({"type": "content_block_start", "index": index, "content_block": block})
}

fn call(index: u64, id: &str) -> Value {
    block(index, json!({"type": "tool_use", "id": id, "name": "look", "input": {}}))
}

fn delta(index: u64, delta: Value) -> Value {
    json!({"type": "content_block_delta", "index": index, "delta": delta})
}

fn json_delta(index: u64, piece: &str) -> Value {
    delta(index, json!({"type": "input_json_delta", "partial_json": piece}))
}

fn stop(index: u64) -> Value {
    json!({"type": "content_block_stop", "index": index})
}

fn ending(stop_reason: &str) -> Value {
    json!({"type": "message_delta", "delta": {"stop_reason": stop_reason}, "usage": {"output_tokens": 9}})
}

fn end() -> Value {
    json!({"type": "message_stop"})
}

/// The events between the first two, which every stream has, and the last three, which every whole stream has.
fn inside(events: &[Value], stop_reason: &str) -> Vec<Event> {
    let events = [&[start()], events, &[ending(stop_reason), end()]].concat();
    let (out, result) = stream(&events);
    result.unwrap();
    assert!(matches!(out[..2], [Event::Start { .. }, Event::Usage(_)]), "{out:?}");
    let [inside @ .., Event::Finish(_), Event::Usage(_), Event::End] = &out[2..] else { panic!("{out:?}") };
    inside.to_vec()
}

fn malformed(events: &[Value]) -> String {
    match stream(events).1 {
        Err(StreamError::Malformed(reason)) => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn blocks_are_sorted_by_what_they_are_to_the_caller() {
    let content = json!([
        {"type": "thinking", "thinking": "hm", "signature": "s"},
        {"type": "redacted_thinking", "data": "x"},
        {"type": "text", "text": "one ", "citations": null},
        {"type": "server_tool_use", "id": "srv", "name": "web_search", "input": {"query": "q"}},
        {"type": "web_search_tool_result", "tool_use_id": "srv", "content": []},
        {"type": "yet_unknown", "text": {"not": "text"}},
        {"type": "text", "text": "two"},
        {"type": "tool_use", "id": "a", "name": "look", "input": {}},
        {"type": "tool_use", "id": "b", "name": "look", "input": {"at": [1, 2]}},
    ]);
    let response = decode(&message(content, "tool_use")).unwrap();
    assert_eq!((response.id.as_str(), response.model.as_str()), ("msg_1", "claude-x"));
    assert_eq!((response.text.as_str(), response.reasoning.as_str()), ("one two", "hm"));
    let calls: Vec<_> = response.calls.iter().map(|call| (call.id.as_str(), call.arguments.as_str())).collect();
    assert_eq!(calls, [("a", "{}"), ("b", r#"{"at":[1,2]}"#)]);
    assert_eq!(response.finish, Finish::ToolCalls);
}

#[test]
fn arguments_keep_the_models_order() {
    let body = r#"{"type":"message","id":"m","model":"c","stop_reason":"tool_use","usage":{},
        "content":[{"type":"tool_use","id":"a","name":"n","input":{ "z" : 1 , "a" : " x " }}]}"#;
    let response = Anthropic.decode(body.as_bytes()).unwrap();
    assert_eq!(response.calls[0].arguments, r#"{"z":1,"a":" x "}"#);
}

#[test]
fn every_stop_reason_has_its_meaning() {
    let finish = |reason: &str| decode(&message(json!([]), reason)).unwrap().finish;
    for reason in ["end_turn", "stop_sequence", "pause_turn", "yet_unknown"] {
        assert_eq!(finish(reason), Finish::Stop, "{reason}");
    }
    assert_eq!(finish("max_tokens"), Finish::Length);
    assert_eq!(finish("model_context_window_exceeded"), Finish::Length);
    assert_eq!(finish("tool_use"), Finish::ToolCalls);
    assert_eq!(finish("refusal"), Finish::ContentFilter);
    let call = json!([{"type": "tool_use", "id": "a", "name": "n", "input": {}}]);
    assert_eq!(decode(&message(call.clone(), "yet_unknown")).unwrap().finish, Finish::ToolCalls);
    assert_eq!(decode(&message(call, "max_tokens")).unwrap().finish, Finish::Length);
}

#[test]
fn a_refusal_says_why_where_it_does() {
    let mut body = message(json!([]), "refusal");
    assert_eq!(decode(&body).unwrap().refusal, None);
    body["stop_details"] = json!({"type": "refusal", "category": "bio", "explanation": "No."});
    assert_eq!(decode(&body).unwrap().refusal.as_deref(), Some("No."));
    body["stop_details"] = json!([1]);
    assert_eq!(decode(&body).unwrap().refusal, None);
}

#[test]
fn input_counts_what_the_cache_gave_and_took() {
    let mut body = message(json!([]), "end_turn");
    body["usage"] = json!({
        "input_tokens": 1, "cache_read_input_tokens": 10, "cache_creation_input_tokens": 100, "output_tokens": 7,
        "output_tokens_details": {"thinking_tokens": 4},
    });
    let want = Usage { input: 111, cached: 10, cache_written: 100, output: 7, reasoning: 4 };
    assert_eq!(decode(&body).unwrap().usage, want);
    body["usage"] = json!({"input_tokens": 1, "cache_read_input_tokens": null, "output_tokens": 7});
    assert_eq!(decode(&body).unwrap().usage, Usage { input: 1, output: 7, ..Usage::default() });
}

#[test]
fn what_is_no_answer_is_malformed_and_quotes_nothing() {
    let whole = message(json!([]), "end_turn");
    for field in ["type", "id", "model", "content", "stop_reason", "usage"] {
        let mut body = whole.clone();
        body.as_object_mut().unwrap().remove(field);
        assert!(decode(&body).is_err(), "{field}");
    }
    let error = json!({"type": "error", "error": {"type": "overloaded_error", "message": "CANARY"}});
    let told = decode(&error).unwrap_err().to_string();
    assert!(told.contains("overloaded_error") && !told.contains("CANARY"), "{told}");
    for content in [
        json!("CANARY"),
        json!([{"type": "tool_use", "id": "a", "name": "n", "input": "CANARY"}]),
        json!([{"type": "text"}]),
    ] {
        let told = decode(&message(content, "end_turn")).unwrap_err().to_string();
        assert!(!told.contains("CANARY"), "{told}");
    }
}

#[test]
fn a_stream_tells_its_story_in_order() {
    let events = [
        start(),
        json!({"type": "ping"}),
        block(0, json!({"type": "text", "text": ""})),
        json!({"type": "ping"}),
        delta(0, json!({"type": "text_delta", "text": "h\u{e9}"})),
        delta(0, json!({"type": "text_delta", "text": ""})),
        stop(0),
        ending("end_turn"),
        end(),
        json!({"type": "ping"}),
    ];
    let (out, result) = stream(&events);
    result.unwrap();
    let usage = |output| Event::Usage(Usage { input: 8, cached: 3, output, ..Usage::default() });
    let want = [
        Event::Start { id: "msg_1".into(), model: "claude-x".into() },
        usage(1),
        Event::Text("h\u{e9}".into()),
        Event::Finish(Finish::Stop),
        usage(9),
        Event::End,
    ];
    assert_eq!(out, want);
}

#[test]
fn calls_are_counted_without_the_blocks_between() {
    let events = [
        block(0, json!({"type": "thinking", "thinking": "", "signature": ""})),
        delta(0, json!({"type": "thinking_delta", "thinking": "hm"})),
        delta(0, json!({"type": "signature_delta", "signature": "s"})),
        stop(0),
        call(1, "a"),
        json_delta(1, ""),
        json_delta(1, "{\"at\""),
        json_delta(1, ": 1}"),
        stop(1),
        block(2, json!({"type": "server_tool_use", "id": "srv", "name": "web_search", "input": {}})),
        json_delta(2, "{\"query\""),
        stop(2),
        block(3, json!({"type": "yet_unknown", "text": {"not": "text"}})),
        delta(3, json!({"type": "yet_unknown_delta", "text": 5})),
        delta(3, json!({"type": "text_delta", "text": "not for you"})),
        stop(3),
        call(4, "b"),
        json_delta(4, ""),
        stop(4),
        json!({"type": "yet_unknown", "index": "x", "delta": 1, "message": 2}),
    ];
    let fragment = |index, fragment: &str| Event::CallArguments { index, fragment: fragment.to_owned() };
    let want = [
        Event::Reasoning("hm".into()),
        Event::CallStart { index: 0, id: "a".into(), name: "look".into() },
        fragment(0, "{\"at\""),
        fragment(0, ": 1}"),
        Event::CallStart { index: 1, id: "b".into(), name: "look".into() },
        fragment(1, "{}"),
    ];
    assert_eq!(inside(&events, "tool_use"), want);
}

#[test]
fn a_call_that_came_whole_at_once_is_not_lost() {
    let whole = block(0, json!({"type": "tool_use", "id": "a", "name": "look", "input": {"at": 1}}));
    let out = inside(&[whole, stop(0)], "tool_use");
    assert_eq!(out[1], Event::CallArguments { index: 0, fragment: r#"{"at":1}"#.into() });
}

#[test]
fn interleaved_blocks_keep_their_pieces_apart() {
    let events = [
        call(0, "a"),
        call(1, "b"),
        json_delta(1, "{\"b\":"),
        json_delta(0, "{}"),
        json_delta(1, "2}"),
        stop(0),
        stop(1),
    ];
    let mut arguments = [String::new(), String::new()];
    for event in inside(&events, "tool_use") {
        if let Event::CallArguments { index, fragment } = event {
            arguments[index].push_str(&fragment);
        }
    }
    assert_eq!(arguments, ["{}", "{\"b\":2}"]);
}

#[test]
fn the_beginning_and_the_end_come_once() {
    let events = [start(), start(), ending("end_turn"), ending("max_tokens"), end(), end(), start()];
    let (out, result) = stream(&events);
    result.unwrap();
    let count = |wanted: fn(&Event) -> bool| out.iter().filter(|event| wanted(event)).count();
    assert_eq!(count(|event| matches!(event, Event::Start { .. })), 1);
    assert_eq!(count(|event| matches!(event, Event::Finish(Finish::Stop))), 1);
    assert_eq!(count(|event| matches!(event, Event::Finish(_))), 1);
    assert_eq!(count(|event| matches!(event, Event::End)), 1);
}

#[test]
fn totals_replace_each_other_one_by_one() {
    let mut first = ending("end_turn");
    first["delta"] = json!({});
    first["usage"] = json!({"input_tokens": 20, "output_tokens": 2, "output_tokens_details": {"thinking_tokens": 1}});
    let (out, _) = stream(&[start(), first, ending("end_turn")]);
    let totals: Vec<_> =
        out.iter().filter_map(|event| if let Event::Usage(usage) = event { Some(usage) } else { None }).collect();
    assert_eq!(*totals[1], Usage { input: 23, cached: 3, output: 2, reasoning: 1, ..Usage::default() });
    assert_eq!(*totals[2], Usage { input: 23, cached: 3, output: 9, reasoning: 1, ..Usage::default() });
}

#[test]
fn an_error_in_the_stream_is_the_providers_own() {
    let error =
        json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}, "request_id": "req_1"});
    let (out, result) = stream(&[start(), error]);
    assert_eq!(out.len(), 2);
    let Err(StreamError::Provider(refusal)) = result else { panic!("{result:?}") };
    assert_eq!((refusal.kind.as_deref(), refusal.message.as_str()), (Some("overloaded_error"), "Overloaded"));
}

#[test]
fn a_cut_call_is_no_end() {
    let cut = [start(), call(0, "a"), json_delta(0, "{\"city\": \"Par")];
    let open = [&cut[..], &[ending("tool_use"), end()]].concat();
    assert_eq!(malformed(&open), "a call whose arguments are cut");
    let closed = [&cut[..], &[stop(0), ending("tool_use"), end()]].concat();
    assert_eq!(malformed(&closed), "a call whose arguments are cut");
    // A caller who is told to make a call makes it, so the cut must show before that.
    assert!(stream(&closed).0.iter().all(|event| !matches!(event, Event::Finish(_))));
    assert_eq!(malformed(&[start(), call(0, "a"), ending("tool_use"), end()]), "a call whose arguments are cut");
    // The token limit cuts as well, and says so.
    let limit = [&cut[..], &[stop(0), ending("max_tokens"), end()]].concat();
    let (out, result) = stream(&limit);
    assert!(result.is_ok() && out.contains(&Event::Finish(Finish::Length)) && out.last() == Some(&Event::End));
    // A call that is whole but was never closed lacks nothing.
    assert!(stream(&[start(), call(0, "a"), json_delta(0, "{}"), ending("tool_use"), end()]).1.is_ok());
}

#[test]
fn events_that_make_no_sense_are_malformed() {
    let text = || block(0, json!({"type": "text", "text": ""}));
    malformed(&[text()]);
    malformed(&[ending("end_turn")]);
    malformed(&[start(), end()]);
    malformed(&[start(), text(), text()]);
    malformed(&[start(), stop(0)]);
    malformed(&[start(), delta(0, json!({"type": "text_delta", "text": "x"}))]);
    malformed(&[start(), text(), delta(0, json!({"type": "text_delta"}))]);
    malformed(&[start(), ending("end_turn"), text()]);
    malformed(&[json!({"no": "type"})]);
    let told = malformed(&[start(), text(), delta(0, json!({"type": "text_delta", "text": ["CANARY"]}))]);
    assert!(!told.contains("CANARY"), "{told}");
    let mut decoder = Anthropic.events();
    for data in ["", "[DONE]", "{\"type\":\"message_sto", "{}"] {
        assert!(matches!(decoder.event(data.as_bytes(), &mut Vec::new()), Err(StreamError::Malformed(_))), "{data}");
    }
}
