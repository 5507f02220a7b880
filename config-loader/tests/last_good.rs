//! The last known good set, by the binary: when it stands in for the newest one, and when it must not.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test may fail by panicking, and stands outside"
)]

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpListener,
    os::unix::process::ExitStatusExt as _,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use e2e::harness::free_port;
use tempfile::TempDir;

/// A server whose one answer can be changed, and that remembers the heads of its requests.
#[derive(Clone)]
struct Store {
    url: String,
    answer: Arc<Mutex<Option<String>>>,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Store {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let store = Self { url, answer: Arc::default(), heads: Arc::default() };
        let serving = store.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut head = Vec::new();
                let mut byte = [0];
                while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or_default() == 1 {
                    head.push(byte[0]);
                }
                serving.heads.lock().unwrap().push(String::from_utf8(head).unwrap().to_ascii_lowercase());
                match serving.answer.lock().unwrap().clone() {
                    Some(answer) => drop(stream.write_all(answer.as_bytes())),
                    None => std::mem::forget(stream),
                }
            }
        });
        store
    }

    fn answers(&self, status: &str, headers: &str, body: &str) -> &Self {
        let length = body.len();
        let answer =
            format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {length}\r\n{headers}\r\n{body}");
        self.answer.lock().unwrap().replace(answer);
        self
    }

    fn hangs(&self) -> &Self {
        self.answer.lock().unwrap().take();
        self
    }

    fn is_down(&self) -> &Self {
        self.answers("404 Not Found", "", "gone")
    }

    fn asked_with(&self, header: &str) -> usize {
        self.heads.lock().unwrap().iter().filter(|head| head.contains(header)).count()
    }
}

struct Bench {
    dir: TempDir,
    store: Store,
}

