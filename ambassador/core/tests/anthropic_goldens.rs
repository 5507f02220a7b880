//! What goes to Anthropic for requests of every kind, and what its answers become, held against committed snapshots.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test may fail by panicking, and say what it skips"
)]

use std::{fs, path::PathBuf};

use ambassador_core::{
    chat::{Effort, Event, Format, Message, Part, Request, Tool, ToolCall, ToolChoice},
    provider::{Anthropic, Translator},
};
use serde_json::{Map, Value, json};

/// Name, model and request.
type Case = (&'static str, &'static str, Request);

fn text(text: &str) -> Vec<Part> {
    vec![Part::Text(text.to_owned())]
}

fn object(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

fn call(id: &str, name: &str, arguments: &str) -> ToolCall {
    ToolCall { id: id.to_owned(), name: name.to_owned(), arguments: arguments.to_owned() }
}

fn weather() -> Tool {
    let city = json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"], "additionalProperties": false});
    Tool {
        name: "weather".into(),
        description: Some("The weather in a city.".into()),
        parameters: Some(object(city)),
        strict: Some(true),
    }
}

fn conversation() -> Request {
    let messages = vec![
        Message::System(text("Be brief.")),
        Message::User(text("Hello.")),
        Message::Assistant { content: text("Hi."), calls: Vec::new() },
        Message::System(text("Speak French.")),
        Message::User(text("And now?")),
    ];
    Request { messages, n: 1, ..Request::default() }
}

fn round_of_calls() -> Request {
    let calls = vec![call("call_1|fc.9", "weather", r#"{"unit":"C","city":"Paris"}"#), call("call_2", "time", "")];
    let shot = Part::Image { media_type: "image/jpeg".into(), data: "iVBORw0KGgo=".into() };
    let messages = vec![
        Message::User(text("Weather and time in Paris?")),
        Message::Assistant { content: text("Let me look."), calls },
        Message::Tool { call_id: "call_2".into(), content: text("12:00") },
        Message::Tool { call_id: "call_1|fc.9".into(), content: vec![Part::Text("18 C".into()), shot] },
    ];
    Request { messages, ..conversation() }
}

fn requests() -> Vec<Case> {
    let seen = vec![
        Part::Text("What is this?".into()),
        Part::Image { media_type: "image/png".into(), data: "iVBORw0KGgo=".into() },
        Part::ImageUrl("https://example.com/cat.webp".into()),
    ];
    let everything = Request {
        temperature: Some(1.5),
        top_p: Some(0.9),
        stop: vec!["END".into(), " ".into()],
        max_tokens: Some(300),
        user: Some("u-17".into()),
        stream: true,
        extra: object(json!({"seed": 7, "top_k": 40, "store": true, "frequency_penalty": 0.5})),
        ..conversation()
    };
    let ticket = json!({
        "type": "object",
        "properties": {
            "title": {"type": "string", "maxLength": 80, "description": "Short."},
            "priority": {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "null"}]},
            "tags": {"type": "array", "items": {"$ref": "#/$defs/Tag"}},
        },
        "required": ["title", "priority", "tags"],
        "$defs": {"Tag": {"type": "string", "enum": ["bug", "idea"]}},
    });
    let shape = |schema| Format::JsonSchema { name: "ticket".into(), schema: object(schema), strict: true };
    let variants = json!({"oneOf": [
        {"type": "object", "properties": {"by": {"const": "id"}, "id": {"type": "integer"}}, "required": ["by", "id"]},
        {"type": "object", "properties": {"by": {"const": "name"}, "name": {"type": "string"}}, "required": ["by", "name"]},
    ]});
    let find = Tool { name: "find".into(), description: None, parameters: Some(object(variants)), strict: None };
    let clock = Tool { name: "time".into(), description: None, parameters: None, strict: None };
    let tools = vec![weather(), find, clock];
    let named = Some(ToolChoice::Named("weather".into()));
    vec![
        ("conversation", "claude-sonnet-4-5", conversation()),
        ("images", "claude-sonnet-4-5", Request { messages: vec![Message::User(seen)], ..conversation() }),
        ("everything", "claude-sonnet-4-5", everything.clone()),
        ("everything_to_a_new_model", "claude-opus-4-8", everything),
        (
            "tools",
            "claude-sonnet-4-5",
            Request { tools: tools.clone(), tool_choice: named, parallel_tool_calls: Some(false), ..conversation() },
        ),
        ("round_of_calls", "claude-sonnet-4-5", Request { tools, ..round_of_calls() }),
        (
            "round_of_calls_without_tools",
            "claude-sonnet-4-5",
            Request { effort: Some(Effort::High), ..round_of_calls() },
        ),
        ("json_schema", "claude-sonnet-4-5", Request { format: shape(ticket), ..conversation() }),
        (
            "json_schema_in_words",
            "claude-sonnet-4-5",
            Request { format: shape(json!({"type": "object"})), ..conversation() },
        ),
        ("json_object", "claude-sonnet-4-5", Request { format: Format::JsonObject, ..conversation() }),
        ("thinking", "claude-sonnet-4-5", Request { effort: Some(Effort::Medium), ..conversation() }),
        ("thinking_of_a_new_model", "claude-opus-4-8", Request { effort: Some(Effort::Medium), ..round_of_calls() }),
    ]
}

#[test]
fn requests_become_messages() {
    for (name, model, request) in requests() {
        let encoded = Anthropic.encode(&request, model).unwrap();
        let body: Value = serde_json::from_slice(&encoded.body).unwrap();
        // Sorted, because the order of keys is a matter of the JSON library's features.
        insta::with_settings!({ sort_maps => true, prepend_module_to_snapshot => false }, {
            insta::assert_json_snapshot!(format!("anthropic_request__{name}"), json!({ "body": body, "dropped": encoded.dropped }));
        });
    }
}

/// Files of a folder of fixtures, by name.
fn fixtures(folder: &str) -> Vec<(String, String)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/anthropic").join(folder);
    let mut files: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), fs::read_to_string(&path).unwrap()))
        .collect();
    files.sort();
    assert!(!files.is_empty(), "no fixtures in {}", folder.display());
    files
}

