//! `ingest` and `query`: what they are told, and what they tell.

use std::{fs, path::Path, time::Duration};

use serde_json::{Value, json};

use crate::{
    Running, command, done,
    server::{Server, embeddings},
};

fn put(folder: &Path, name: &str, text: impl AsRef<[u8]>) {
    let path = folder.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

async fn ids(running: &Running) -> Vec<String> {
    let page = e2e::http::get(running.data, "/v1/documents?limit=100").await.unwrap().json();
    page["documents"].as_array().unwrap().iter().map(|it| it["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn two_directories_are_beside_each_other_and_what_is_gone_goes() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    for (name, text) in [
        ("a/readme.md", "word one"),
        ("a/old.md", "word old"),
        ("b/readme.md", "word two"),
        ("b/lines.jsonl", "{\"id\": \"x\", \"text\": \"word three\"}"),
    ] {
        put(at, name, text);
    }
    let running = Running::start(at, &[]).await;
    let url = running.url();
    let ingest = |arguments: &[&str]| {
        done(command(&[("CONTEXT_SERVICE_URL", &url)]).arg("ingest").args(arguments).current_dir(at))
    };
    assert_eq!(ingest(&["a", "--prefix", "a"]).0, 0);
    assert_eq!(ingest(&["b", "--prefix", "b/"]).0, 0);
    // A name that begins with the same letters, and one of nobody's prefix.
    assert_eq!(ingest(&["b", "--prefix", "a-b"]).0, 0);
    assert_eq!(ingest(&["a/readme.md"]).0, 0);
    let others = ["a-b/readme.md", "a-b/x", "a/readme.md", "b/readme.md", "b/x", "readme.md"];
    let all = ["a-b/readme.md", "a-b/x", "a/old.md", "a/readme.md", "b/readme.md", "b/x", "readme.md"];
    assert_eq!(ids(&running).await, all);

    fs::remove_file(at.join("a/old.md")).unwrap();
    let prune = ["a", "--prefix", "a", "--prune"];
    let (code, said, complained) = ingest(&[&prune[..], &["--dry-run"]].concat());
    assert!(
        code == 0 && said.contains("1 documents would be put in") && said.contains("would be removed: 1"),
        "{said}"
    );
    assert!(complained.contains("would be removed (1):\n  a/old.md"), "{complained}");
    assert_eq!(ids(&running).await, all);
    // What cannot be read may be what is there.
    put(at, "a/lines.jsonl", "no json\n");
    let (code, said, _) = ingest(&prune);
    assert!(code == 65 && said.contains("nothing was removed: "), "{said}");
    assert_eq!(ids(&running).await, all);
    fs::remove_file(at.join("a/lines.jsonl")).unwrap();
    // A file that cannot be read stays as it was.
    put(at, "a/readme.md", b"word \xff");
    let (code, said, complained) = ingest(&prune);
    assert!(code == 65 && said.contains("removed: 1"), "{said}");
    assert!(complained.contains("being removed (1):\n  a/old.md"), "{complained}");
    assert_eq!(ids(&running).await, others);
    // Nothing is removed by somebody who does not say below what, or has no directory.
    assert_eq!(ingest(&["a", "--prune"]).0, 64);
    assert_eq!(ingest(&["b/readme.md", "--prefix", "b", "--prune"]).0, 64);
    assert_eq!(ingest(&["b", "--prefix", "/"]).0, 64);
    fs::create_dir(at.join("empty")).unwrap();
    assert_eq!(ingest(&["empty", "--prefix", "b", "--prune"]).0, 66);
    assert_eq!(ids(&running).await, others);
}

#[tokio::test]
async fn what_is_not_in_is_told_with_its_place_and_why() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    put(
        at,
        "docs/lines.jsonl",
        "{\"id\": \"a\", \"text\": \"word\"}\n{\"id\": \"b\", \"text\": \" \"}\n{\"id\": \"a\", \"text\": \"c\"}\n{\n",
    );
    put(at, "docs/latin.txt", b"gr\xfcn");
    for name in ["a.png", "b.png", "c.png", "d.png", ".git/config", "Makefile"] {
        put(&at.join("docs"), name, "x");
    }
    let running = Running::start(at, &[]).await;
    let url = running.url();
    let ingest = |arguments: &[&str]| {
        done(command(&[("CONTEXT_SERVICE_URL", &url)]).arg("ingest").args(arguments).current_dir(at))
    };
    let (code, said, complained) = ingest(&["docs"]);
    assert_eq!(code, 65);
    let left_out = "left out: 4 .png (a.png, b.png, c.png, ...); 1 hidden (.git); 1 no ending (Makefile)";
    assert!(said.contains(left_out) && said.contains("mend what is told above"), "{said}");
    let lines: Vec<&str> = complained.lines().collect();
    assert!(
        lines[0].starts_with("latin.txt: is no UTF-8 text") && lines[0].contains("iconv -f ISO-8859-1"),
        "{lines:?}"
    );
    assert_eq!(
        lines[1..],
        [
            "lines.jsonl:3: has the id of one before it (a): give it another one",
            "lines.jsonl:4: is no JSON",
            "lines.jsonl:2: text: is empty"
        ]
    );
    let (code, said, _) = ingest(&["docs", "--json", "--quiet"]);
    let told: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((code, &told["unchanged"], &told["failed"], &told["stopped"]), (65, &json!(1), &json!(4), &Value::Null));
    assert_eq!(told["failures"][3], json!({"place": "lines.jsonl:2", "message": "text: is empty"}));
    assert_eq!(told["left_out"][0], json!({"why": ".png", "count": 4, "examples": ["a.png", "b.png", "c.png"]}));
    // Quiet is quiet.
    put(at, "one.md", "word");
    assert_eq!(ingest(&["one.md", "--quiet"]), (0, String::new(), String::new()));
    fs::create_dir(at.join("empty")).unwrap();
    put(at, "pictures/a.png", "x");
    let (code, _, complained) = ingest(&["empty"]);
    assert!(code == 66 && complained.starts_with("empty: there is no text"), "{complained}");
    let (code, said, complained) = ingest(&["pictures", "--json"]);
    assert!(code == 66 && complained.contains("left out: 1 .png (a.png)"), "{complained}");
    assert!(serde_json::from_str::<Value>(&said).unwrap()["stopped"].is_string());
}

#[tokio::test]
async fn a_tenant_is_named_and_proven() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    put(at, "token", "secret-token\n");
    put(at, "one.md", "word");
    let token = at.join("token");
    let tokens = [("CONTEXT_TOKEN_FILE", token.to_str().unwrap()), ("CONTEXT_TENANT", "")];
    let running = Running::start(at, &tokens).await;
    let url = running.url();
    let asks = || command(&[("CONTEXT_SERVICE_URL", &url), tokens[0]]);
    let one = at.join("one.md");
    let (code, _, complained) = done(asks().arg("ingest").arg(&one));
    assert!(code == 77 && complained.contains("--tenant NAME") && !complained.contains("secret"), "{complained}");
    assert!(complained.ends_with("mend that first\n"), "{complained}");
    assert_eq!(done(asks().arg("ingest").arg(&one).args(["--tenant", "acme"])).0, 0);
    assert_eq!(done(asks().args(["query", "word", "--tenant", "acme"])).0, 0);
    // The collection is there, and nothing of anybody else's.
    assert_eq!(done(asks().args(["query", "word", "--tenant", "globex"])).0, 1);
    assert_eq!(done(asks().env("CONTEXT_TENANT", "globex").args(["query", "word", "--tenant", "acme"])).0, 0);
}

