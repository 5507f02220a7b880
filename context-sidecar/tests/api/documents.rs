//! Documents: put in, looked at, listed, removed.

use serde_json::{Value, json};

use crate::{Sidecar, library};

#[tokio::test]
async fn each_is_taken_or_refused_by_itself() {
    let sidecar = Sidecar::start("ingest: { max_document: 1KiB }\n");
    let large = "word ".repeat(1_000);
    let body = json!({"documents": [
        {"id": "good", "text": "some text"},
        {"id": "", "text": "some text"},
        {"text": "no id"},
        {"id": "empty", "text": "  "},
        {"id": "large", "text": large},
        {"id": "odd", "text": "some text", "secret": 1},
        {"id": "typed", "text": 7},
        7,
        {"id": "good", "text": "other text"},
        {"id": "nested", "text": "some text", "metadata": {"a": {"b": 1}}},
        {"id": "hostile", "text": "some text", "metadata": {"tenant": "globex", "lang": "en"}},
    ]});
    let answer = sidecar.good("PUT", "/v1/documents", &body).await;
    let told: Vec<(&Value, &str)> = answer["results"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| (&item["id"], item["status"].as_str().unwrap()))
        .collect();
    let status: Vec<&str> = told.iter().map(|(_, status)| *status).collect();
    let failed = "failed";
    assert_eq!(
        status,
        ["created", failed, failed, failed, failed, failed, failed, failed, failed, failed, "created"],
        "{answer}"
    );
    assert_eq!(told[5].0, "odd");
    assert!(answer["results"][5]["message"].as_str().unwrap().contains("secret"), "{answer}");
    assert_eq!((&answer["created"], &answer["failed"]), (&json!(2), &json!(9)));
    // A tenant in the metadata is nobody's.
    let kept = sidecar.good("GET", "/v1/documents/hostile", &Value::Null).await;
    assert_eq!(kept["metadata"], json!({"lang": "en"}));
    let again =
        sidecar.good("PUT", "/v1/documents", &json!({"documents": [{"id": "good", "text": "some text"}]})).await;
    assert_eq!(again["unchanged"], 1);
    let again = sidecar.good("PUT", "/v1/documents", &json!({"documents": [{"id": "good", "text": "new text"}]})).await;
    assert_eq!(again["replaced"], 1);
}

#[tokio::test]
async fn they_are_looked_at_listed_and_removed() {
    let sidecar = Sidecar::start("");
    assert_eq!(sidecar.ask("GET", "/v1/documents", &Value::Null).await.status, 404);
    sidecar.put(&library()).await;
    let one = sidecar.good("GET", "/v1/documents/fish%2F1", &Value::Null).await;
    assert_eq!((&one["id"], &one["text"]), (&json!("fish/1"), &json!("Fish swim in the sea, asleep or not.")));
    assert_eq!(sidecar.ask("GET", "/v1/documents/none", &Value::Null).await.status, 404);

    let page = sidecar.good("GET", "/v1/documents?limit=2", &Value::Null).await;
    assert_eq!(page["documents"], json!([{"id": "cats", "chunks": 1}, {"id": "dogs", "chunks": 1}]));
    let next = page["next"].as_str().unwrap();
    let page = sidecar.good("GET", &format!("/v1/documents?limit=2&after={next}"), &Value::Null).await;
    assert_eq!(page["documents"], json!([{"id": "fish/1", "chunks": 1}]));
    assert_eq!(page["next"], Value::Null);
    let filter = "%7B%22type%22%3A%22eq%22%2C%22key%22%3A%22lang%22%2C%22value%22%3A%22de%22%7D";
    let page = sidecar.good("GET", &format!("/v1/documents?filter={filter}"), &Value::Null).await;
    assert_eq!(page["documents"], json!([{"id": "fish/1", "chunks": 1}]));

    let gone = |chunks: u64| json!({"deleted_chunks": chunks});
    assert_eq!(sidecar.good("DELETE", "/v1/documents/fish%2F1", &Value::Null).await, gone(1));
    assert_eq!(sidecar.good("DELETE", "/v1/documents/fish%2F1", &Value::Null).await, gone(0));
    let which = json!({"filter": {"type": "gt", "key": "year", "value": 2021}});
    assert_eq!(sidecar.good("DELETE", "/v1/documents", &which).await, gone(1));
    assert_eq!(sidecar.good("DELETE", "/v1/documents", &json!({"ids": ["cats", "none"]})).await, gone(1));
    sidecar.put(&library()).await;
    assert_eq!(sidecar.good("DELETE", "/v1/documents", &json!({"all": true})).await, gone(3));
    // What would remove everything by an oversight removes nothing.
    for body in [json!({}), json!({"all": false}), json!({"ids": ["a"], "all": true}), json!({"ids": null})] {
        assert_eq!(sidecar.ask("DELETE", "/v1/documents", &body).await.status, 400, "{body}");
    }
}

