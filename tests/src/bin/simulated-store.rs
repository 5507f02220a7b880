//! A simulated store of prompts by itself: `simulated-store --listen 127.0.0.1:9010`.

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use e2e::pod::interrupted;
use e2e::store::Store;

const HELP: &str = "\
A store of prompts: what a config-loader fetches an agent's set from, over HTTP, each file with an ETag.

usage: simulated-store [--listen ADDRESS]

  --listen ADDRESS    where it listens (127.0.0.1:9010)
";

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match serve().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            let _ = writeln!(std::io::stderr(), "simulated-store: {problem:#}");
            ExitCode::FAILURE
        }
    }
}

async fn serve() -> Result<()> {
    let mut listen = "127.0.0.1:9010".to_owned();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--listen" => listen = arguments.next().context("--listen ADDRESS")?,
            "--help" | "-h" => return help(),
            other => bail!("unknown argument {other}; --help says which there are"),
        }
    }
    let store = Store::listen(listen.parse().with_context(|| format!("{listen} is no address"))?).await;
    let store = store.with_context(|| format!("cannot listen on {listen}"))?;
    writeln!(std::io::stderr(), "listening on {}", store.address())?;
    tokio::select! {
        () = store.serve() => Ok(()),
        ended = interrupted() => ended,
    }
}

fn help() -> Result<()> {
    let mut out = std::io::stdout();
    writeln!(out, "{HELP}\nIts files:\n")?;
    for path in Store::paths() {
        writeln!(out, "  curl http://127.0.0.1:9010{path}")?;
    }
    Ok(())
}
