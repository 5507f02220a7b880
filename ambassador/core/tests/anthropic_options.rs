//! What is asked for beside the conversation, rule by rule: what the API refuses is not sent, and what is not sent is
//! told.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail by panicking")]

mod common;

use ambassador_core::chat::{Effort, Format, Message, Request, Tool, ToolChoice};
use common::anthropic::{OPUS, SONNET, answer, ask, calls, encode, hello, object, refused, sent, text, tool, user};
use serde_json::{Value, json};

#[test]
fn a_limit_is_always_named() {
    assert_eq!(sent(&hello()).0["max_tokens"], 64_000);
    assert_eq!(sent(&Request { max_tokens: Some(7), ..hello() }).0["max_tokens"], 7);
}

#[test]
fn tools_have_an_object_schema_and_one_name_each() {
    let described =
        Tool { description: Some("d".into()), parameters: Some(object(json!({"properties": {}}))), ..tool("b") };
    let request = Request { tools: vec![tool("a"), described.clone(), tool("a")], ..hello() };
    let (body, dropped) = sent(&request);
    assert_eq!(
        body["tools"],
        json!([
            {"name": "a", "input_schema": {"type": "object", "properties": {}}},
            {"name": "b", "description": "d", "input_schema": {"type": "object", "properties": {}}},
        ])
    );
    assert!(dropped.is_empty());
    let other = Tool { name: "a".into(), ..described };
    assert_eq!(sent(&Request { tools: vec![tool("a"), other], ..hello() }).1, ["tools"]);
    let union = Tool { parameters: Some(object(json!({"anyOf": [{"properties": {"x": {}}}]}))), ..tool("u") };
    let (body, dropped) = sent(&Request { tools: vec![union], ..hello() });
    assert!(body["tools"][0]["input_schema"].get("anyOf").is_none());
    assert_eq!(dropped, ["tools"]);
    let text = Tool { parameters: Some(object(json!({"type": "string"}))), ..tool("t") };
    assert_eq!(refused(&Request { tools: vec![text], ..hello() }), "tools[0].function.parameters");
    assert_eq!(refused(&Request { tools: vec![tool("a.b")], ..hello() }), "tools[0].function.name");
}

#[test]
fn strict_is_kept_where_the_schema_can_be_enforced() {
    let strict = |schema: Value| Tool { parameters: Some(object(schema)), strict: Some(true), ..tool("s") };
    let closed = json!({"type": "object", "properties": {"a": {"type": "null"}}, "required": ["a"], "additionalProperties": false});
    let (body, dropped) = sent(&Request { tools: vec![strict(closed.clone())], ..hello() });
    assert_eq!((&body["tools"][0]["strict"], &body["tools"][0]["input_schema"]), (&json!(true), &closed));
    assert!(dropped.is_empty());
    let bounded = json!({"type": "object", "properties": {"a": {"type": "integer", "minimum": 1}}, "required": ["a"]});
    let (body, dropped) = sent(&Request { tools: vec![strict(bounded)], ..hello() });
    assert_eq!(body["tools"][0]["input_schema"]["properties"]["a"]["description"], "{minimum: 1}");
    assert_eq!((&body["tools"][0]["strict"], dropped), (&json!(true), vec!["tools"]));
    let open = json!({"type": "object", "additionalProperties": {"type": "string"}});
    let (body, dropped) = sent(&Request { tools: vec![strict(open)], ..hello() });
    assert!(body["tools"][0].get("strict").is_none());
    assert_eq!(dropped, ["tools"]);
}

#[test]
fn the_choice_among_tools_is_said_in_the_apis_words() {
    let chosen = |tool_choice: Option<ToolChoice>, parallel_tool_calls| {
        let request = Request { tools: vec![tool("a")], tool_choice, parallel_tool_calls, ..hello() };
        encode(&request, SONNET).map(|(body, _)| body["tool_choice"].clone())
    };
    assert_eq!(chosen(None, None).unwrap(), Value::Null);
    assert_eq!(chosen(None, Some(true)).unwrap(), Value::Null);
    assert_eq!(chosen(None, Some(false)).unwrap(), json!({"type": "auto", "disable_parallel_tool_use": true}));
    assert_eq!(chosen(Some(ToolChoice::Auto), None).unwrap(), json!({"type": "auto"}));
    assert_eq!(chosen(Some(ToolChoice::Required), None).unwrap(), json!({"type": "any"}));
    assert_eq!(chosen(Some(ToolChoice::None), Some(false)).unwrap(), json!({"type": "none"}));
    let named = Some(ToolChoice::Named("a".into()));
    assert_eq!(
        chosen(named, Some(false)).unwrap(),
        json!({"type": "tool", "name": "a", "disable_parallel_tool_use": true})
    );
    assert_eq!(chosen(Some(ToolChoice::Named("b".into())), None).unwrap_err().param, "tool_choice");

    let (body, dropped) =
        sent(&Request { tool_choice: Some(ToolChoice::Auto), parallel_tool_calls: Some(false), ..hello() });
    assert!(body.get("tool_choice").is_none() && dropped.is_empty());
    let (body, dropped) = sent(&Request { tool_choice: Some(ToolChoice::Required), ..hello() });
    assert!(body.get("tool_choice").is_none());
    assert_eq!(dropped, ["tool_choice"]);
}

