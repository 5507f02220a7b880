//! The context-sidecar, as it ships, and what stands around it.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde_json::{Value, json};

use super::client::Client;
use super::collections::Document;
use crate::child::Part;
use crate::clock::{self, SECOND};
use crate::cores::Cores;
use crate::procfs;
use crate::scratch::Scratch;
use crate::subject::free_port;

/// All that its clients and its backends need to know.
pub(super) struct Stage {
    pub(super) program: PathBuf,
    pub(super) cores: Cores,
    pub(super) scratch: Scratch,
    /// The port of the part `vectors`.
    pub(super) vectors: u16,
}

/// What one is set up with.
#[derive(Clone, Copy)]
pub(super) struct Setup<'a> {
    /// The embedded store's folder, under the scratch folder; a Qdrant's address, where there is a `:` in it.
    pub(super) store: &'a str,
    pub(super) model: Option<&'a str>,
    /// Whether answers are remembered.
    pub(super) remembers: bool,
}

pub(super) struct Sidecar {
    part: Part,
    pub(super) client: Client,
}

impl Stage {
    pub(super) fn start(&self, setup: Setup<'_>) -> anyhow::Result<Sidecar> {
        let (port, admin) = (free_port()?, free_port()?);
        let results = if setup.remembers { "" } else { "results: 0, " };
        let config = format!(
            "caches: {{ {results}ttl: 1h }}\nlimits: {{ timeout: 10m }}\nembeddings: {{ timeout: 1h, batch: 64 }}\n"
        );
        let config = self.scratch.write(&format!("sidecar-{port}.yaml"), &config)?;
        let mut command = Command::new(&self.program);
        command.env_clear().env("CONTEXT_TENANT", "bench").env("CONTEXT_CONFIG", config);
        command.env("CONTEXT_LISTEN", format!("127.0.0.1:{port}"));
        command.env("CONTEXT_ADMIN_LISTEN", format!("127.0.0.1:{admin}"));
        if setup.store.contains(':') {
            command.env("QDRANT_URL", setup.store);
            if let Some(key) = std::env::var_os("QDRANT_API_KEY_FILE") {
                command.env("QDRANT_API_KEY_FILE", key);
            }
        } else {
            command.env("CONTEXT_DATA_DIR", self.scratch.path().join(setup.store));
        }
        if let Some(model) = setup.model {
            command.env("EMBEDDINGS_MODEL", model);
            command.env("EMBEDDINGS_URL", format!("http://127.0.0.1:{}/v1", self.vectors));
        }
        let log = self.scratch.path().join(format!("sidecar-{port}.log"));
        let (mut part, _) = Part::theirs(&command, self.cores.gateway, &log)?;
        let patience = clock::now() + 60 * SECOND;
        let request = Client::of(admin).request("GET", "/health/ready", "");
        while !matches!(Client::of(admin).send(&request), Ok((200, ..))) {
            if part.has_ended() || clock::now() > patience {
                bail!("the context-sidecar is not ready: {}", std::fs::read_to_string(log)?);
            }
            thread::sleep(Duration::from_millis(5));
        }
        Ok(Sidecar { part, client: Client::of(port) })
    }
}

impl Sidecar {
    pub(super) fn rss_mib(&self) -> f64 {
        thread::sleep(Duration::from_secs(2));
        procfs::group_rss_mib(self.part.group())
    }

    /// Puts documents into a collection: how many chunks that are, and how many seconds it took.
    pub(super) fn put(&mut self, collection: &str, documents: &[Document]) -> anyhow::Result<(u64, f64)> {
        let (mut chunks, mut took) = (0, 0);
        for some in documents.chunks(500) {
            let given: Vec<Value> = some
                .iter()
                .map(|Document { id, title, text }| json!({"id": id, "title": title, "text": text}))
                .collect();
            let body = json!({"collection": collection, "documents": given}).to_string();
            let request = self.client.request("PUT", "/v1/documents", &body);
            let (status, answer, nanoseconds) = self.client.send(&request)?;
            let answer: Value = serde_json::from_slice(&answer).context("what became of documents")?;
            if status != 200 || answer["created"].as_u64() != Some(some.len() as u64) {
                bail!("documents are refused: {status}: {}", answer.to_string().chars().take(500).collect::<String>());
            }
            chunks += answer["results"]
                .as_array()
                .map_or(0, |items| items.iter().filter_map(|item| item["chunks"].as_u64()).sum());
            took += nanoseconds;
        }
        Ok((chunks, took as f64 / SECOND as f64))
    }
}

/// A program in Python that says `listening on ...`, and its port.
pub(super) fn python(core: usize, command: &mut Command, port: u16) -> anyhow::Result<Part> {
    // It says so on what `theirs` keeps as a log; that it listens is seen from outside.
    let log = std::env::temp_dir().join(format!("outrigger-bench-{}-{port}.log", std::process::id()));
    let (mut part, _) = Part::theirs(command.stdin(Stdio::null()), core, &log)?;
    let patience = clock::now() + 120 * SECOND;
    while std::net::TcpStream::connect((std::net::Ipv4Addr::LOCALHOST, port)).is_err() {
        if part.has_ended() || clock::now() > patience {
            bail!("{command:?} does not start: {}", std::fs::read_to_string(&log)?);
        }
        thread::sleep(Duration::from_millis(20));
    }
    let _ = std::fs::remove_file(log);
    Ok(part)
}

/// The Python that a variable names, or the one in a folder beside this binary's.
pub(super) fn interpreter(variable: &str, folder: &str) -> Option<PathBuf> {
    let beside = || Some(std::env::current_exe().ok()?.ancestors().nth(2)?.join(folder).join("bin/python"));
    std::env::var_os(variable).map(PathBuf::from).or_else(beside).filter(|path| path.exists())
}

/// The release binary: the one that was named, or one that is built now.
pub(super) fn find(named: Option<&Path>) -> anyhow::Result<PathBuf> {
    if let Some(path) = named {
        return path.canonicalize().with_context(|| format!("no context-sidecar at {}", path.display()));
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--release", "-p", "context-sidecar", "--message-format=json-render-diagnostics"]);
    let built = command.stderr(Stdio::inherit()).output().context("running cargo; --sidecar PATH does without")?;
    let messages = String::from_utf8_lossy(&built.stdout);
    let executable = messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .find_map(|message| message["executable"].as_str().map(PathBuf::from));
    executable.context("cargo built no context-sidecar")
}
