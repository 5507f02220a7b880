//! Finding, and putting what was found into a prompt.

use serde_json::{Value, json};

use crate::{Sidecar, ids, library};

#[tokio::test]
async fn what_is_put_in_is_found_with_its_source() {
    let sidecar = Sidecar::start("");
    sidecar.put(&library()).await;
    let question = json!({"query": "what do cats do in the day?", "max_tokens": 200, "explain": true});
    let answer = sidecar.good("POST", "/v1/retrieve", &question).await;
    let first = &answer["results"][0];
    assert_eq!(first["document_id"], "cats");
    assert_eq!(first["title"], "Cats");
    assert_eq!(first["url"], "https://example.org/cats");
    assert_eq!(first["metadata"]["year"], 2020);
    assert_eq!(first["span"], json!({"start": 0, "end": 31}));
    assert_eq!(first["rank"], 1);
    assert_eq!(answer["mode"], "lexical");
    assert_eq!(
        answer["context"]["citations"][0],
        json!({"n": 1, "document_id": "cats", "span": {"start": 0, "end": 31}})
    );
    assert!(answer["context"]["tokens"].as_u64().unwrap() <= 200);
    assert_eq!(answer["cache"], "miss");
    assert_eq!(sidecar.good("POST", "/v1/retrieve", &question).await["cache"], "hit");
    let messages = json!({"messages": [{"role": "user", "content": "Do dogs bark?"}]});
    assert_eq!(ids(&sidecar.good("POST", "/v1/retrieve", &messages).await)[0], "dogs");
}

#[tokio::test]
async fn filters_hold_and_unknown_collections_are_404() {
    let sidecar = Sidecar::start("");
    let unknown = sidecar.ask("POST", "/v1/retrieve", &json!({"query": "cats"})).await;
    assert_eq!(unknown.status, 404, "{}", unknown.text());
    sidecar.put(&library()).await;
    let filter = json!({"type": "gte", "key": "year", "value": 2023});
    let answer = sidecar.good("POST", "/v1/retrieve", &json!({"query": "cats dogs fish", "filter": filter})).await;
    assert_eq!(
        {
            let mut ids = ids(&answer);
            ids.sort_unstable();
            ids
        },
        ["dogs", "fish/1"]
    );
    let other = sidecar.ask("POST", "/v1/retrieve", &json!({"query": "cats", "collection": "other"})).await;
    assert_eq!((other.status, &other.json()["error"]["param"]), (404, &json!("collection")));
}

