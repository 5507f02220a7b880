//! Keys in Redis: Debian's own server, and such as only look like one.

use std::{fs, net::SocketAddr, process::Command, time::Duration};

use e2e::harness::free_port;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    case::{Case, Job, each, stands},
    content,
    pod::Pod,
    set::{Set, Source},
    support::{
        process::{Certificate, Server, program, say},
        scripted::{endless, short},
    },
    target,
};

pub(crate) const ABSENT: &str = "there is no redis-server (apt-get install redis-server)";
const PASSWORD: &str = "canary-password";

/// A server with a password, and the file that has it.
pub(crate) struct Redis {
    server: Option<Server>,
    pub(crate) address: SocketAddr,
    secrets: TempDir,
}

impl Redis {
    /// `None` where there is none.
    fn start() -> Option<Self> {
        Self::start_with(&[])
    }

    pub(crate) fn start_with(more: &[&str]) -> Option<Self> {
        let (address, secrets) = (free_port(), tempfile::tempdir().unwrap());
        let mut command = Command::new(program("redis-server")?);
        command.args([
            "--port",
            &address.port().to_string(),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--appendonly",
            "no",
        ]);
        command.args(["--requirepass", PASSWORD]).args(more).current_dir(secrets.path());
        let server = Some(Server::start(&mut command, address));
        fs::write(secrets.path().join("password"), format!("{PASSWORD}\n")).unwrap();
        fs::write(secrets.path().join("wrong"), "canary-guess").unwrap();
        Some(Self { server, address, secrets })
    }

    fn ask(&self, words: &[&[u8]]) {
        let mut said = Vec::new();
        for words in [&[b"AUTH", PASSWORD.as_bytes()][..], words] {
            said.extend(format!("*{}\r\n", words.len()).bytes());
            for word in words {
                said.extend(format!("${}\r\n", word.len()).bytes().chain(word.iter().copied()).chain(*b"\r\n"));
            }
        }
        let answer = say(self.address, &said);
        assert!(!answer.contains('-'), "{answer}");
    }

    fn source(&self, url: &str, name: &str, password: &str) -> Value {
        json!({"redis": {"url": url, "key": name, "password_file": self.secrets.path().join(password)}})
    }

    fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    /// The good set.
    fn set(&self, name: &str) -> Set {
        Set::of("text", self.having(name, b"canary"))
    }
}

impl Source for Redis {
    fn having(&self, name: &str, bytes: &[u8]) -> Value {
        self.ask(&[b"SET", name.as_bytes(), bytes]);
        self.source(&self.url(), name, "password")
    }

    fn place(&self, name: &str) -> String {
        place(self.address, name)
    }
}

fn place(address: SocketAddr, name: &str) -> String {
    format!("redis://{address}/0 key {name}")
}

#[test]
fn what_comes_and_where_it_goes() {
    let Some(redis) = Redis::start() else { e2e::skip!("{ABSENT}") };
    each(content::faults(&redis).into_iter().chain(target::faults(&redis)).collect());
}

/// What happens to a key, with which password it is asked for, and what that becomes.
type Row = (&'static str, fn(&Redis, &str), &'static str, i32, &'static str, &'static str);

const ROWS: [Row; 3] = [
    (
        "no-such-key",
        |redis, key| redis.ask(&[b"DEL", key.as_bytes()]),
        "password",
        69,
        "there is no such key",
        "set it, or correct the key",
    ),
    ("a-list", as_list, "password", 65, "its value is no string", "store the file with SET"),
    ("a-wrong-password", |_, _| (), "wrong", 77, "refuses the password", "check the user `default` and"),
];

fn as_list(redis: &Redis, key: &str) {
    redis.ask(&[b"DEL", key.as_bytes()]);
    redis.ask(&[b"LPUSH", key.as_bytes(), b"canary"]);
}

#[test]
fn what_redis_says() {
    let Some(redis) = Redis::start() else { e2e::skip!("{ABSENT}") };
    let mut jobs: Vec<Job<'_>> = Vec::new();
    for (name, happens, password, code, says, hint) in ROWS {
        let redis = &redis;
        let job = move || {
            let fault = || {
                happens(redis, name);
                Set::of("text", redis.source(&redis.url(), name, password))
            };
            stands(&Pod::new(), &redis.set(name), fault, &Case::of(&redis.place(name), code, says, hint));
        };
        jobs.push((name.to_owned(), Box::new(job)));
    }
    jobs.push(("no password".to_owned(), Box::new(|| without_password(&redis))));
    jobs.push(("a password in the URL".to_owned(), Box::new(|| password_in_url(&redis))));
    jobs.push(("TLS with what has none".to_owned(), Box::new(|| tls_with_plain(&redis))));
    each(jobs);
}

fn without_password(redis: &Redis) {
    let source = json!({"redis": {"url": redis.url(), "key": "open"}});
    let case = Case::of(&redis.place("open"), 77, "wants a password", "set password_file");
    stands(&Pod::new(), &redis.set("open"), || Set::of("text", source), &case);
}

fn password_in_url(redis: &Redis) {
    let url = redis.url().replace("redis://", "redis://:canary@");
    let place = "files[0].source.redis.url".to_owned();
    let case =
        Case { code: 78, begins: place, says: "has credentials in it", hint: "password_file", place: String::new() };
    stands(&Pod::new(), &redis.set("url"), || Set::of("text", redis.source(&url, "url", "password")), &case);
}