#[tokio::test]
async fn where_nothing_may_be_written_nothing_is() {
    let sidecar = Sidecar::start("ingest: { allow_write: false }\nmcp: { store: true }\n");
    for (method, path, body) in [
        ("PUT", "/v1/documents", json!({"documents": library()})),
        ("DELETE", "/v1/documents", json!({"all": true})),
        ("DELETE", "/v1/documents/cats", Value::Null),
    ] {
        let answer = sidecar.ask(method, path, &body).await;
        assert!(answer.status == 403 && answer.text().contains("allow_write"), "{}", answer.text());
    }
    let accept = [("accept", "application/json, text/event-stream"), ("content-type", "application/json")];
    let call = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": {"name": "context-store", "arguments": {"text": "x"}}});
    let answer = sidecar.send("POST", "/mcp", &accept, call.to_string()).await;
    assert!(answer.json()["error"].is_object(), "{}", answer.text());
    assert_eq!(sidecar.ask("GET", "/v1/documents", &Value::Null).await.status, 404);
}

#[tokio::test]
async fn what_has_a_time_to_live_says_so() {
    let sidecar = Sidecar::start("");
    let body = json!({"documents": [{"id": "brief", "text": "short life"}], "ttl_seconds": 3600});
    assert_eq!(sidecar.good("PUT", "/v1/documents", &body).await["created"], 1);
    let kept = sidecar.good("GET", "/v1/documents/brief", &Value::Null).await;
    assert!(kept["expires"].as_u64().unwrap() >= kept["written"].as_u64().unwrap() + 3_600, "{kept}");
}

#[tokio::test]
async fn one_document_that_is_no_utf_8_is_refused_alone() {
    let sidecar = Sidecar::start("");
    let mut body = b"{\"documents\": [{\"id\": \"good\", \"text\": \"Cats \xef\xb7\x90 sleep.\"}, {\"id\": \"bad\", \"text\": \"caf".to_vec();
    body.extend(
        b"\xe9\"}, {\"id\": \"w\xff\", \"text\": \"x\"}, {\"id\": \"other\", \"text\": \"Dogs \xef\xbf\xbd bark.\"}]}",
    );
    let answer = sidecar.send("PUT", "/v1/documents", &[], body).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let told = answer.json();
    let status = |at: usize| (told["results"][at]["id"].clone(), told["results"][at]["status"].clone());
    assert_eq!(status(0), (json!("good"), json!("created")));
    assert_eq!(status(1), (json!("bad"), json!("failed")));
    assert_eq!(status(2), (Value::Null, json!("failed")));
    assert_eq!(status(3), (json!("other"), json!("created")));
    assert!(told["results"][1]["message"].as_str().unwrap().contains("UTF-8"), "{told}");
    let kept = sidecar.good("GET", "/v1/documents/good", &Value::Null).await;
    assert_eq!(kept["text"], "Cats \u{fdd0} sleep.");
    // Where it is in no document, it is nobody's alone.
    assert_eq!(
        sidecar.send("PUT", "/v1/documents", &[], &b"{\"coll\xffection\": 1, \"documents\": []}"[..]).await.status,
        400
    );
}

