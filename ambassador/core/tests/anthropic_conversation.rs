//! Conversations as Anthropic takes them, rule by rule: turns, calls and their answers, images.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail by panicking")]

mod common;

use ambassador_core::{
    chat::{Message, Part, ToolCall},
    provider::{Anthropic, Translator},
};
use common::anthropic::{SONNET, answer, ask, calls, refused, sent, text, user};
use serde_json::json;

#[test]
fn instructions_leave_the_conversation_wherever_they_stand() {
    let system = |words: &str| Message::System(text(words));
    let (body, dropped) = sent(&ask(vec![system("one"), user("hi"), system(" \n"), system("two")]));
    assert_eq!(body["system"], json!([{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]));
    assert_eq!(body["messages"], json!([{"role": "user", "content": [{"type": "text", "text": "hi"}]}]));
    assert!(dropped.is_empty());
    assert_eq!(refused(&ask(vec![system("only")])), "messages");
}

#[test]
fn blank_text_and_what_is_left_empty_by_it_are_skipped() {
    let blank = Message::Assistant { content: text(" \u{1f}\u{a0}\n"), calls: Vec::new() };
    let parts = Message::User(vec![Part::Text(String::new()), Part::Text("b".into())]);
    let (body, _) = sent(&ask(vec![user("a"), blank.clone(), parts]));
    let say = |text: &str| json!({"type": "text", "text": text});
    assert_eq!(body["messages"], json!([{"role": "user", "content": [say("a"), say("b")]}]));
    assert_eq!(refused(&ask(vec![blank, user("\t")])), "messages");
}

#[test]
fn answers_to_parallel_calls_stand_first_and_together_in_the_next_turn() {
    let history = vec![
        user("go"),
        calls(&["a", "b"]),
        answer("b", "B"),
        user("by the way"),
        Message::Tool { call_id: "a".into(), content: Vec::new() },
        user("so?"),
    ];
    let (body, _) = sent(&ask(history));
    let turn = &body["messages"][2];
    assert_eq!(turn["role"], "user");
    let want = json!([
        {"type": "tool_result", "tool_use_id": "b", "content": [{"type": "text", "text": "B"}]},
        {"type": "tool_result", "tool_use_id": "a"},
        {"type": "text", "text": "by the way"},
        {"type": "text", "text": "so?"},
    ]);
    assert_eq!(turn["content"], want);
    assert_eq!(body["messages"].as_array().unwrap().len(), 3);
}

#[test]
fn each_round_of_calls_has_its_answers_at_its_own_head() {
    let first = vec![user("go"), calls(&["a", "b"]), answer("a", "A"), answer("b", "B")];
    let second = vec![calls(&["c"]), user("hurry"), answer("c", "C")];
    let (body, _) = sent(&ask([first, second].concat()));
    assert_eq!(body["messages"][4]["content"][0]["tool_use_id"], "c");
    assert_eq!(body["messages"][4]["content"][1]["text"], "hurry");
}

#[test]
fn calls_that_came_in_messages_of_their_own_are_one_turn() {
    let (body, _) = sent(&ask(vec![user("go"), calls(&["a"]), calls(&["b"]), answer("a", "A"), answer("b", "B")]));
    assert_eq!(body["messages"][1]["content"].as_array().unwrap().len(), 2);
    assert_eq!(body["messages"][2]["content"].as_array().unwrap().len(), 2);
}

#[test]
fn calls_and_answers_that_do_not_match_are_refused_with_their_place() {
    assert_eq!(refused(&ask(vec![user("go"), calls(&["a", "b"]), answer("a", "A")])), "messages[1].tool_calls");
    assert_eq!(refused(&ask(vec![user("go"), calls(&["a"]), user("no"), calls(&["b"])])), "messages[1].tool_calls");
    assert_eq!(refused(&ask(vec![user("go"), answer("a", "A")])), "messages[1].tool_call_id");
    let twice = vec![user("go"), calls(&["a"]), answer("a", "A"), answer("a", "A")];
    assert_eq!(refused(&ask(twice)), "messages[3].tool_call_id");
    let stale = vec![user("go"), calls(&["a"]), answer("a", "A"), calls(&["b"]), answer("a", "A")];
    assert_eq!(refused(&ask(stale)), "messages[4].tool_call_id");
}

#[test]
fn foreign_ids_fit_and_still_find_each_other() {
    let long = format!("call.{}", "x".repeat(600));
    let ids = ["chatcmpl|1.2", "chatcmpl.1|2", &long, ""];
    let mut history = vec![user("go"), calls(&ids)];
    history.extend(ids.iter().rev().map(|id| answer(id, id)));
    let (body, _) = sent(&ask(history));
    let uses: Vec<&str> =
        body["messages"][1]["content"].as_array().unwrap().iter().map(|b| b["id"].as_str().unwrap()).collect();
    let mut results: Vec<&str> =
        body["messages"][2]["content"].as_array().unwrap().iter().map(|b| b["tool_use_id"].as_str().unwrap()).collect();
    results.reverse();
    assert_eq!(uses, results);
    for id in uses {
        assert!(
            !id.is_empty() && id.len() <= 128 && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b)),
            "{id}"
        );
    }
}

