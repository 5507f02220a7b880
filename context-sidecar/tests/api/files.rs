//! Files sent as they are, and documents that are none: what is wrong is told by item, and nothing of it is kept.

use serde_json::{Value, json};

use crate::Sidecar;

async fn send(sidecar: &Sidecar, query: &str, kind: &str, body: impl Into<bytes::Bytes>) -> (u16, Value) {
    let answer = sidecar.send("PUT", &format!("/v1/documents{query}"), &[("content-type", kind)], body).await;
    (answer.status, answer.json())
}

async fn listed(sidecar: &Sidecar) -> Vec<String> {
    let page = sidecar.good("GET", "/v1/documents", &Value::Null).await;
    page["documents"].as_array().unwrap().iter().map(|it| it["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_file_is_a_document_and_lines_are_many() {
    let sidecar = Sidecar::start("");
    let markdown = "---\ntitle: Front\ntags: [a]\ntenant: globex\n---\n\nsee [it](https://example.org) <!-- no -->\n";
    let (status, answer) = send(&sidecar, "?id=guide.md", "text/markdown; charset=utf-8", markdown).await;
    assert_eq!((status, &answer["created"]), (200, &json!(1)), "{answer}");
    let kept = sidecar.good("GET", "/v1/documents/guide.md", &Value::Null).await;
    assert_eq!((&kept["title"], &kept["text"]), (&json!("Front"), &json!("see it")), "{kept}");
    assert_eq!(kept["metadata"], json!({"tags": ["a"]}));
    let page = "<title>T</title><nav>menu</nav><p>word";
    let (_, answer) = send(&sidecar, "?id=p&title=Mine&url=https%3A%2F%2Fa%2Fb", "text/html", page).await;
    assert_eq!(answer["created"], 1, "{answer}");
    let kept = sidecar.good("GET", "/v1/documents/p", &Value::Null).await;
    assert_eq!((&kept["title"], &kept["text"], &kept["url"]), (&json!("Mine"), &json!("word"), &json!("https://a/b")));
    let (_, answer) = send(&sidecar, "?id=t&ttl_seconds=100", "text/plain", "plain").await;
    assert_eq!(answer["created"], 1, "{answer}");
    assert!(sidecar.good("GET", "/v1/documents/t", &Value::Null).await["expires"].is_u64());
    // A span counts in the text that is kept.
    let found = sidecar.good("POST", "/v1/retrieve", &json!({"query": "see it"})).await;
    assert_eq!(found["results"][0]["span"], json!({"start": 0, "end": 6}), "{found}");

    let lines =
        "{\"id\": \"a\", \"text\": \"one\"}\nno json\n{\"text\": \"no id\"}\n{\"id\": \"a\", \"text\": \"two\"}\n";
    let (status, answer) = send(&sidecar, "", "application/x-ndjson", lines).await;
    let told: Vec<_> = answer["results"].as_array().unwrap().iter().map(|it| it["message"].as_str()).collect();
    assert_eq!(status, 200);
    assert_eq!(told[..3], [None, Some("line 2: is no JSON"), Some("line 3: id: is missing")]);
    assert!(told[3].unwrap().contains("same id"), "{answer}");
    assert_eq!(answer["results"][1]["type"], "invalid_request_error");
    let (_, answer) =
        send(&sidecar, "?id=more", "application/x-ndjson", "\n{\"text\": \"named after its place\"}").await;
    assert_eq!(answer["results"][0]["id"], "more:2");
    let document = sidecar.good("GET", "/openapi.json", &Value::Null).await;
    let content = &document["paths"]["/v1/documents"]["put"]["requestBody"]["content"];
    for kind in ["application/json", "text/plain", "text/markdown", "text/html", "application/x-ndjson"] {
        assert!(content[kind]["schema"].is_object(), "{kind}: {content}");
    }
    // JSON as JavaScript sends it, and as curl does.
    for kind in ["text/plain;charset=UTF-8", "application/x-www-form-urlencoded", "application/json"] {
        let (status, answer) = send(&sidecar, "", kind, json!({"documents": []}).to_string()).await;
        assert_eq!(status, 200, "{kind}: {answer}");
    }
}

#[tokio::test]
async fn a_file_that_is_none_is_refused_in_words() {
    let sidecar = Sidecar::start("ingest: { max_document: 1KiB }\n");
    let large = "word ".repeat(1_000);
    for (kind, body, says) in [
        ("text/plain", b"".to_vec(), "is empty"),
        ("text/markdown", b" \n".to_vec(), "is empty"),
        ("text/html", b"<script>x</script>".to_vec(), "is empty"),
        ("text/plain", b"a\0b".to_vec(), "is binary"),
        ("text/plain", b"gr\xfcn".to_vec(), "ISO-8859-1"),
        ("text/markdown", b"---\na: b: c\n---\ntext".to_vec(), "front matter"),
        ("text/html", large.into_bytes(), "ingest.max_document"),
    ] {
        let (status, answer) = send(&sidecar, "?id=x", kind, body).await;
        let message = answer["results"][0]["message"].as_str().unwrap();
        assert!(status == 200 && answer["failed"] == 1 && message.contains(says), "{kind}: {answer}");
    }
    for (query, kind, param) in [
        ("", "text/markdown", "id"),
        ("?id=", "text/html", "id"),
        ("?id=x", "multipart/form-data; boundary=x", "content-type"),
        ("?id=x", "application/pdf", "content-type"),
        ("?id=x", "application/json", "id"),
        ("?title=x", "application/x-ndjson", "title"),
        ("?id=x&ttl_seconds=0", "text/html", "ttl_seconds"),
        ("?id=x&tenant=y", "text/html", "tenant"),
        ("?id=x&collection=..", "text/html", "collection"),
    ] {
        let (status, answer) = send(&sidecar, query, kind, "text").await;
        assert_eq!((status, &answer["error"]["param"]), (400, &json!(param)), "{query} {kind}: {answer}");
    }
    assert_eq!(listed(&sidecar).await, [""; 0]);
}

#[tokio::test]
async fn hostile_metadata_harms_its_own_document_only() {
    let sidecar = Sidecar::start("");
    let nested = format!("{}1{}", "[".repeat(5_000), "]".repeat(5_000));
    let many: serde_json::Map<String, Value> = (0..10_000).map(|key| (format!("k{key}"), json!(1))).collect();
    let with = |id: &str, metadata: &str| format!("{{\"id\": \"{id}\", \"text\": \"word\", \"metadata\": {metadata}}}");
    let documents = [
        with("good", "{\"n\": 1e300, \"_x\": 1, \"tenant\": \"globex\"}"),
        with("nested", &format!("{{\"a\": {nested}}}")),
        with("many", &Value::Object(many).to_string()),
        with("huge", "{\"a\": 1e999}"),
        with("digits", &format!("{{\"a\": {}}}", "9".repeat(400))),
        with("key", &format!("{{\"{}\": 1}}", "k".repeat(1_000))),
        with("list", "[1]"),
        with("also-good", "null"),
    ];
    let (status, answer) =
        send(&sidecar, "", "application/json", format!("{{\"documents\": [{}]}}", documents.join(","))).await;
    assert_eq!((status, &answer["created"], &answer["failed"]), (200, &json!(2), &json!(6)), "{answer}");
    for (index, says) in
        [(1, "too deeply"), (2, "10000 keys"), (3, "too large"), (4, "too large"), (5, "a key"), (6, "")]
    {
        let item = &answer["results"][index];
        let message = item["message"].as_str().unwrap();
        assert!(message.contains("metadata") || message.contains("too "), "{item}");
        assert!(message.contains(says) && message.len() < 300, "{item}");
        assert_eq!(item["type"], "invalid_request_error");
    }
    assert_eq!(listed(&sidecar).await, ["also-good", "good"]);
    let good = sidecar.good("GET", "/v1/documents/good", &Value::Null).await;
    assert_eq!(good["metadata"], json!({"n": 1e300}));
    // What is no UTF-8 harms its own document, too.
    let broken = b"{\"documents\": [{\"id\": \"x\", \"text\": \"\xff\"}]}".to_vec();
    let (status, answer) = send(&sidecar, "", "application/json", broken).await;
    assert_eq!((status, &answer["failed"], &answer["results"][0]["id"]), (200, &json!(1), &json!("x")), "{answer}");
    assert_eq!(listed(&sidecar).await, ["also-good", "good"]);
}
