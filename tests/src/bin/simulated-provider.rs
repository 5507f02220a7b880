//! A simulated model provider by itself: `simulated-provider --listen 127.0.0.1:9000 [--fail 503 | --hang | --reset]`.
//!
//! `POST /_control` changes what goes wrong, `GET /_requests` tells what was received.

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use e2e::pod::interrupted;
use e2e::provider::{Fault, Provider, Step};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match serve().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            let _ = writeln!(std::io::stderr(), "simulated-provider: {problem:#}");
            ExitCode::FAILURE
        }
    }
}

async fn serve() -> Result<()> {
    let mut listen = "127.0.0.1:9000".to_owned();
    let mut step = Step::default();
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--listen" => listen = arguments.next().context("--listen ADDRESS")?,
            "--fail" => {
                step = Step::status(arguments.next().and_then(|status| status.parse().ok()).context("--fail STATUS")?)
            }
            "--hang" => step = Fault::HangBeforeHead.into(),
            "--reset" => step = Fault::ResetBeforeHead.into(),
            other => bail!("unknown argument {other}; there are --listen ADDRESS, --fail STATUS, --hang, --reset"),
        }
    }
    let provider = Provider::listen(listen.parse().with_context(|| format!("{listen} is no address"))?).await;
    let provider = provider.with_context(|| format!("cannot listen on {listen}"))?;
    provider.always(step);
    writeln!(std::io::stderr(), "listening on {}", provider.address())?;
    interrupted().await
}
