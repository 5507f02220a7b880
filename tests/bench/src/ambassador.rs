//! The ambassador, as it ships: passed through to a provider of the caller's own dialect, or translated.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};
use serde_json::Value;

use crate::options::Options;
use crate::scratch::Scratch;
use crate::subject::{Gateway, Subject, free_port};

/// The release binary: the one that was named, or one that is built now.
pub(crate) fn find(options: &Options) -> anyhow::Result<PathBuf> {
    match &options.ambassador {
        Some(path) => path.canonicalize().with_context(|| format!("no ambassador at {}", path.display())),
        None => build(),
    }
}

fn build() -> anyhow::Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let built = Command::new(cargo)
        .args(["build", "--release", "-p", "ambassador", "--message-format=json-render-diagnostics"])
        .stderr(Stdio::inherit())
        .output()
        .context("running cargo; --ambassador PATH does without")?;
    if !built.status.success() {
        bail!("the ambassador does not build");
    }
    let messages = String::from_utf8_lossy(&built.stdout);
    let executable = messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|message| message["target"]["name"] == "ambassador")
        .find_map(|message| message["executable"].as_str().map(PathBuf::from));
    executable.context("cargo built no binary named ambassador")
}

/// OpenAI in, OpenAI out.
pub(crate) fn passing(program: &Path, scratch: &Scratch, upstream: u16) -> anyhow::Result<Subject> {
    let provider =
        format!("{{ kind: openai, base_url: \"http://127.0.0.1:{upstream}/v1\", keys: [ {{ env: BENCH_KEY }} ] }}");
    let title = version(program);
    subject("ambassador", title, program, scratch, &provider)
}

/// OpenAI in, Anthropic out, and back.
pub(crate) fn translating(program: &Path, scratch: &Scratch, upstream: u16) -> anyhow::Result<Subject> {
    let provider =
        format!("{{ kind: anthropic, base_url: \"http://127.0.0.1:{upstream}\", keys: [ {{ env: BENCH_KEY }} ] }}");
    let title = "the same, translating to Anthropic".to_owned();
    subject("translating", title, program, scratch, &provider)
}

fn subject(
    name: &'static str,
    title: String,
    program: &Path,
    scratch: &Scratch,
    provider: &str,
) -> anyhow::Result<Subject> {
    let config =
        format!("providers:\n  mock: {provider}\nroutes:\n  - {{ model: \"*\", targets: [ {{ provider: mock }} ] }}\n");
    let config = scratch.write(&format!("{name}.yaml"), &config)?;
    let port = free_port()?;
    let mut command = Command::new(program);
    command
        .env("AMBASSADOR_CONFIG", config)
        .env("AMBASSADOR_LISTEN", format!("127.0.0.1:{port}"))
        .env("AMBASSADOR_ADMIN_LISTEN", format!("127.0.0.1:{}", free_port()?))
        .env("BENCH_KEY", "sk-bench")
        .env("RUST_LOG", "error");
    let gateway = Gateway { command, log: scratch.path().join(format!("{name}.log")) };
    Ok(Subject { name, title, port, gateway: Some(gateway) })
}

fn version(program: &Path) -> String {
    let said = Command::new(program).arg("--version").output().map(|output| output.stdout).unwrap_or_default();
    let said = String::from_utf8_lossy(&said).trim().to_owned();
    if said.is_empty() { "ambassador".to_owned() } else { said }
}