#[test]
fn calls_in_the_history_bring_their_tools_along() {
    let (body, dropped) = sent(&ask(vec![user("go"), calls(&["a", "b"]), answer("a", "A"), answer("b", "B")]));
    assert_eq!(body["tools"], json!([{"name": "look", "input_schema": {"type": "object"}}]));
    assert_eq!(body["tool_choice"], json!({"type": "none"}));
    assert!(dropped.is_empty());
}

#[test]
fn a_schema_shapes_the_answer_and_what_it_cannot_is_asked_for_in_words() {
    let with = |format| sent(&Request { format, ..hello() });
    let schema = |schema: Value| Format::JsonSchema { name: "n".into(), schema: object(schema), strict: true };
    let (body, dropped) = with(schema(json!({"properties": {"a": {"type": "null"}}})));
    let want =
        json!({"type": "object", "properties": {"a": {"type": "null"}}, "required": [], "additionalProperties": false});
    assert_eq!(body["output_config"], json!({"format": {"type": "json_schema", "schema": want}}));
    assert!(dropped.is_empty() && body.get("system").is_none());
    assert_eq!(with(schema(json!({"properties": {"a": {"type": "number", "maximum": 2}}}))).1, ["response_format"]);

    let (body, dropped) = with(schema(json!({"type": "object", "additionalProperties": {"type": "number"}})));
    assert!(body.get("output_config").is_none());
    assert!(body["system"][0]["text"].as_str().unwrap().contains(r#""additionalProperties":{"type":"number"}"#));
    assert_eq!(dropped, ["response_format"]);
    let (body, dropped) = with(Format::JsonObject);
    assert!(body["system"][0]["text"].as_str().unwrap().contains("JSON object"));
    assert_eq!(dropped, ["response_format"]);
}

#[test]
fn sampling_is_kept_within_what_the_model_takes() {
    let with = |model: &str, temperature: Option<f64>, top_p: Option<f64>| {
        let (body, dropped) = encode(&Request { temperature, top_p, ..hello() }, model).unwrap();
        (body["temperature"].as_f64(), body["top_p"].as_f64(), dropped)
    };
    assert_eq!(with(SONNET, Some(0.5), None), (Some(0.5), None, vec![]));
    assert_eq!(with(SONNET, Some(1.6), None), (Some(1.0), None, vec!["temperature"]));
    assert_eq!(with(SONNET, Some(f64::NAN), None), (None, None, vec!["temperature"]));
    assert_eq!(with(SONNET, Some(0.5), Some(0.9)), (Some(0.5), None, vec!["top_p"]));
    assert_eq!(with(SONNET, Some(1.0), Some(0.9)), (None, Some(0.9), vec![]));
    assert_eq!(with(SONNET, Some(0.5), Some(1.0)), (Some(0.5), None, vec![]));
    assert_eq!(with("claude-3-haiku-20240307", Some(0.5), Some(0.9)), (Some(0.5), Some(0.9), vec![]));
    assert_eq!(with(OPUS, Some(0.5), Some(0.9)), (None, None, vec!["temperature", "top_p"]));
    assert_eq!(with(OPUS, Some(1.0), Some(1.0)), (None, None, vec![]));
}

#[test]
fn top_k_is_the_apis_own_and_passes_where_sampling_does() {
    let request = Request { extra: object(json!({"top_k": 5})), ..hello() };
    assert_eq!(sent(&request).0["top_k"], 5);
    assert_eq!(encode(&request, OPUS).unwrap().1, ["top_k"]);
    assert_eq!(sent(&Request { extra: object(json!({"top_k": -1})), ..hello() }).1, ["top_k"]);
}

#[test]
fn effort_becomes_a_budget_that_leaves_room_for_the_answer() {
    let with = |effort, max_tokens| {
        let (body, dropped) = sent(&Request { effort: Some(effort), max_tokens, ..hello() });
        assert!(body.get("output_config").is_none());
        assert!(body["thinking"].is_null() || body["thinking"]["type"] == "enabled");
        (body["thinking"]["budget_tokens"].as_u64(), dropped)
    };
    assert_eq!(with(Effort::None, None), (None, vec![]));
    assert_eq!(with(Effort::Minimal, None), (None, vec![]));
    assert_eq!(with(Effort::Low, None), (Some(1024), vec![]));
    assert_eq!(with(Effort::Medium, None), (Some(4096), vec![]));
    assert_eq!(with(Effort::High, None), (Some(16_384), vec![]));
    assert_eq!(with(Effort::High, Some(8_000)), (Some(4_000), vec![]));
    assert_eq!(with(Effort::High, Some(1_025)), (Some(1_024), vec![]));
    assert_eq!(with(Effort::High, Some(1_024)), (None, vec!["reasoning_effort"]));
}

#[test]
fn effort_is_said_as_it_is_to_models_that_think_as_they_see_fit() {
    let request = Request { effort: Some(Effort::XHigh), max_tokens: Some(50), ..hello() };
    let (body, dropped) = encode(&request, OPUS).unwrap();
    assert_eq!(body["thinking"], json!({"type": "adaptive", "display": "summarized"}));
    assert_eq!(body["output_config"], json!({"effort": "xhigh"}));
    assert!(dropped.is_empty());
    // They go on thinking within a round of calls, without what they thought before.
    let round = Request { effort: Some(Effort::Low), ..ask(vec![user("go"), calls(&["a"]), answer("a", "A")]) };
    assert_eq!(encode(&round, OPUS).unwrap().0["thinking"]["type"], "adaptive");
}

#[test]
fn there_is_no_thinking_where_the_api_refuses_it() {
    let think = |request: Request| Request { effort: Some(Effort::High), temperature: Some(0.2), ..request };
    let (body, dropped) = sent(&think(hello()));
    assert!(body.get("temperature").is_none() && body.get("thinking").is_some());
    assert_eq!(dropped, ["temperature"]);

    let forced = Request { tools: vec![tool("a")], tool_choice: Some(ToolChoice::Required), ..hello() };
    let round = ask(vec![user("go"), calls(&["a"]), answer("a", "A")]);
    let prefill = ask(vec![user("go"), Message::Assistant { content: text("Well"), calls: Vec::new() }]);
    for request in [forced, round, prefill] {
        let (body, dropped) = sent(&think(request));
        assert!(body.get("thinking").is_none() && body["temperature"] == 0.2);
        assert_eq!(dropped, ["reasoning_effort"]);
    }
    let forced = Request { tools: vec![tool("a")], tool_choice: Some(ToolChoice::Named("a".into())), ..hello() };
    let (body, dropped) = encode(&Request { effort: Some(Effort::High), ..forced }, OPUS).unwrap();
    assert_eq!((body.get("thinking"), &body["output_config"]["effort"]), (None, &json!("high")));
    assert_eq!(dropped, ["reasoning_effort"]);
}

#[test]
fn the_rest_is_translated_refused_or_told() {
    let (body, dropped) = sent(&Request { stop: vec!["END".into(), "\n".into()], stream: true, ..hello() });
    assert_eq!((&body["stop_sequences"], &body["stream"]), (&json!(["END"]), &json!(true)));
    assert_eq!(dropped, ["stop"]);
    assert!(sent(&hello()).0.get("stream").is_none());
    assert_eq!(refused(&Request { n: 2, ..hello() }), "n");
    let extra = object(json!({"seed": 1, "presence_penalty": 0, "store": true, "unheard_of": 1}));
    assert_eq!(sent(&Request { extra, ..hello() }).1, ["seed", "other"]);
}

#[test]
fn an_opaque_user_is_named_and_a_person_is_not() {
    let with = |user: &str| {
        let (body, dropped) = sent(&Request { user: Some(user.to_owned()), ..hello() });
        (body["metadata"]["user_id"].as_str().map(str::to_owned), dropped)
    };
    assert_eq!(with("u-1"), (Some("u-1".into()), vec![]));
    for person in ["ann@example.com", "+1 (555) 010-9999", ""] {
        assert_eq!(with(person), (None, vec!["user"]), "{person}");
    }
    assert_eq!(with(&"x".repeat(257)), (None, vec!["user"]));
    let extra = object(json!({"safety_identifier": "hash"}));
    assert_eq!(sent(&Request { extra, ..hello() }).0["metadata"], json!({"user_id": "hash"}));
}

/// With a search for each among all before it, this takes so long that the runner gives up.
#[test]
fn thousands_of_tools_are_told_apart_without_a_search() {
    const MANY: usize = 200_000;
    let tools = (0..MANY).chain(0..MANY).map(|n| tool(&format!("tool-{n}"))).collect();
    let (body, dropped) = sent(&Request { tools, ..hello() });
    assert_eq!(body["tools"].as_array().unwrap().len(), MANY);
    assert!(dropped.is_empty());
}
