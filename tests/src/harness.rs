//! The real `ambassador` in the hands of a test: started with a given environment on free ports, heard, stopped.
#![allow(clippy::panic, clippy::expect_used, reason = "a harness fails the test it serves by panicking")]

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Once;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::agent::Agent;
use crate::http::{self, Answer};
use crate::metrics::Scrape;
use crate::port;
use crate::process::{self, Process};
use crate::provider::Provider;

/// Longer than anything takes that works.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// What a test starts an ambassador with. Nothing else is in its environment.
#[derive(Debug, Default)]
pub struct Setup {
    env: Vec<(String, String)>,
    /// The limit on open files, if not ours.
    open_files: Option<u32>,
    /// Where its files are; gone with the ambassador.
    dir: Option<TempDir>,
}

impl Setup {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    #[must_use]
    pub fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// The two variables of the pod pattern and a key each: Anthropic first, then OpenAI.
    #[must_use]
    pub fn anthropic_then_openai(primary: &Provider, fallback: &Provider) -> Self {
        Self::new()
            .env("PRIMARY_PROVIDER", "anthropic")
            .env("FALLBACK_PROVIDER", "openai")
            .env("ANTHROPIC_API_KEY", "sk-ant-primary")
            .env("ANTHROPIC_BASE_URL", primary.anthropic_url())
            .env("OPENAI_API_KEY", "sk-fallback")
            .env("OPENAI_BASE_URL", fallback.openai_url())
    }

    /// The same the other way round.
    #[must_use]
    pub fn openai_then_anthropic(primary: &Provider, fallback: &Provider) -> Self {
        Self::anthropic_then_openai(fallback, primary)
            .env("PRIMARY_PROVIDER", "openai")
            .env("FALLBACK_PROVIDER", "anthropic")
    }

    /// One provider of kind `openai` and nothing to fall back on.
    #[must_use]
    pub fn openai_alone(provider: &Provider) -> Self {
        Self::new()
            .env("PRIMARY_PROVIDER", "openai")
            .env("OPENAI_API_KEY", "sk-only")
            .env("OPENAI_BASE_URL", provider.openai_url())
    }

    /// A configuration file with this text.
    #[must_use]
    pub fn config(self, yaml: &str) -> Self {
        let (setup, path) = self.file("ambassador.yaml", yaml);
        setup.env("AMBASSADOR_CONFIG", path.display().to_string())
    }

    /// It may open no more than so many files.
    #[must_use]
    pub const fn open_files(mut self, limit: u32) -> Self {
        self.open_files = Some(limit);
        self
    }

    /// A file that lives as long as the ambassador.
    #[must_use]
    pub fn file(mut self, name: &str, text: &str) -> (Self, PathBuf) {
        let dir = self.dir.get_or_insert_with(|| TempDir::new().expect("a temporary folder"));
        let path = dir.path().join(name);
        std::fs::write(&path, text).expect("a file in it");
        (self, path)
    }

    /// Starts it on free ports and waits until it is ready.
    ///
    /// # Panics
    ///
    /// When it does not become ready.
    pub async fn start(self) -> Ambassador {
        // Between finding a free port and taking it another process may take it: then the next pair is tried.
        for _ in 0..5 {
            let (listen, admin) = (free_port(), free_port());
            let mut process = Process::start(&mut self.command(&[], listen, admin)).expect("the ambassador starts");
            match ready(&mut process, admin).await {
                Ok(()) => return Ambassador { process, listen, admin, _dir: self.dir },
                Err(log) if log.contains("in use") => {}
                Err(log) => panic!("the ambassador did not become ready:\n{log}"),
            }
        }
        panic!("no free port");
    }