#[test]
fn answers_become_canonical() {
    for (name, body) in fixtures("answers") {
        let response = Anthropic.decode(body.as_bytes()).unwrap();
        insta::with_settings!({ prepend_module_to_snapshot => false }, {
            let calls: Vec<_> = response.calls.iter().map(|call| json!([call.id, call.name, call.arguments])).collect();
            let told = json!({
                "id": response.id, "model": response.model, "text": response.text, "reasoning": response.reasoning,
                "refusal": response.refusal, "calls": calls, "finish": format!("{:?}", response.finish),
                "usage": format!("{:?}", response.usage),
            });
            insta::assert_json_snapshot!(format!("anthropic_answer__{name}"), told);
        });
    }
}

/// An event with all that it says, which its `Debug` leaves out.
fn whole(event: &Event) -> String {
    match event {
        Event::Start { id, model } => format!("Start {{ id: {id:?}, model: {model:?} }}"),
        Event::Text(text) => format!("Text({text:?})"),
        Event::Refusal(text) => format!("Refusal({text:?})"),
        Event::Reasoning(text) => format!("Reasoning({text:?})"),
        Event::CallStart { index, id, name } => {
            format!("CallStart {{ index: {index}, id: {id:?}, name: {name:?} }}")
        }
        Event::CallArguments { index, fragment } => {
            format!("CallArguments {{ index: {index}, fragment: {fragment:?} }}")
        }
        Event::Finish(finish) => format!("Finish({finish:?})"),
        Event::Usage(usage) => format!("Usage({usage:?})"),
        Event::End => "End".to_owned(),
    }
}

#[test]
fn streams_become_canonical() {
    for (name, body) in fixtures("streams") {
        let mut decoder = Anthropic.events();
        let mut events = Vec::new();
        let mut data = body.lines().filter_map(|line| line.strip_prefix("data: "));
        let result = data.try_for_each(|data| decoder.event(data.as_bytes(), &mut events));
        let lines: String = events.iter().map(|event| format!("{}\n", whole(event))).collect();
        insta::with_settings!({ prepend_module_to_snapshot => false }, {
            insta::assert_snapshot!(format!("anthropic_stream__{name}"), format!("{lines}{result:?}"));
        });
    }
}
