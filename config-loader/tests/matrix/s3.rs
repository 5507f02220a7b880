//! Objects: in PyPI's moto server, and in such as only look like S3.

use std::{net::SocketAddr, process::Command, time::Duration};

use e2e::harness::free_port;
use serde_json::{Value, json};

use crate::{
    case::{Case, Job, each, stands, succeeds},
    content,
    pod::Pod,
    set::{Set, Source},
    support::{
        http::{Reply, Then, gzip},
        process::{Server, program, say},
    },
    target,
    web::{Script, serve, stop},
};

pub(crate) const ABSENT: &str = "there is no moto_server (pip install 'moto[server]')";

/// A server that keeps objects.
pub(crate) struct Moto {
    _server: Server,
    pub(crate) address: SocketAddr,
}

impl Moto {
    /// `None` where there is none.
    pub(crate) fn start() -> Option<Self> {
        let address = free_port();
        let mut command = Command::new(program("moto_server")?);
        let server = Server::start(command.args(["-H", "127.0.0.1", "-p", &address.port().to_string()]), address);
        let moto = Self { _server: server, address };
        moto.ask("PUT", "/prompts", b"");
        Some(moto)
    }

    /// One request that is not looked at closely.
    fn ask(&self, method: &str, target: &str, body: &[u8]) {
        let who =
            "AWS4-HMAC-SHA256 Credential=testing/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0";
        let head = format!("{method} {target} HTTP/1.0\r\nhost: {}\r\nauthorization: {who}\r\n", self.address);
        let head = format!("{head}content-type: text/plain\r\ncontent-length: {}\r\n\r\n", body.len());
        let answer = say(self.address, &[head.as_bytes(), body].concat());
        assert!(answer.contains(" 200 ") || answer.contains(" 204 "), "{method} {target}: {answer}");
    }
}

impl Source for Moto {
    fn having(&self, name: &str, bytes: &[u8]) -> Value {
        self.ask("PUT", &format!("/prompts/{name}"), bytes);
        source(&self.place(name), self.address)
    }

    fn place(&self, name: &str) -> String {
        format!("s3://prompts/{name}")
    }

    fn environment(&self) -> Vec<(String, String)> {
        keys()
    }
}

fn source(url: &str, address: SocketAddr) -> Value {
    json!({"s3": {"url": url, "endpoint": format!("http://{address}")}})
}

pub(crate) fn keys() -> Vec<(String, String)> {
    let keys = [("ACCESS_KEY_ID", "testing"), ("SECRET_ACCESS_KEY", "canary"), ("SESSION_TOKEN", "canary")];
    keys.map(|(name, value)| (format!("AWS_{name}"), value.to_owned())).to_vec()
}

#[test]
fn what_comes_and_where_it_goes() {
    let Some(moto) = Moto::start() else { e2e::skip!("{ABSENT}") };
    let mut jobs: Vec<Job<'_>> = content::faults(&moto).into_iter().chain(target::faults(&moto)).collect();
    jobs.push(("no such object".to_owned(), Box::new(|| gone(&moto))));
    jobs.push(("no such bucket".to_owned(), Box::new(|| no_bucket(&moto))));
    jobs.push(("no credentials".to_owned(), Box::new(|| half_a_key(&moto))));
    each(jobs);

    // From now on, it looks at who asks.
    let set = Set::of("text", moto.having("a", b"canary")).with(keys());
    let fault = || {
        moto.ask("POST", "/moto-api/reset-auth", b"0");
        set.clone()
    };
    let case = Case::of("s3://prompts/a", 77, "access is denied (403, InvalidAccessKeyId)", "allow s3:GetObject on it");
    stands(&Pod::new(), &set, fault, &case);
}

fn gone(moto: &Moto) {
    let set = Set::of("text", moto.having("gone", b"canary")).with(keys());
    let fault = || {
        moto.ask("DELETE", "/prompts/gone", b"");
        set.clone()
    };
    let case =
        Case::of("s3://prompts/gone", 69, "there is no such object (404, NoSuchKey)", "upload it, or correct the key");
    stands(&Pod::new(), &set, fault, &case);
}

fn no_bucket(moto: &Moto) {
    let set = Set::of("text", moto.having("bucket", b"canary")).with(keys());
    let fault = || Set { source: source("s3://elsewhere/bucket", moto.address), ..set.clone() };
    let case = Case::of("s3://elsewhere/bucket", 69, "there is no such bucket", "correct the bucket");
    stands(&Pod::new(), &set, fault, &case);
}

fn half_a_key(moto: &Moto) {
    let set = Set::of("text", moto.having("half", b"canary")).with(keys());
    let fault = || set.clone().with(keys().split_off(1));
    let case = Case {
        code: 78,
        begins: "tested: s3://prompts/half: ".to_owned(),
        says: "Missing AccessKeyId",
        hint: "correct the variables AWS_*",
        place: String::new(),
    };
    stands(&Pod::new(), &set, fault, &case);
}

/// A fault, how long it is waited for, the answer it is, and the code and words that it becomes.
type Row = (&'static str, &'static str, fn() -> Reply, i32, &'static str, &'static str);

const LONG: &str = "40s";
const SHORT: &str = "3s";
const RAISE: &str = "CONFIG_LOADER_DEADLINE";
const LOGS: &str = "look at the server's own logs";
const LIMIT: &str = "max_size or limits.file";