#[test]
fn an_id_used_twice_in_a_turn_is_told_apart_by_order() {
    let (body, _) =
        sent(&ask(vec![user("go"), calls(&["same", "same"]), answer("same", "first"), answer("same", "second")]));
    assert_eq!(body["messages"][1]["content"][1]["id"], "same-2");
    assert_eq!(body["messages"][2]["content"][1]["tool_use_id"], "same-2");
    assert_eq!(body["messages"][2]["content"][1]["content"][0]["text"], "second");
    let next = vec![user("go"), calls(&["same"]), answer("same", "1"), calls(&["same"]), answer("same", "2")];
    assert_eq!(sent(&ask(next)).0["messages"][3]["content"][0]["id"], "same");
}

#[test]
fn arguments_become_an_object_and_keep_their_order() {
    let with = |arguments: &str| {
        let call = ToolCall { id: "a".into(), name: "look up!".into(), arguments: arguments.to_owned() };
        let history = vec![user("go"), Message::Assistant { content: text("ok"), calls: vec![call] }, answer("a", "A")];
        let encoded = Anthropic.encode(&ask(history), SONNET).unwrap();
        (String::from_utf8(encoded.body.to_vec()).unwrap(), encoded.dropped)
    };
    let (body, dropped) = with(r#"{"z":1,"a":[2]}"#);
    assert!(body.contains(r#""input":{"z":1,"a":[2]}"#) && dropped.is_empty(), "{body}");
    assert!(body.contains(r#""name":"look_up_-"#), "{body}");
    assert!(with(" ").0.contains(r#""input":{}"#));
    let (body, dropped) = with(r#"{"city": "Par"#);
    assert!(body.contains(r#""input":{"arguments":"{\"city\": \"Par"}"#), "{body}");
    assert_eq!(dropped, ["messages"]);
}

#[test]
fn images_go_where_images_may_go() {
    let png = Part::Image { media_type: "image/png".into(), data: "iVBORw0KGgo=".into() };
    let link = Part::ImageUrl("https://example.com/a.png".into());
    let (body, _) = sent(&ask(vec![Message::User(vec![png.clone(), link.clone()])]));
    let want = json!([
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}},
        {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}},
    ]);
    assert_eq!(body["messages"][0]["content"], want);
    let shot = Message::Tool { call_id: "a".into(), content: vec![png.clone()] };
    assert_eq!(sent(&ask(vec![user("go"), calls(&["a"]), shot])).0["messages"][2]["content"][0]["content"][0], want[0]);

    assert_eq!(refused(&ask(vec![user("a"), Message::System(vec![link])])), "messages[1].content[0]");
    let drawn = Message::Assistant { content: vec![Part::Text("see".into()), png], calls: Vec::new() };
    assert_eq!(refused(&ask(vec![user("a"), drawn])), "messages[1].content[1]");
    assert_eq!(refused(&ask(vec![Message::User(vec![Part::Other("input_audio".into())])])), "messages[0].content[0]");
    let tiff = Part::Image { media_type: "image/tiff".into(), data: "SUkqAA==".into() };
    assert_eq!(refused(&ask(vec![Message::User(vec![tiff])])), "messages[0].content[0]");
}

#[test]
fn the_models_own_last_words_do_not_end_in_blanks() {
    let words = Message::Assistant { content: text("Once upon \n"), calls: Vec::new() };
    assert_eq!(sent(&ask(vec![user("a"), words])).0["messages"][1]["content"][0]["text"], "Once upon");
    let refusal = Message::Assistant { content: vec![Part::Refusal("I can't.".into())], calls: Vec::new() };
    assert_eq!(sent(&ask(vec![user("a"), refusal, user("b")])).0["messages"][1]["content"][0]["text"], "I can't.");
}

/// With a search for each among all before it, this takes so long that the runner gives up.
#[test]
fn thousands_of_calls_and_answers_are_found_without_a_search() {
    const MANY: usize = 50_000;
    let ids: Vec<String> = (0..MANY).map(|n| format!("call-{n}")).collect();
    for id in
        [|_: usize, id: &str| id.to_owned(), |_, _: &str| "same".to_owned(), |n, id: &str| format!("{id}.{}", n % 2)]
    {
        let ids: Vec<String> = ids.iter().enumerate().map(|(n, it)| id(n, it)).collect();
        let call = |id: &String| ToolCall { id: id.clone(), name: format!("tool-{id}"), arguments: "{}".to_owned() };
        let made = Message::Assistant { content: Vec::new(), calls: ids.iter().map(call).collect() };
        let mut history = vec![user("go"), made, user("by the way")];
        history.extend(ids.iter().rev().map(|id| answer(id, "done")));
        let (body, _) = sent(&ask(history));
        let (calls, turn) = (body["messages"][1]["content"].as_array(), body["messages"][2]["content"].as_array());
        let (calls, turn) = (calls.unwrap(), turn.unwrap());
        assert_eq!((calls.len(), turn.len()), (MANY, MANY + 1));
        assert_eq!(turn[MANY]["text"], "by the way");
        let mut answered: Vec<&str> = turn[..MANY].iter().map(|block| block["tool_use_id"].as_str().unwrap()).collect();
        let mut made: Vec<&str> = calls.iter().map(|block| block["id"].as_str().unwrap()).collect();
        answered.sort_unstable();
        made.sort_unstable();
        assert_eq!(answered, made);
        made.dedup();
        assert_eq!(made.len(), MANY, "every call has an id of its own");
    }
}
