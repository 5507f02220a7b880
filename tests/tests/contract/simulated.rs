//! The simulated provider itself: whoever blames the ambassador relies on it.

use base64::Engine as _;
use e2e::agent::{Agent, question};
use e2e::provider::{Ending, Fault, Provider, RECIPES, Rule, Step};
use serde_json::json;

use crate::support::{assert_clean, text_of};

async fn provider() -> (Provider, Agent) {
    let provider = Provider::start().await.unwrap();
    let agent = Agent::at(provider.address());
    (provider, agent)
}

#[tokio::test]
async fn says_the_same_whole_streamed_and_byte_by_byte() {
    let (provider, agent) = provider().await;
    let whole = text_of(&agent.ask("gpt-4o", "naïve 日本語 words").await.unwrap());
    assert_eq!(whole, "You said: naïve 日本語 words I counted 3 words, the longest is naïve.");
    for byte_by_byte in [false, true] {
        provider.once(Step { byte_by_byte, ..Step::default() });
        let told = agent.ask_streamed("gpt-4o", "naïve 日本語 words").await.unwrap().read().await;
        assert_clean(&told);
        assert_eq!(told.text, whole);
        assert_eq!(told.usage.unwrap()["completion_tokens"], told.contents);
    }
}

#[tokio::test]
async fn calls_the_tool_that_the_text_names() {
    let (_provider, agent) = provider().await;
    let mut request = question("gpt-4o", "get weather for 3 days in Zürich");
    request["tools"] = json!([{"type": "function", "function": {"name": "get_weather", "parameters": {
        "type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}}}}]);
    let answer = agent.chat(&request).await.unwrap().json();
    assert_eq!(answer["choices"][0]["finish_reason"], "tool_calls");
    let call = &answer["choices"][0]["message"]["tool_calls"][0]["function"];
    assert_eq!(call["name"], "get_weather");
    assert_eq!(call["arguments"], r#"{"city":"Zürich","days":3}"#);
    let told = agent.chat_streamed(request).await.unwrap().read().await;
    assert_eq!(told.finish_reasons, ["tool_calls"]);
    let arguments =
        told.tool_calls.iter().filter_map(|part| part["function"]["arguments"].as_str()).collect::<String>();
    assert_eq!(arguments, r#"{"city":"Zürich","days":3}"#);
}

#[tokio::test]
async fn speaks_anthropic() {
    let (_provider, agent) = provider().await;
    let mut request = question("claude-sonnet-4-5", "hello there");
    let refused = agent.post("/v1/messages", request.to_string()).await.unwrap();
    assert_eq!((refused.status, &refused.json()["error"]["type"]), (400, &json!("invalid_request_error")));
    request["max_tokens"] = 4.into();
    let answer = agent.post("/v1/messages", request.to_string()).await.unwrap().json();
    assert_eq!(answer["content"][0]["text"], "You said: hello there ");
    assert_eq!((&answer["stop_reason"], &answer["usage"]["output_tokens"]), (&json!("max_tokens"), &json!(4)));
    request["stream"] = true.into();
    let streamed = agent.post("/v1/messages", request.to_string()).await.unwrap().text();
    let names: Vec<&str> = streamed.lines().filter_map(|line| line.strip_prefix("event: ")).collect();
    assert_eq!(&names[..3], ["message_start", "content_block_start", "ping"]);
    assert_eq!(names.last(), Some(&"message_stop"));
}

#[tokio::test]
async fn embeds_in_floats_and_in_base64() {
    let (_provider, agent) = provider().await;
    let ask = |format: &str| {
        json!({"model": "m", "input": ["a", "b"], "encoding_format": format, "dimensions": 4}).to_string()
    };
    let floats = agent.post("/v1/embeddings", ask("float")).await.unwrap().json();
    let packed = agent.post("/v1/embeddings", ask("base64")).await.unwrap().json();
    let first = floats["data"][0]["embedding"][0].as_f64().unwrap() as f32;
    let bytes =
        base64::engine::general_purpose::STANDARD.decode(packed["data"][0]["embedding"].as_str().unwrap()).unwrap();
    assert_eq!((bytes.len(), &bytes[..4]), (16, &first.to_le_bytes()[..]));
    assert_ne!(floats["data"][0], floats["data"][1]);
}

#[tokio::test]
async fn fails_as_it_is_told_and_only_so_often() {
    let (provider, agent) = provider().await;
    provider.once(Fault::Status { code: 429, retry_after: Some("7".into()), message: None });
    let refused = agent.ask("m", "hi").await.unwrap();
    assert_eq!((refused.status, refused.header("retry-after")), (429, "7"));
    assert_eq!(agent.ask("m", "hi").await.unwrap().status, 200);

    provider.on(Rule::always(Step::status(401)).for_key("sk-bad"));
    let bad = agent.clone().with_header("authorization", "Bearer sk-bad");
    assert_eq!(bad.ask("m", "hi").await.unwrap().status, 401);
    assert_eq!(agent.ask("m", "hi").await.unwrap().status, 200);
    assert_eq!(provider.seen().iter().filter(|seen| seen.key == "sk-bad").count(), 1);

    provider.once(Fault::ResetBeforeHead);
    assert!(agent.ask("m", "hi").await.is_err());
    provider.once(Fault::ShortBody);
    assert!(agent.ask("m", "hi").await.is_err());
    provider.once(Fault::Html { code: 502 });
    assert!(agent.ask("m", "hi").await.unwrap().text().starts_with("<html>"));
}

#[tokio::test]
async fn cuts_a_stream_where_it_is_told() {
    let (provider, agent) = provider().await;
    for (ending, breaks, malformed) in [
        (Ending::Fin, true, false),
        (Ending::Reset, true, false),
        (Ending::MidEvent, true, false),
        (Ending::Clean, false, false),
        (Ending::Error, false, false),
        (Ending::Malformed, false, true),
    ] {
        provider.once(Step::stream(2, ending));
        let told = agent.ask_streamed("m", "some words to cut").await.unwrap().read().await;
        assert_eq!((told.broke.is_some(), !told.malformed.is_empty()), (breaks, malformed), "{ending:?}: {told:?}");
        assert_eq!(told.error.is_some(), ending == Ending::Error, "{told:?}");
        assert_eq!(told.is_done, ending == Ending::Malformed, "{told:?}");
        assert!(told.text.starts_with("You said: "), "{ending:?}: {told:?}");
    }
}

#[tokio::test]
async fn takes_its_orders_over_http_and_tells_what_it_saw() {
    let (provider, agent) = provider().await;
    let rules = json!({"rules": [{"repeat": true, "steps": [{"fault": {"stream": {"after": 1, "ending": "mid_event"}}, "delay_ms": 1}]}]});
    assert_eq!(agent.post("/_control", rules.to_string()).await.unwrap().status, 200);
    let told = agent.ask_streamed("m", "hi").await.unwrap().read().await;
    assert!(told.broke.is_some() && told.contents == 1, "{told:?}");
    assert_eq!(agent.post("/_control", r#"{"rule": []}"#).await.unwrap().status, 400);
    let seen = agent.get("/_requests").await.unwrap().json();
    assert_eq!(seen.as_array().map(Vec::len), Some(1));
    assert_eq!((&seen[0]["path"], &seen[0]["key"]), (&json!("/v1/chat/completions"), &json!("the-agents-own")));
    assert_eq!(provider.seen()[0].json()["stream"], true);
}

#[tokio::test]
async fn understands_the_scripts_that_are_printed_for_newcomers() {
    let (_provider, agent) = provider().await;
    for (script, what) in RECIPES {
        assert_eq!(agent.post("/_control", script).await.unwrap().status, 200, "{what}: {script}");
    }
    let told = agent.ask_streamed("m", "hi").await.unwrap().read().await;
    assert!(told.broke.is_some(), "the last of them cuts streams: {told:?}");
}

#[tokio::test]
async fn notices_that_the_caller_went_away() {
    let (provider, agent) = provider().await;
    provider.always(Step::slow(50));
    let mut stream = agent.ask_streamed("m", "one two three four five six seven eight nine ten").await.unwrap();
    stream.first_content().await.unwrap();
    drop(stream);
    let seen = provider.seen_when(|seen| seen[0].gone_after_ms.is_some()).await;
    assert!(seen[0].gone_after_ms.is_some() && !seen[0].finished, "{seen:?}");
}