#[tokio::test]
async fn a_question_says_what_it_wants_and_the_answer_what_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    put(at, "docs/old.md", "---\nyear: 2020\nlang: en\n---\nword \u{1b}[31mred");
    put(at, "docs/new.md", "---\nyear: 2024\nlang: en\ntitle: News\n---\nword");
    let running = Running::start(at, &[]).await;
    let url = running.url();
    let asks = |arguments: &[&str]| done(command(&[("CONTEXT_SERVICE_URL", &url)]).args(arguments).current_dir(at));
    assert_eq!(asks(&["ingest", "docs"]).0, 0);
    let (code, said, _) = asks(&["query", "word", "--filter", "year=2024", "--filter", "lang=en", "--mode", "lexical"]);
    assert!(code == 0 && said.contains("[1] News (new.md, 0-4)") && !said.contains("old.md"), "{said}");
    let (code, said, _) =
        asks(&["query", "word", "--filter", "{\"type\": \"lt\", \"key\": \"year\", \"value\": 2021}"]);
    assert!(code == 0 && said.contains("(old.md, 0-") && !said.contains('\u{1b}'), "{said}");
    assert_eq!(asks(&["query", "word", "--filter", "year=1999"]).0, 1);
    let (code, said, _) = asks(&["query", "word", "--max-tokens", "200", "--explain"]);
    assert!(
        code == 0 && said.contains("[1]") && said.contains(" tokens, ") && said.contains("(new.md, 0-4)"),
        "{said}"
    );
    let (code, said, _) = asks(&["query", "word", "--json", "--explain"]);
    assert!(code == 0 && serde_json::from_str::<Value>(&said).unwrap()["explain"].is_object(), "{said}");
    assert_eq!(asks(&["query", "word", "--mode", "magic"]).0, 64);
    assert_eq!(asks(&["query", "word", "--filter", "year"]).0, 64);
    let (code, _, complained) = asks(&["query", "word", "--mode", "dense"]);
    assert!(code == 65 && complained.contains("mode"), "{complained}");
}