const ROWS: [Row; 18] = [
    ("hangs", SHORT, || Reply::raw("").then(Then::Hang), 75, "did not come to its end before the deadline", RAISE),
    ("hangs half way", SHORT, || announcing("content-length: 100").then(Then::Hang), 75, "before the deadline", RAISE),
    ("drips", SHORT, || announcing("content-length: 9999").then(drip()), 75, "before the deadline", RAISE),
    ("cuts before it answers", SHORT, || Reply::raw(""), 69, "was cut off", LOGS),
    ("cuts half way", SHORT, || announcing("content-length: 100"), 69, "was cut off", LOGS),
    (
        "announces less than comes",
        LONG,
        || announcing("content-length: 10"),
        65,
        "is not strict JSON: line 1, column 10",
        "jq",
    ),
    ("announces nothing", LONG, || announcing("server: canary"), 69, "what answers is not S3", "check the endpoint"),
    (
        "401",
        LONG,
        || Reply::new("401 Unauthorized", &[], "canary"),
        77,
        "the credentials are refused (401)",
        "renew the credentials",
    ),
    (
        "403",
        LONG,
        || error("403 Forbidden", "AccessDenied"),
        77,
        "access is denied (403, AccessDenied)",
        "allow s3:GetObject on it",
    ),
    (
        "an expired token",
        LONG,
        || error("400 Bad Request", "ExpiredToken"),
        77,
        "the credentials are refused (400, ExpiredToken)",
        "renew the credentials",
    ),
    (
        "404",
        LONG,
        || Reply::new("404 Not Found", &[], "canary"),
        69,
        "there is no such object (404)",
        "upload it, or correct the key",
    ),
    ("500", SHORT, || Reply::new("500 Internal Server Error", &[], "canary"), 69, "S3 is busy or broken (500)", LOGS),
    ("slow down", SHORT, || error("503 Slow Down", "SlowDown"), 69, "S3 is busy or broken (503, SlowDown)", LOGS),
    ("a login page", LONG, page, 65, "is an HTML page", "look at the address with curl"),
    (
        "10 GiB",
        LONG,
        || announcing("content-length: 10737418240").then(endless()),
        65,
        "has 10737418240 bytes, more than",
        LIMIT,
    ),
    ("a gzip bomb", LONG, bomb, 65, "is not UTF-8 text", "save it as UTF-8"),
    (
        "a redirect loop",
        LONG,
        || Reply::redirect("/prompts/a?canary"),
        78,
        "its bucket is in another region (302)",
        "correct region or endpoint",
    ),
    (
        "a redirect to metadata",
        LONG,
        || Reply::redirect("http://169.254.169.254/?canary"),
        78,
        "its bucket is in another region (302)",
        "correct region or endpoint",
    ),
];

const OBJECT: [&str; 2] = ["last-modified: Thu, 01 Jan 2026 00:00:00 GMT", "etag: \"1\""];

fn announcing(header: &str) -> Reply {
    Reply::raw(format!("HTTP/1.1 200 OK\r\n{}\r\n{}\r\n{header}\r\n\r\n{{\"a\": \"canary\"}}", OBJECT[0], OBJECT[1]))
}

fn error(status: &str, code: &str) -> Reply {
    Reply::new(status, &[], format!("<Error><Code>{code}</Code><Message>canary</Message></Error>"))
}

fn page() -> Reply {
    Reply::new("200 OK", &[&OBJECT[..], &["content-type: text/html"]].concat(), "<html>canary")
}

fn bomb() -> Reply {
    let headers = [&OBJECT[..], &["content-encoding: gzip"]].concat();
    Reply::new("200 OK", &headers, gzip(&[0; 1 << 20]).repeat(10 << 10))
}

fn drip() -> Then {
    Then::Drip(vec![b'x'; 9999], Duration::from_millis(30))
}

fn endless() -> Then {
    Then::Repeat(vec![b'x'; 1 << 16])
}

fn good() -> Reply {
    Reply::new("200 OK", &OBJECT, "{\"a\": \"canary\"}")
}

fn wrong(row: &'static Row) -> Job<'static> {
    let (name, within, reply, code, says, hint) = *row;
    let job = move || {
        let script = Script::good(good());
        let answers = script.clone();
        let server = serve(move |_| answers.next());
        let set = Set::of("json", source("s3://prompts/a", server.address)).with(keys());
        let fault = || {
            script.turn(vec![reply()]);
            set.clone().within(within)
        };
        stands(&Pod::new(), &set, fault, &Case::of("s3://prompts/a", code, says, hint));
    };
    (name.to_owned(), Box::new(job))
}

#[test]
fn what_a_server_does_wrong() {
    let mut jobs: Vec<Job<'_>> = ROWS.iter().map(wrong).collect();
    jobs.push(("down".to_owned(), Box::new(down)));
    jobs.push(("500 twice, then up again".to_owned(), Box::new(recovers)));
    each(jobs);
}

fn down() {
    let server = serve(|_| good());
    let set = Set::of("json", source("s3://prompts/a", server.address)).with(keys());
    let fault = || {
        stop(&server);
        set.clone().within(SHORT)
    };
    let case = Case::of(
        "s3://prompts/a",
        69,
        "the server cannot be connected to (Connection refused",
        "check endpoint, region",
    );
    stands(&Pod::new(), &set, fault, &case);
}

fn recovers() {
    let script = Script::good(Reply::new("500 Internal Server Error", &[], "canary"));
    let broken = || Reply::new("500 Internal Server Error", &[], "canary");
    script.turn(vec![broken(), broken(), good()]);
    let server = serve(move |_| script.next());
    let set = Set::of("json", source("s3://prompts/a", server.address)).with(keys());
    succeeds(&Pod::new(), &set, b"{\"a\": \"canary\"}");
    assert_eq!(server.asked().len(), 3);
}
