//! Requests to Anthropic for any conversation at all: never a panic, and never a body that the API refuses by its form.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test may fail by panicking, and say what it skips"
)]

use ambassador_core::{
    chat::{Effort, Event, Format, Message, Part, Request, Tool, ToolCall, ToolChoice},
    provider::{Anthropic, Provider, Translator},
};
use proptest::{collection::vec, option, prelude::*, sample::select};
use serde_json::{Map, Value, json};

fn words() -> impl Strategy<Value = String> {
    prop_oneof!["[ \t\n\u{1f}]{0,3}", "[a-z .]{1,12}", "\\PC{0,6}"]
}

fn part() -> impl Strategy<Value = Part> {
    prop_oneof![
        8 => words().prop_map(Part::Text),
        1 => words().prop_map(Part::Refusal),
        1 => Just(Part::ImageUrl("https://example.com/i.png".into())),
        1 => Just(Part::Image { media_type: "image/png".into(), data: "iVBORw0KGgo=".into() }),
    ]
}

fn id() -> impl Strategy<Value = String> {
    prop_oneof!["[ab]", "call[.|]{1,2}[ab]", "\\PC{0,200}"]
}

fn arguments() -> impl Strategy<Value = String> {
    prop_oneof![Just("{}".to_owned()), Just(r#"{"z":1,"a":"x"}"#.to_owned()), Just("[1]".to_owned()), "\\PC{0,9}"]
}

/// What happens next in a conversation. Calls are answered by the number of the call that is open, so that most of
/// what is generated makes sense; `Tool` with an id of its own mostly does not.
#[derive(Debug, Clone)]
enum Step {
    Say(Message),
    Call { content: Vec<Part>, calls: Vec<(String, String, String)>, order: u64, between: Option<String> },
}

fn step() -> impl Strategy<Value = Step> {
    let text = || vec(words().prop_map(Part::Text), 0..2);
    let call = (id(), "[a-zé. ]{0,5}", arguments());
    prop_oneof![
        4 => vec(part(), 0..3).prop_map(|parts| Step::Say(Message::User(parts))),
        1 => text().prop_map(|parts| Step::Say(Message::System(parts))),
        2 => text().prop_map(|content| Step::Say(Message::Assistant { content, calls: Vec::new() })),
        3 => (text(), vec(call, 1..4), any::<u64>(), option::of(words()))
            .prop_map(|(content, calls, order, between)| Step::Call { content, calls, order, between }),
        1 => (id(), vec(part(), 0..2)).prop_map(|(call_id, content)| Step::Say(Message::Tool { call_id, content })),
    ]
}

fn messages() -> impl Strategy<Value = Vec<Message>> {
    vec(step(), 1..7).prop_map(|steps| {
        let mut messages = Vec::new();
        for step in steps {
            match step {
                Step::Say(message) => messages.push(message),
                Step::Call { content, calls, order, between } => {
                    let mut ids: Vec<String> = calls.iter().map(|(id, _, _)| id.clone()).collect();
                    let calls =
                        calls.into_iter().map(|(id, name, arguments)| ToolCall { id, name, arguments }).collect();
                    messages.push(Message::Assistant { content, calls });
                    let rotated = usize::try_from(order).unwrap_or(0) % ids.len();
                    ids.rotate_left(rotated);
                    for (n, call_id) in ids.into_iter().enumerate() {
                        if let (1, Some(words)) = (n, &between) {
                            messages.push(Message::User(vec![Part::Text(words.clone())]));
                        }
                        messages.push(Message::Tool { call_id, content: vec![Part::Text("done".into())] });
                    }
                }
            }
        }
        messages
    })
}

fn schema() -> impl Strategy<Value = Map<String, Value>> {
    let keyword = select(vec![
        ("type", json!("object")),
        ("type", json!(["object", "null"])),
        ("properties", json!({"a": {"type": "integer", "minimum": 1}, "b": {"enum": ["x", null]}})),
        ("required", json!(["a", "gone"])),
        (
            "anyOf",
            json!([{"type": "object", "properties": {"c": {"type": "string", "minLength": 2}}}, {"$ref": "#/$defs/D"}]),
        ),
        ("oneOf", json!([{"required": ["a"]}, {"properties": {"a": {"const": 1}}}])),
        ("allOf", json!([{"$ref": "#/$defs/D"}])),
        ("$defs", json!({"D": {"type": "object", "properties": {"d": {"type": "number", "multipleOf": 2}}}})),
        ("additionalProperties", json!({"type": "string"})),
        ("additionalProperties", json!(false)),
        ("$ref", json!("#/$defs/D")),
        ("default", json!({})),
    ]);
    vec(keyword, 0..5).prop_map(|keywords| keywords.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

fn tool() -> impl Strategy<Value = Tool> {
    ("[a-z_]{1,2}", option::of(words()), option::of(schema()), option::of(any::<bool>()))
        .prop_map(|(name, description, parameters, strict)| Tool { name, description, parameters, strict })
}

fn request() -> impl Strategy<Value = Request> {
    let choice = prop_oneof![
        Just(ToolChoice::Auto),
        Just(ToolChoice::None),
        Just(ToolChoice::Required),
        "[a-z]".prop_map(ToolChoice::Named)
    ];
    let format = prop_oneof![
        3 => Just(Format::Text),
        1 => Just(Format::JsonObject),
        2 => schema().prop_map(|schema| Format::JsonSchema { name: "n".into(), schema, strict: true }),
    ];
    let efforts = vec![Effort::None, Effort::Minimal, Effort::Low, Effort::Medium, Effort::High, Effort::XHigh];
    let number = prop_oneof![-1.0..3.0_f64, Just(1.0), Just(0.0)];
    (
        (messages(), vec(tool(), 0..3), option::of(choice), option::of(any::<bool>()), format),
        (option::of(number.clone()), option::of(number), vec(words(), 0..3), option::of(1..70_000_u64)),
        (option::of(select(efforts)), option::of("\\PC{0,9}"), any::<bool>()),
    )
        .prop_map(|(what, sampling, how)| Request {
            messages: what.0,
            tools: what.1,
            tool_choice: what.2,
            parallel_tool_calls: what.3,
            format: what.4,
            temperature: sampling.0,
            top_p: sampling.1,
            stop: sampling.2,
            max_tokens: sampling.3,
            effort: how.0,
            user: how.1,
            stream: how.2,
            n: 1,
            extra: Map::new(),
        })
}

fn is_plain(value: &Value, longest: usize) -> bool {
    let text = value.as_str().unwrap();
    (1..=longest).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
}

fn check_text(text: &Value) {
    let blank = |char: char| char.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&char);
    assert!(!text.as_str().unwrap().trim_matches(blank).is_empty());
}

fn check_turns(turns: &[Value]) {
    assert!(!turns.is_empty());
    let mut open: Vec<&Value> = Vec::new();
    for (i, turn) in turns.iter().enumerate() {
        let blocks = turn["content"].as_array().unwrap();
        assert!(!blocks.is_empty());
        assert!(i == 0 || turns[i - 1]["role"] != turn["role"]);
        let answered: Vec<&Value> = blocks
            .iter()
            .take_while(|block| block["type"] == "tool_result")
            .map(|block| &block["tool_use_id"])
            .collect();
        assert_eq!(answered.len(), blocks.iter().filter(|block| block["type"] == "tool_result").count());
        assert_eq!(answered.len(), open.len());
        assert!(open.iter().all(|id| answered.contains(id)));
        open = blocks.iter().filter(|block| block["type"] == "tool_use").map(|block| &block["id"]).collect();
        for block in blocks {
            match block["type"].as_str().unwrap() {
                "text" => check_text(&block["text"]),
                "tool_use" => {
                    assert!(turn["role"] == "assistant" && block["input"].is_object());
                    assert!(is_plain(&block["id"], 200) && is_plain(&block["name"], 128));
                    assert_eq!(open.iter().filter(|id| **id == &block["id"]).count(), 1);
                }
                "image" | "tool_result" => assert_eq!(turn["role"], "user"),
                other => panic!("{other}"),
            }
        }
    }
    assert!(open.is_empty());
}

fn check(body: &Value) {
    check_turns(body["messages"].as_array().unwrap());
    body["system"].as_array().into_iter().flatten().for_each(|block| check_text(&block["text"]));
    body["stop_sequences"].as_array().into_iter().flatten().for_each(check_text);
    let tools: Vec<&Value> = body["tools"].as_array().into_iter().flatten().collect();
    for tool in &tools {
        let schema = tool["input_schema"].as_object().unwrap();
        assert_eq!(schema["type"], "object");
        assert!(["anyOf", "oneOf", "allOf"].iter().all(|keyword| !schema.contains_key(*keyword)));
        assert_eq!(tools.iter().filter(|other| other["name"] == tool["name"]).count(), 1);
    }
    let history = body["messages"].to_string().contains(r#""type":"tool_use""#);
    assert!(!tools.is_empty() || (!history && body.get("tool_choice").is_none()));
    let most = body["max_tokens"].as_u64().unwrap();
    if let Some(thinking) = body.get("thinking").filter(|thinking| thinking["type"] == "enabled") {
        let budget = thinking["budget_tokens"].as_u64().unwrap();
        assert!(budget >= 1024 && budget < most && body.get("temperature").is_none());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn a_body_keeps_the_rules_of_the_api(request in request(), model in select(vec!["claude-sonnet-4-5", "claude-opus-4-8", "x"])) {
        if let Ok(encoded) = Anthropic.encode(&request, model) {
            check(&serde_json::from_slice(&encoded.body).unwrap());
            // A prompt cache knows a prompt by its bytes.
            prop_assert_eq!(&Anthropic.encode(&request, model).unwrap(), &encoded);
        }
    }

    #[test]
    fn any_bytes_are_survived(bytes in vec(any::<u8>(), 0..60), text in "\\PC{0,60}") {
        let translator = Anthropic;
        for body in [bytes.as_slice(), text.as_bytes()] {
            prop_assert!(translator.decode(body).is_err());
            let _ = Anthropic.refusal(500, body);
            let _ = translator.events().event(body, &mut Vec::new());
        }
    }

    #[test]
    fn events_in_any_order_never_make_a_malformed_answer(picks in vec(0_usize..EVENTS.len(), 0..14)) {
        let mut decoder = Anthropic.events();
        let mut out = Vec::new();
        for pick in picks {
            if decoder.event(EVENTS[pick].as_bytes(), &mut out).is_err() {
                break;
            }
        }
        let index = |event: &Event| if let Event::CallStart { index, .. } = event { Some(*index) } else { None };
        let indices: Vec<usize> = out.iter().filter_map(index).collect();
        prop_assert_eq!(&indices, &(0..indices.len()).collect::<Vec<_>>());
        let starts: Vec<usize> = (0..out.len()).filter(|at| matches!(out[*at], Event::Start { .. })).collect();
        prop_assert!(out.is_empty() || starts == [0]);
        prop_assert!(out.iter().filter(|event| matches!(event, Event::Finish(_))).count() <= 1);
        if let Some(end) = out.iter().position(|event| *event == Event::End) {
            prop_assert_eq!(end, out.len() - 1);
            prop_assert!(out.iter().any(|event| matches!(event, Event::Finish(_))));
            let mut arguments: Vec<String> = Vec::new();
            for event in &out {
                if let Event::CallStart { .. } = event {
                    arguments.push(String::new());
                } else if let Event::CallArguments { index, fragment } = event {
                    arguments[*index].push_str(fragment);
                }
            }
            prop_assert!(arguments.iter().all(|text| text.starts_with('{') && text.ends_with('}')), "{:?}", arguments);
        }
    }
}

const EVENTS: [&str; 13] = [
    r#"{"type":"message_start","message":{"id":"m","model":"c","usage":{"input_tokens":1}}}"#,
    r#"{"type":"ping"}"#,
    r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
    r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"hi"}}"#,
    r#"{"type":"content_block_stop","index":0}"#,
    r#"{"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"t","name":"n","input":{}}}"#,
    r#"{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":""}}"#,
    r#"{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"{\"a\""}}"#,
    r#"{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":":1}"}}"#,
    r#"{"type":"content_block_stop","index":1}"#,
    r#"{"type":"message_delta","delta":{"stop_reason":"tool_use"},"usage":{"output_tokens":2}}"#,
    r#"{"type":"message_stop"}"#,
    r#"{"type":"content_block_start","index":2,"content_block":{"type":"yet_unknown","text":{}}}"#,
];