impl Bench {
    fn new() -> Self {
        let bench = Self { dir: tempfile::tempdir().unwrap(), store: Store::new() };
        bench.store.answers("200 OK", "etag: \"one\"\r\n", "Be kind.\n");
        bench
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Describes a set of the store's prompt and of what is inline, with this cache.
    fn describe(&self, cache: &str, entry: &str) -> &Self {
        let file = format!(
            "deadline: 8s\ncache: {{ {cache} }}\nfiles:\n  - {{ name: prompt, target: system-prompt.txt, type: prompt, \
             source: {{ http: {{ url: '{}/p?token=hunter2' }} }} {entry} }}\n  - {{ name: notes, target: notes.txt, type: \
             text, source: {{ inline: 'some notes' }} }}\n",
            self.store.url
        );
        fs::write(self.path("set.yaml"), file.replace("DIR", self.dir.path().to_str().unwrap())).unwrap();
        self
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_config-loader"));
        command
            .env_clear()
            .env("CONFIG_LOADER_CONFIG", self.path("set.yaml"))
            .env("CONFIG_DIR", self.path("config"))
            .env("LOG_FORMAT", "text")
            .env("TERMINATION_LOG", self.path("termination-log"));
        command
    }

    fn run(&self) -> Output {
        let output = self.command().output().unwrap();
        let told = text(&output) + &self.read("termination-log");
        assert!(!told.contains("hunter2"), "{told}");
        output
    }

    /// Runs it, and it ends with this code.
    #[track_caller]
    fn ends(&self, code: i32) -> String {
        let output = self.run();
        assert_eq!(output.status.code(), Some(code), "{}", text(&output));
        text(&output)
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    fn manifest(&self) -> serde_json::Value {
        serde_json::from_str(&self.read("config/manifest.json")).unwrap()
    }

    /// A pod that has nothing: what was published goes, and what is kept stays.
    fn new_pod(&self) -> &Self {
        let _not_there = fs::remove_dir_all(self.path("config"));
        self
    }
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// The one file that is kept in a directory.
fn kept(directory: &Path) -> PathBuf {
    let mut files = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let one = files.next().unwrap();
    assert_eq!(files.next(), None);
    one
}

#[test]
fn a_volume_keeps_the_set_for_when_the_source_is_down() {
    let bench = Bench::new();
    bench.describe("directory: DIR/cache", "").ends(0);
    let digest = bench.manifest()["digest"].clone();
    bench.new_pod().store.is_down();
    let told = bench.ends(0);
    let manifest = bench.manifest();
    assert_eq!(bench.read("config/system-prompt.txt"), "Be kind.\n");
    assert_eq!(bench.read("config/notes.txt"), "some notes");
    assert_eq!(manifest["digest"], digest);
    assert!(manifest["stale"]["since"].as_str().unwrap().starts_with("20"), "{manifest}");
    assert!(manifest["stale"]["reason"].as_str().unwrap().contains("answers 404"), "{manifest}");
    assert_eq!(manifest["files"][1]["version"], "\"one\"");
    assert!(bench.read("termination-log").contains("published a STALE set"), "{}", bench.read("termination-log"));
    assert!(told.contains("the last good set takes the place of the newest"), "{told}");

    bench.store.answers("200 OK", "", "Be kinder.\n");
    bench.ends(0);
    assert!(bench.manifest()["stale"].is_null());
    assert_eq!(bench.read("config/system-prompt.txt"), "Be kinder.\n");
}

#[test]
fn a_source_that_hangs_is_down_and_a_signal_is_not() {
    let bench = Bench::new();
    bench.describe("directory: DIR/cache", "").ends(0);
    bench.new_pod().store.hangs();
    bench.ends(0);
    assert!(bench.manifest()["stale"]["reason"].as_str().unwrap().contains("no answer within 4s"));

    bench.new_pod();
    let asked = || bench.store.heads.lock().unwrap().len();
    let before = asked();
    let mut running = bench.command().stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while asked() == before {
        thread::sleep(Duration::from_millis(5));
    }
    let pid = rustix::process::Pid::from_child(&running);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    let status = running.wait().unwrap();
    assert_eq!((status.code(), status.signal()), (Some(75), None));
    assert!(!bench.path("config/manifest.json").exists());
}

#[test]
fn what_is_wrong_or_refused_is_never_replaced_by_an_older_one() {
    let bench = Bench::new();
    bench.describe("directory: DIR/cache", "").ends(0);
    for (status, body, code) in
        [("200 OK", "<!doctype html><title>Log in</title>", 65), ("401 Unauthorized", "", 77), ("200 OK", "", 65)]
    {
        bench.store.answers(status, "", body);
        let before = bench.read("config/manifest.json");
        bench.ends(code);
        assert_eq!(bench.read("config/manifest.json"), before);
    }
    // What is kept goes through the checks of today: the pin of another prompt is not that of this one.
    bench.store.is_down();
    let pin = ", checks: { sha256: 2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881 }";
    let told = bench.describe("directory: DIR/cache", pin).new_pod().ends(65);
    assert!(told.contains("the last good set") && told.contains("answers 404"), "{told}");
    assert!(!bench.path("config/manifest.json").exists());
}

#[test]
fn what_is_too_old_broken_or_of_other_sources_is_no_help_and_says_so() {
    let bench = Bench::new();
    bench.describe("directory: DIR/cache, max_stale: 2h", "").ends(0);
    bench.store.is_down();
    let file = kept(&bench.path("cache"));
    let good = fs::read_to_string(&file).unwrap();
    let mut old: serde_json::Value = serde_json::from_str(&good).unwrap();
    old["saved"] = (old["saved"].as_u64().unwrap() - 3 * 60 * 60).into();
    fs::write(&file, old.to_string()).unwrap();
    let told = bench.new_pod().ends(69);
    assert!(told.contains("was good 3h ago, and 2h are allowed; mend the source"), "{told}");

    fs::write(&file, &good[..good.len() / 2]).unwrap();
    let told = bench.ends(69);
    assert!(told.contains("is no set"), "{told}");

    fs::write(&file, good).unwrap();
    bench.ends(0);
    bench.new_pod();
    let other = bench.read("set.yaml").replace("/p?", "/q?");
    fs::write(bench.path("set.yaml"), other).unwrap();
    let told = bench.ends(69);
    assert!(told.contains("holds no set of these sources"), "{told}");
}

#[test]
fn a_bundled_set_is_the_last_resort() {
    let bench = Bench::new();
    bench.describe("directory: DIR/cache, bundled: DIR/bundled", "").store.is_down();
    let told = bench.ends(69);
    assert!(told.contains("bundled/system-prompt.txt"), "{told}");
    fs::create_dir(bench.path("bundled")).unwrap();
    fs::write(bench.path("bundled/system-prompt.txt"), "Be modest.\n").unwrap();
    fs::write(bench.path("bundled/notes.txt"), "bundled notes").unwrap();
    bench.ends(0);
    let manifest = bench.manifest();
    assert_eq!(bench.read("config/system-prompt.txt"), "Be modest.\n");
    assert_eq!(bench.read("config/notes.txt"), "bundled notes", "one set and not two");
    assert!(manifest["stale"]["reason"].is_string() && manifest["stale"]["since"].is_null(), "{manifest}");
    assert!(!bench.path("cache").exists(), "what is stale is not kept");
}

#[test]
fn what_is_proven_and_has_not_changed_is_not_sent_again() {
    let bench = Bench::new();
    let pin = format!(", checks: {{ sha256: {} }}", sha256("Be kind.\n"));
    bench.describe("directory: DIR/cache", &pin).ends(0);
    assert_eq!(bench.store.asked_with("if-none-match"), 0);
    bench.new_pod().store.answers("304 Not Modified", "", "");
    bench.ends(0);
    assert_eq!(bench.store.asked_with("if-none-match: \"one\""), 1);
    assert_eq!(bench.read("config/system-prompt.txt"), "Be kind.\n");
    assert!(bench.manifest()["stale"].is_null());
}

/// Whoever can write to the cache could have changed what is in it.
#[test]
fn what_is_not_proven_is_sent_again() {
    let bench = Bench::new();
    bench.describe("directory: DIR/cache", "").ends(0);
    bench.new_pod().ends(0);
    assert_eq!(bench.store.asked_with("if-none-match"), 0);
}

#[test]
fn what_is_published_is_not_replaced_by_something_older() {
    let bench = Bench::new();
    fs::create_dir(bench.path("bundled")).unwrap();
    fs::write(bench.path("bundled/system-prompt.txt"), "Be modest.\n").unwrap();
    fs::write(bench.path("bundled/notes.txt"), "bundled notes").unwrap();
    bench.describe("bundled: DIR/bundled", "").ends(0);
    bench.store.is_down();
    bench.ends(0);
    assert_eq!(bench.read("config/system-prompt.txt"), "Be kind.\n");
    assert!(bench.manifest()["stale"]["since"].is_string());
    // Nor if it was changed by somebody else meanwhile: then it is no good set.
    let file = fs::canonicalize(bench.path("config/system-prompt.txt")).unwrap();
    fs::remove_file(&file).unwrap();
    fs::write(&file, "Be evil.\n").unwrap();
    bench.ends(0);
    assert_eq!(bench.read("config/system-prompt.txt"), "Be modest.\n");
}

#[test]
fn an_optional_file_that_is_missing_is_told_and_stays_in_the_cache() {
    let bench = Bench::new();
    bench.describe("directory: DIR/cache", ", optional: true").ends(0);
    bench.store.is_down();
    bench.ends(0);
    assert_eq!(bench.manifest()["omitted"][0]["name"], "prompt");
    assert!(bench.read("termination-log").contains("left out, because it is optional: prompt: http"));
    assert!(!bench.path("config/system-prompt.txt").exists());
    let kept = fs::read_to_string(kept(&bench.path("cache"))).unwrap();
    assert_eq!(kept.matches("sha256").count(), 2, "{kept}");
}

#[test]
fn one_url_with_two_credentials_is_two_sources() {
    let bench = Bench::new();
    fs::write(bench.path("a"), "token-a").unwrap();
    fs::write(bench.path("b"), "token-b").unwrap();
    let of = |name: &str| {
        let (url, path) = (&bench.store.url, bench.path(name));
        format!(
            "{{ name: {name}, target: {name}, type: text, source: {{ http: {{ url: '{url}/', bearer_file: {path:?} }} }} }}"
        )
    };
    fs::write(bench.path("set.yaml"), format!("files: [ {}, {} ]", of("a"), of("b"))).unwrap();
    bench.ends(0);
    assert_eq!((bench.store.asked_with("bearer token-a"), bench.store.asked_with("bearer token-b")), (1, 1));
}

fn sha256(text: &str) -> String {
    config_loader::manifest::sha256(text.as_bytes())
}

#[test]
fn a_cache_that_cannot_be_written_is_no_reason_to_fail() {
    let bench = Bench::new();
    fs::write(bench.path("cache"), "a file where a directory is due").unwrap();
    let told = bench.describe("directory: DIR/cache", "").ends(0);
    assert!(told.contains("could not be kept"), "{told}");
}

#[test]
fn redis_keeps_the_set_until_it_is_too_old() {
    let address = free_port();
    let server = Command::new("redis-server")
        .args(["--port", &address.port().to_string(), "--bind", "127.0.0.1", "--save", ""])
        .stdout(Stdio::null())
        .spawn();
    let Ok(server) = server else {
        e2e::skip!("there is no redis-server (apt-get install redis-server)");
    };
    let mut server = Stopped(server);
    while std::net::TcpStream::connect(address).is_err() {
        thread::sleep(Duration::from_millis(10));
    }
    let bench = Bench::new();
    let cache = format!("redis: {{ url: 'redis://{address}/0', key: outrigger-config }}, max_stale: 1h");
    bench.describe(&cache, "").ends(0);
    bench.new_pod().store.is_down();
    bench.ends(0);
    assert_eq!(bench.read("config/system-prompt.txt"), "Be kind.\n");
    assert!(bench.manifest()["stale"].is_object());

    let ttl = ask(address, "EVAL \"return redis.call('TTL', redis.call('KEYS', 'outrigger-config:*')[1])\" 0\r\n");
    let ttl: u64 = ttl.trim_start_matches(':').trim().parse().unwrap();
    assert!(ttl > 3000 && ttl <= 3600, "{ttl}");

    server.0.kill().unwrap();
    server.0.wait().unwrap();
    let told = bench.new_pod().ends(69);
    assert!(told.contains("answers 404") && told.contains("cannot be connected to"), "{told}");
    // And with the source back, what cannot be kept is only said.
    bench.store.answers("200 OK", "", "Be kinder.\n");
    assert!(bench.ends(0).contains("could not be kept"));
}

struct Stopped(std::process::Child);

impl Drop for Stopped {
    fn drop(&mut self) {
        let _gone = (self.0.kill(), self.0.wait());
    }
}

fn ask(address: std::net::SocketAddr, command: &str) -> String {
    let mut stream = std::net::TcpStream::connect(address).unwrap();
    stream.write_all(command.as_bytes()).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}
