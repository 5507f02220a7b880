//! What the agent says in OpenAI's dialect reaches each provider in its own, and comes back.

use e2e::harness::{Ambassador, Setup};
use serde_json::{Value, json};

use crate::support::{MODEL, assert_clean, error_of, text_of, two_providers};

async fn behind_anthropic() -> (e2e::provider::Provider, Ambassador) {
    let (primary, fallback) = two_providers().await;
    let ambassador = Setup::anthropic_then_openai(&primary, &fallback).start().await;
    (primary, ambassador)
}

fn weather() -> Value {
    json!([{"type": "function", "function": {"name": "get_weather", "description": "The weather", "parameters": {
        "type": "object", "properties": {"city": {"type": "string"}, "days": {"type": "integer"}}, "required": ["city"]}}}])
}

#[tokio::test]
async fn anthropic_gets_its_own_headers_path_and_required_fields() {
    let (provider, ambassador) = behind_anthropic().await;
    let request = json!({"model": MODEL, "stop": ["END"], "temperature": 0.5, "messages": [
        {"role": "system", "content": "Be terse."},
        {"role": "developer", "content": "Be kind."},
        {"role": "user", "content": [{"type": "text", "text": "hello"}, {"type": "text", "text": "there"}]},
    ]});
    text_of(&ambassador.agent().chat(&request).await.unwrap());
    let seen = &provider.seen()[0];
    assert_eq!((seen.path.as_str(), seen.key.as_str()), ("/v1/messages", "sk-ant-primary"));
    assert!(seen.header("anthropic-version").is_some() && seen.header("x-api-key").is_some(), "{seen:?}");
    let body = seen.json();
    assert!(body["max_tokens"].as_u64() > Some(0), "{body}");
    assert_eq!(body["stop_sequences"], json!(["END"]));
    let system = body["system"].to_string();
    assert!(system.contains("Be terse.") && system.contains("Be kind."), "{body}");
    let roles: Vec<&Value> = body["messages"].as_array().unwrap().iter().map(|message| &message["role"]).collect();
    assert_eq!(roles, ["user"]);
}

#[tokio::test]
async fn openai_gets_the_body_as_it_was_but_for_the_model() {
    let (primary, fallback) = two_providers().await;
    let ambassador = Setup::openai_then_anthropic(&primary, &fallback).start().await;
    let request = json!({"model": "openai/gpt-4o", "messages": [{"role": "user", "content": "hi", "name": "ann"}],
        "seed": 7, "logit_bias": {"50256": -100}, "a_field_of_tomorrow": {"nested": [1, 2.5, null]}, "max_tokens": 1000});
    text_of(&ambassador.agent().chat(&request).await.unwrap());
    let mut wanted = request;
    wanted["model"] = "gpt-4o".into();
    assert_eq!(primary.seen()[0].json(), wanted);
}

#[tokio::test]
async fn tools_are_called_and_their_results_returned() {
    let (primary, fallback) = two_providers().await;
    for setup in [Setup::anthropic_then_openai(&primary, &fallback), Setup::openai_then_anthropic(&primary, &fallback)]
    {
        let agent = setup.start().await;
        let mut request = json!({"model": MODEL, "tools": weather(), "messages": [{"role": "user", "content": "get weather for 3 days in Zürich"}]});
        let answer = agent.agent().chat(&request).await.unwrap().json();
        let choice = &answer["choices"][0];
        assert_eq!(choice["finish_reason"], "tool_calls", "{answer}");
        let call = &choice["message"]["tool_calls"][0];
        assert_eq!((&call["type"], &call["function"]["name"]), (&json!("function"), &json!("get_weather")));
        let arguments: Value = serde_json::from_str(call["function"]["arguments"].as_str().unwrap()).unwrap();
        assert_eq!(arguments, json!({"city": "Zürich", "days": 3}));

        let messages = request["messages"].as_array_mut().unwrap();
        messages.push(choice["message"].clone());
        messages.push(json!({"role": "tool", "tool_call_id": call["id"], "content": "sunny, 21 degrees"}));
        let answer = agent.agent().chat(&request).await.unwrap();
        assert_eq!(text_of(&answer), "The tool returned: sunny, 21 degrees");
    }
    assert_eq!(fallback.seen().len(), 0);
}

#[tokio::test]
async fn tool_calls_are_streamed() {
    let (primary, fallback) = two_providers().await;
    for setup in [Setup::anthropic_then_openai(&primary, &fallback), Setup::openai_then_anthropic(&primary, &fallback)]
    {
        let ambassador = setup.start().await;
        let request = json!({"model": MODEL, "tools": weather(), "messages": [{"role": "user", "content": "get weather for 3 days in Zürich"}]});
        let told = ambassador.agent().chat_streamed(request).await.unwrap().read().await;
        assert_clean(&told);
        assert_eq!(told.finish_reasons, ["tool_calls"]);
        let first = &told.tool_calls[0];
        assert!(
            first["id"].is_string() && first["index"] == 0 && first["function"]["name"] == "get_weather",
            "{told:?}"
        );
        assert!(told.tool_calls[1..].iter().all(|part| part["id"].is_null() && part["index"] == 0), "{told:?}");
        let arguments =
            told.tool_calls.iter().filter_map(|part| part["function"]["arguments"].as_str()).collect::<String>();
        assert_eq!(serde_json::from_str::<Value>(&arguments).unwrap(), json!({"city": "Zürich", "days": 3}));
    }
}

#[tokio::test]
async fn a_limit_is_a_length() {
    let (_provider, ambassador) = behind_anthropic().await;
    for field in ["max_tokens", "max_completion_tokens"] {
        let mut request = json!({"model": MODEL, "messages": [{"role": "user", "content": "many words to say"}]});
        request[field] = 3.into();
        let answer = ambassador.agent().chat(&request).await.unwrap().json();
        assert_eq!(answer["choices"][0]["finish_reason"], "length", "{answer}");
        assert_eq!(answer["usage"]["completion_tokens"], 3);
        let told = ambassador.agent().chat_streamed(request).await.unwrap().read().await;
        assert_eq!(told.finish_reasons, ["length"]);
    }
}

#[tokio::test]
async fn an_image_as_a_data_url_reaches_anthropic_as_a_source() {
    let (provider, ambassador) = behind_anthropic().await;
    let image = json!({"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}});
    let request =
        json!({"model": MODEL, "messages": [{"role": "user", "content": [{"type": "text", "text": "look"}, image]}]});
    text_of(&ambassador.agent().chat(&request).await.unwrap());
    let body = provider.seen()[0].json();
    let content = body["messages"][0]["content"].as_array().unwrap();
    let source = content.iter().find(|block| block["type"] == "image").map(|block| &block["source"]).unwrap();
    assert_eq!(source, &json!({"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}));
}

#[tokio::test]
async fn anthropics_refusal_is_an_error_in_openais_shape() {
    let (provider, ambassador) = behind_anthropic().await;
    provider.always(e2e::provider::Fault::Status {
        code: 400,
        retry_after: None,
        message: Some("max_tokens: too large".into()),
    });
    let answer = ambassador.agent().ask(MODEL, "hi").await.unwrap();
    assert_eq!(answer.status, 400);
    let error = error_of(&answer);
    assert_eq!((&error["message"], &error["type"]), (&json!("max_tokens: too large"), &json!("invalid_request_error")));
}