#[tokio::test]
async fn the_messages_come_back_byte_for_byte_and_one_more() {
    let sidecar = Sidecar::start("");
    sidecar.put(&library()).await;
    let messages = r#"[ {"role":"system" ,"content":"s","x":1.50}, {"content":"Do c\u0061ts sleep?","role":"user"} ]"#;
    let body = format!(r#"{{"messages":{messages},"top_k":2}}"#);
    let answer = sidecar.send("POST", "/v1/context", &[], body).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let text = answer.text();
    assert!(text.contains(r#"{"role":"system" ,"content":"s","x":1.50}"#), "{text}");
    assert!(text.contains(r#"{"content":"Do c\u0061ts sleep?","role":"user"}"#), "{text}");
    let value = answer.json();
    assert_eq!(value["messages"].as_array().unwrap().len(), 3);
    assert_eq!(value["messages"][1]["content"], value["context"]["text"]);
    assert!(value["context"]["text"].as_str().unwrap().contains("Cats sleep for most of the day."));
    let nothing = r#"{"messages":[{"role":"user","content":"zebra"}]}"#;
    let value = sidecar.send("POST", "/v1/context", &[], nothing).await.json();
    assert_eq!(value["messages"], json!([{"role": "user", "content": "zebra"}]));
    assert_eq!(value["context"]["text"], "");
}

#[tokio::test]
async fn what_the_configuration_says_holds_unless_a_request_says_otherwise() {
    let sidecar = Sidecar::start("retrieval: { top_k: 1 }\n");
    sidecar.put(&library()).await;
    let count = |answer: Value| ids(&answer).len();
    assert_eq!(count(sidecar.good("POST", "/v1/retrieve", &json!({"query": "cats dogs fish"})).await), 1);
    assert_eq!(count(sidecar.good("POST", "/v1/retrieve", &json!({"query": "cats dogs fish", "top_k": 3})).await), 3);
    let door = "/v1/vector_stores/default/search";
    let answer = sidecar.good("POST", door, &json!({"query": "cats dogs fish"})).await;
    assert_eq!(answer["data"].as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn a_conversation_is_kept_recalled_and_forgotten() {
    let sidecar = Sidecar::start("");
    let messages = json!({"messages": [
        {"id": "1", "role": "user", "content": "My cat is called Minka."},
        {"id": "2", "role": "assistant", "content": "A fine name."},
    ]});
    let put = sidecar.good("POST", "/v1/conversations/talk-1/messages", &messages).await;
    assert_eq!(put["results"].as_array().unwrap().len(), 2, "{put}");
    let again = sidecar.good("POST", "/v1/conversations/talk-1/messages", &messages).await;
    assert_eq!(again["results"][0]["status"], "unchanged", "{again}");
    let recalled =
        sidecar.good("GET", "/v1/conversations/talk-1/context?max_tokens=100&query=name", &Value::Null).await;
    assert_eq!(recalled["messages"][0]["content"], "My cat is called Minka.");
    assert_eq!(recalled["of"], 2);
    let list = sidecar.good("GET", "/v1/conversations", &Value::Null).await;
    assert_eq!(list["conversations"], json!([{"id": "talk-1", "messages": 2}]), "{list}");
    assert_eq!(sidecar.good("DELETE", "/v1/conversations/talk-1", &Value::Null).await, json!({"deleted": true}));
    assert_eq!(sidecar.good("DELETE", "/v1/conversations/talk-1", &Value::Null).await, json!({"deleted": false}));
    assert_eq!(sidecar.ask("GET", "/v1/conversations/talk-1/context", &Value::Null).await.status, 404);
}

/// What an agent has in hand for its model goes in whole, and what comes out can be sent on.
#[tokio::test]
async fn a_whole_chat_body_comes_back_with_context_and_nothing_else() {
    let sidecar = Sidecar::start("");
    sidecar.put(&library()).await;
    let body = r#"{"temperature": 0.10, "model":"gpt-4o", "max_tokens": 7, "top_k": 3,
        "messages":[{"role":"system","content":"Be \u0062rief."}, {"role":"user","content":"Do cats sleep?"}],
        "context": {"max_tokens": 300, "top_k": 1}, "tools": [{"type" : "function"}], "stream": true, "seed": 1e2}"#;
    let answer = sidecar.send("POST", "/v1/context", &[], body).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let text = answer.text();
    let (head, rest) = text.split_once(r#""messages":["#).unwrap();
    assert_eq!(head, r#"{"temperature":0.10,"model":"gpt-4o","max_tokens":7,"top_k":3,"#);
    assert!(rest.starts_with(r#"{"role":"system","content":"Be \u0062rief."},"#), "{rest}");
    let end =
        r#",{"role":"user","content":"Do cats sleep?"}],"tools":[{"type" : "function"}],"stream":true,"seed":1e2}"#;
    assert!(rest.ends_with(end), "{rest}");
    let messages = answer.json()["messages"].as_array().unwrap().clone();
    assert_eq!(messages.len(), 3);
    assert!(messages[1]["content"].as_str().unwrap().contains("Cats sleep for most of the day."));
    assert_eq!((answer.header("x-context-mode"), answer.header("x-context-cache")), ("lexical", "miss"));
    let citations: Value = serde_json::from_str(answer.header("x-context-citations")).unwrap();
    assert_eq!(citations, json!([{"n": 1, "document_id": "cats", "span": {"start": 0, "end": 31}}]));
    assert!(answer.header("x-context-tokens").parse::<usize>().unwrap() <= 300);
}

/// Whatever a message has comes back with it, in its place and in the order of the conversation.
#[tokio::test]
async fn messages_are_kept_whole() {
    let sidecar = Sidecar::start("");
    let long = "  The canoe has an outrigger, and it is painted red. ".repeat(60);
    let messages = json!([
        {"role": "user", "name": "ada", "content": [
            {"type": "text", "text": "What is on this picture?\n"},
            {"type": "image_url", "image_url": {"url": "https://example.org/canoe.png", "detail": "low"}},
            {"type": "text", "text": long, "cache_control": {"type": "ephemeral"}}]},
        {"role": "assistant", "content": null, "tool_calls": [
            {"id": "call_1", "type": "function", "function": {"name": "look_closely", "arguments": "{\"at\": \"bow\"}"}}]},
        {"role": "tool", "tool_call_id": "call_1", "content": "A carved bird."},
        {"role": "assistant", "content": "A canoe with a carved bird.", "refusal": null},
    ]);
    let put = json!({"messages": messages}).to_string();
    let key = [("idempotency-key", "turn-7")];
    for status in ["created", "unchanged"] {
        let kept = sidecar.send("POST", "/v1/conversations/c/messages", &key, put.clone()).await.json();
        let statuses: Vec<&Value> =
            kept["results"].as_array().unwrap().iter().map(|result| &result["status"]).collect();
        assert_eq!(statuses, [status; 4], "{kept}");
    }
    let recalled = sidecar.good("GET", "/v1/conversations/c/context?max_tokens=5000", &Value::Null).await;
    let mut back = recalled["messages"].clone();
    for message in back.as_array_mut().unwrap() {
        let fields = message.as_object_mut().unwrap();
        assert!(fields.remove("id").is_some() && fields.remove("at_ms").is_some());
    }
    assert_eq!(back, messages);
    // An answer of a tool does not come without the call that it answers: of the last two there is the last.
    let last = sidecar.good("GET", "/v1/conversations/c/context?max_tokens=40", &Value::Null).await;
    assert_eq!(last["messages"].as_array().unwrap().len(), 1, "{last}");
    // A question that is too long is cut, and not refused; the call is found by what it was about.
    let query = format!("look_closely+bow+{}", "filler+".repeat(1_500));
    let path = format!("/v1/conversations/c/context?max_tokens=120&query={query}");
    let found = sidecar.good("GET", &path, &Value::Null).await;
    assert!(found["relevant"]["text"].as_str().unwrap().contains("look_closely"), "{found}");
}