#[tokio::test]
async fn spans_are_places_in_the_text_that_is_kept() {
    let sidecar = Sidecar::start("");
    let long = format!("\n\n \t{}{}Zebras graze.", "Cats sleep all day. ".repeat(80), " \n".repeat(3_000));
    let far = format!("{}Owls hunt at night.", "\n".repeat(5_000));
    sidecar.put(&json!([{"id": "long", "text": long}, {"id": "far", "text": far}])).await;
    for query in ["cats sleep", "zebras", "owls"] {
        let found = sidecar.good("POST", "/v1/retrieve", &json!({"query": query, "max_tokens": 4_000})).await;
        let results = found["results"].as_array().unwrap();
        assert!(!results.is_empty());
        for result in results {
            let path = format!("/v1/documents/{}", result["document_id"].as_str().unwrap());
            let kept = sidecar.good("GET", &path, &Value::Null).await;
            let text: Vec<char> = kept["text"].as_str().unwrap().chars().collect();
            let place = |name: &str| usize::try_from(result["span"][name].as_u64().unwrap()).unwrap();
            let within: String = text[place("start")..place("end")].iter().collect();
            let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
            assert_eq!(words(&within), words(result["text"].as_str().unwrap()), "{query}");
            let given: Vec<char> = if path.ends_with("long") { &long } else { &far }.chars().collect();
            assert_eq!(words(&within), words(&given[place("start")..place("end")].iter().collect::<String>()));
        }
    }
    let kept = sidecar.good("GET", "/v1/documents/long", &Value::Null).await;
    assert!(kept["text"].as_str().unwrap().starts_with("\n\n \tCats"));
}

#[tokio::test]
async fn a_filter_by_what_no_document_has_is_an_error() {
    let sidecar = Sidecar::start("collections: { papers: { fields: { lang: keyword, year: number } } }\n");
    sidecar.put(&library()).await;
    let filter = |kind: &str, key: &str| json!({"type": kind, "key": key, "value": "en"});
    for (key, says) in [("lagn", "did you mean `lang`?"), ("author", "they have: lang, tags, year"), ("LANG", "`lang`")]
    {
        for kind in ["eq", "ne"] {
            let filter = filter(kind, key);
            let ask = json!({"query": "cats", "filter": filter});
            let listed = format!("/v1/documents?filter={}", filter.to_string().replace('"', "%22"));
            for (method, path, body) in [
                ("POST", "/v1/retrieve", ask),
                ("GET", &listed, Value::Null),
                ("DELETE", "/v1/documents", json!({"filter": filter})),
            ] {
                let answer = sidecar.ask(method, path, &body).await;
                let error = answer.json()["error"].clone();
                assert_eq!((answer.status, &error["param"]), (400, &json!("filter")), "{method} {path}: {error}");
                let told = error["message"].as_str().unwrap();
                assert!(told.contains(&format!("`{key}`")) && told.contains(says), "{told}");
            }
        }
    }
    sidecar.good("POST", "/v1/retrieve", &json!({"query": "cats", "filter": filter("eq", "lang")})).await;
    // What is declared is known, whether any document has it or not; and of nothing, nothing is known.
    let papers = json!({"collection": "papers", "documents": [{"id": "1", "text": "Cats.", "metadata": {"year": "2020"}},
        {"id": "2", "text": "Cats."}]});
    let put = sidecar.good("PUT", "/v1/documents", &papers).await;
    assert_eq!((&put["results"][0]["id"], &put["failed"], &put["created"]), (&json!("1"), &json!(1), &json!(1)));
    assert!(put["results"][0]["message"].as_str().unwrap().starts_with("metadata.year: must be a number"), "{put}");
    let ask = json!({"query": "cats", "collection": "papers", "filter": filter("eq", "lang")});
    assert_eq!(sidecar.good("POST", "/v1/retrieve", &ask).await["results"], json!([]));
    sidecar.good("DELETE", "/v1/documents", &json!({"all": true})).await;
    sidecar.good("POST", "/v1/retrieve", &json!({"query": "cats", "filter": filter("eq", "lagn")})).await;
}

#[tokio::test]
async fn collections_are_listed_and_bounded() {
    let sidecar = Sidecar::start("limits: { collections: 2 }\n");
    let put = |name: &str| json!({"collection": name, "documents": [{"id": "1", "text": "Cats."}]});
    for name in ["one", "two", "one"] {
        sidecar.good("PUT", "/v1/documents", &put(name)).await;
    }
    let refused = sidecar.ask("PUT", "/v1/documents", &put("three")).await;
    assert_eq!((refused.status, &refused.json()["error"]["param"]), (507, &json!("collection")));
    assert!(refused.text().contains("limits.collections"), "{}", refused.text());
    let said = json!({"messages": [{"role": "user", "content": "Cats."}]});
    sidecar.good("POST", "/v1/conversations/talk/messages", &said).await;
    let listed = sidecar.good("GET", "/v1/collections", &Value::Null).await;
    let entry = |name: &str| json!({"name": name, "chunks": 1, "model": null});
    assert_eq!(listed, json!({"collections": [entry("one"), entry("two")]}));
}