#[tokio::test]
async fn who_is_gone_is_waited_for_and_not_in_silence() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    put(at, "docs/one.md", "word");
    // Nobody embeds, until somebody does.
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = nobody.local_addr().unwrap();
    drop(nobody);
    let embedder = format!("http://{address}/v1");
    let running = Running::start(at, &[("EMBEDDINGS_MODEL", "m"), ("EMBEDDINGS_URL", &embedder)]).await;
    let url = running.url();
    let mut asking = command(&[("CONTEXT_SERVICE_URL", &url)]);
    let mut process = e2e::process::Process::start(asking.arg("ingest").arg(at.join("docs"))).unwrap();
    let told = async {
        while !process.stderr.text().contains("trying again") {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let waited = tokio::time::timeout(crate::PATIENCE, told).await;
    assert!(waited.is_ok(), "nothing is said:\n{}", process.stderr.text());
    let _server = Server::at(address, |_, request| embeddings(request)).await;
    assert_eq!(process.wait(2 * crate::PATIENCE).await.unwrap().code(), Some(0), "{}", process.stderr.text());
    assert!(process.stdout.text().starts_with("1 files: 1 documents created"), "{}", process.stdout.text());
}

#[tokio::test]
async fn a_body_without_end_costs_no_more_than_its_limit() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config.yaml");
    fs::write(&config, "limits: { max_body: 4MiB }\n").unwrap();
    let running = Running::start(folder.path(), &[("CONTEXT_CONFIG", config.to_str().unwrap())]).await;
    let peak = || {
        let status = fs::read_to_string(format!("/proc/{}/status", running.process.id())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap()
    };
    let before = peak();
    for head in ["content-length: 104857600", "transfer-encoding: chunked"] {
        let mut stream = tokio::net::TcpStream::connect(running.data).await.unwrap();
        let head = format!("PUT /v1/documents?id=x HTTP/1.1\r\nhost: a\r\ncontent-type: text/html\r\n{head}\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        let (mut reader, mut writer) = stream.split();
        let mib = [b"100000\r\n".as_slice(), &vec![b'x'; 1 << 20], b"\r\n"].concat();
        let writing = async {
            // It is not taken to its end.
            for _ in 0..100 {
                if writer.write_all(&mib).await.is_err() {
                    break;
                }
            }
            std::future::pending::<()>().await;
        };
        let mut answer = vec![0; 1_024];
        let reading = async {
            let length = reader.read(&mut answer).await.unwrap();
            String::from_utf8_lossy(&answer[..length]).into_owned()
        };
        let answer = tokio::select! { answer = reading => answer, () = writing => unreachable!() };
        assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    }
    let grown = peak() - before;
    assert!(grown < 40 << 10, "{grown} KiB more for 100 MiB");
}