    /// Runs it with `arguments` until it ends by itself, as on bad input or for a subcommand.
    ///
    /// # Panics
    ///
    /// When it does not end.
    pub async fn run(self, arguments: &[&str]) -> Ended {
        let has = |name| self.env.iter().any(|(known, _)| known == name);
        let mut command = self.command(arguments, free_port(), free_port());
        // A test of the addresses themselves brings its own.
        if has("AMBASSADOR_LISTEN") || has("AMBASSADOR_ADMIN_LISTEN") {
            command.envs(self.env.iter().map(|(name, value)| (name, value)));
        }
        let mut process = Process::start(&mut command).expect("the ambassador starts");
        let Some(status) = process.wait(PATIENCE).await else {
            panic!("ambassador {arguments:?} did not end:\n{}", process.stderr.text());
        };
        Ended { code: status.code(), stdout: process.stdout.text(), stderr: process.stderr.text() }
    }

    fn command(&self, arguments: &[&str], listen: SocketAddr, admin: SocketAddr) -> Command {
        let mut command = match self.open_files {
            None => Command::new(ambassador()),
            Some(limit) => {
                let mut shell = Command::new("/bin/sh");
                shell.args(["-c", &format!("ulimit -n {limit}; exec \"$0\" \"$@\"")]).arg(ambassador());
                shell
            }
        };
        command.args(arguments).env_clear().envs(self.env.iter().map(|(name, value)| (name, value)));
        command.env("AMBASSADOR_LISTEN", listen.to_string()).env("AMBASSADOR_ADMIN_LISTEN", admin.to_string());
        command
    }
}

/// How a run ended.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

/// An ambassador that is ready; killed when it is dropped.
pub struct Ambassador {
    pub process: Process,
    pub listen: SocketAddr,
    pub admin: SocketAddr,
    _dir: Option<TempDir>,
}

impl Ambassador {
    /// An agent beside it.
    #[must_use]
    pub fn agent(&self) -> Agent {
        Agent::at(self.listen)
    }

    /// Asks the admin port.
    ///
    /// # Panics
    ///
    /// When there is no answer.
    pub async fn admin(&self, path: &str) -> Answer {
        http::get(self.admin, path).await.expect("the admin port answers")
    }

    pub async fn metrics(&self) -> Scrape {
        Scrape::of(&self.admin("/metrics").await.text())
    }

    /// The metrics once they satisfy `wanted`: an account may be closed a moment after the answer was sent.
    ///
    /// # Panics
    ///
    /// When they do not come to satisfy it.
    pub async fn metrics_when(&self, wanted: impl Fn(&Scrape) -> bool) -> Scrape {
        let deadline = Instant::now() + Duration::from_secs(5);
        loop {
            let scrape = self.metrics().await;
            if wanted(&scrape) {
                return scrape;
            }
            if Instant::now() > deadline {
                let mut all = String::new();
                for sample in scrape.samples() {
                    let _ = writeln!(all, "{} {:?} {}", sample.name, sample.labels, sample.value);
                }
                panic!("the metrics never said so:\n{all}");
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// What it logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        self.process.stderr.text()
    }
}

async fn ready(process: &mut Process, admin: SocketAddr) -> Result<(), String> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if http::get(admin, "/health/ready").await.is_ok_and(|answer| answer.status == 200) {
            return Ok(());
        }
        if process.ended().is_some() || Instant::now() > deadline {
            let _ = process.stop(Duration::from_secs(1)).await;
            return Err(process.stderr.text());
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A port of loopback that nobody listens on at this moment.
///
/// # Panics
///
/// When there is none left.
#[must_use]
pub fn free_port() -> SocketAddr {
    port::free().expect("a free port")
}

/// The binary under test, built where nobody has yet. It is not built anew when it is old: `make test` sees to that.
fn ambassador() -> PathBuf {
    static BUILD: Once = Once::new();
    BUILD.call_once(|| {
        if process::binary("ambassador").is_err() && std::env::var_os("OUTRIGGER_BIN_DIR").is_none() {
            let mut build = Command::new("cargo");
            build.args(["build", "-p", "ambassador", "--bin", "ambassador"]).current_dir(process::root());
            let status = build.status().expect("cargo runs");
            assert!(status.success(), "the ambassador does not build");
        }
    });
    process::binary("ambassador").expect("the ambassador is built")
}