/// Redis takes the greeting for a command that is not complete: the loader waits ten seconds for an answer, and keeps
/// some of the deadline for what comes after it.
fn tls_with_plain(redis: &Redis) {
    let url = redis.url().replace("redis://", "rediss://");
    let case = Case::of(&redis.place("tls").replace("redis://", "rediss://"), 69, "TLS", "write redis://");
    let fault = || Set::of("text", redis.source(&url, "tls", "password")).within("16s");
    stands(&Pod::new(), &redis.set("tls"), fault, &case);
}

#[test]
fn redis_that_is_down_or_hangs() {
    let (Some(mut down), Some(paused)) = (Redis::start(), Redis::start()) else { e2e::skip!("{ABSENT}") };
    let case = Case::of(&down.place("a"), 69, "cannot be connected to (Connection refused", "check host, port and");
    let good = down.set("a");
    let fault = || {
        down.server = None;
        good.clone().within("3s")
    };
    stands(&Pod::new(), &good, fault, &case);

    let case =
        Case::of(&paused.place("a"), 75, "did not come to its end before the deadline", "CONFIG_LOADER_DEADLINE");
    let fault = || {
        paused.server.as_ref().unwrap().pause();
        paused.source(&paused.url(), "a", "password")
    };
    stands(&Pod::new(), &paused.set("a"), || Set::of("text", fault()).within("3s"), &case);
}

#[test]
fn no_tls_with_what_speaks_it() {
    let (certificate, tls) = (Certificate::new(), free_port());
    let (pem, key, port) = (certificate.certificate(), certificate.key(), tls.port().to_string());
    let arguments = ["--tls-port", &port, "--tls-cert-file", &pem, "--tls-key-file", &key, "--tls-auth-clients", "no"];
    let Some(redis) = Redis::start_with(&[&arguments[..], &["--tls-ca-cert-file", &pem]].concat()) else {
        e2e::skip!("{ABSENT}")
    };
    let pod = Pod::new();
    let plain = redis.source(&format!("redis://localhost:{port}"), "a", "password");
    let plain_place = format!("redis://localhost:{port}/0 key a");
    let case = Case::of(&plain_place, 69, "the connection was cut off", "if it speaks TLS, write rediss://");
    stands(&pod, &redis.set("a"), || Set::of("text", plain).within("3s"), &case);

    let over = || Set::of("text", redis.source(&format!("rediss://localhost:{port}"), "a", "password"));
    let place = plain_place.replace("redis://", "rediss://");
    let case = Case::of(&place, 69, "its certificate is not to be trusted", "SSL_CERT_FILE");
    let trusting = vec![("SSL_CERT_FILE".to_owned(), pem.clone())];
    stands(&pod, &over().with(trusting), over, &case);
}

#[test]
fn what_is_no_redis_or_none_that_works() {
    let Some(redis) = Redis::start() else { e2e::skip!("{ABSENT}") };
    let now = Duration::ZERO;
    let rows: [(&str, SocketAddr, &str, i32, &str, &str); 8] = [
        (
            "drips",
            endless(&[":9\r\n"], b"\r", Duration::from_millis(30)),
            "3s",
            75,
            "before the deadline",
            "CONFIG_LOADER_DEADLINE",
        ),
        (
            "drips a long value",
            endless(&[":999\r\n", "$999\r\n"], b"c", Duration::from_millis(30)),
            "3s",
            75,
            "before the deadline",
            "CONFIG_LOADER_DEADLINE",
        ),
        ("cuts", short(&[":9\r\n", "$9\r\ncan"]), "3s", 69, "the connection was cut off", "if it speaks TLS"),
        (
            "announces less than comes",
            short(&[":3\r\n", "$3\r\ncanary\r\n"]),
            "3s",
            69,
            "what answers is not Redis",
            "correct host or port",
        ),
        (
            "10 GiB that are announced",
            short(&[":10737418240\r\n"]),
            "40s",
            65,
            "is larger than the 16777216 bytes",
            "limits.file",
        ),
        (
            "10 GiB that are not",
            endless(&[":9\r\n", "$10737418240\r\n"], &[b'c'; 1 << 16], now),
            "40s",
            65,
            "is larger than the 16777216 bytes",
            "limits.file",
        ),
        (
            "no Redis",
            short(&["HTTP/1.1 400 Bad Request\r\n\r\ncanary"]),
            "3s",
            69,
            "what answers is not Redis",
            "correct host or port",
        ),
        ("loading", short(&["-LOADING canary\r\n"]), "3s", 69, "Redis is still loading its data", "give it time"),
    ];
    let mut jobs: Vec<Job<'_>> = Vec::new();
    for (name, address, within, code, says, hint) in rows {
        let redis = &redis;
        let job = move || {
            let file = name.replace(' ', "-");
            // A password would be one more question.
            let source = json!({"redis": {"url": format!("redis://{address}"), "key": file}});
            let case = Case::of(&place(address, &file), code, says, hint);
            stands(&Pod::new(), &redis.set(&file), || Set::of("text", source).within(within), &case);
        };
        jobs.push((name.to_owned(), Box::new(job)));
    }
    each(jobs);
}
