//! A simulated model provider by itself: `simulated-provider --listen 127.0.0.1:9000 [--fail 503 | --hang | --reset]`.
//!
//! `POST /_control` changes what goes wrong, `GET /_requests` tells what was received.

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use e2e::pod::interrupted;
use e2e::provider::{Fault, Provider, RECIPES, Step};

const HELP: &str = "\
A simulated model provider: OpenAI's and Anthropic's APIs on one port, with failures on demand. Any key will do.

usage: simulated-provider [--listen ADDRESS] [--fail STATUS | --hang | --reset]

  --listen ADDRESS    where it listens (127.0.0.1:9000)
  --fail STATUS       answers STATUS to everything
  --hang              reads every request and never says anything
  --reset             reads every request and resets the connection

GET /_requests tells what was received. POST /_control replaces what goes wrong:

  {\"rules\": [{\"key\": \"sk-bad\", \"repeat\": true, \"steps\": [{\"fault\": {\"status\": {\"code\": 401}}}]}]}

The first rule that is for a request says how it is treated: `key` and `model` say for which requests it is (without
them, all), and each step holds for one request, with `repeat` the first for all. What a step may have:

  fault            none, hang_before_head, reset_before_head, close_before_head, short_body, not_json,
                   {\"status\": {\"code\": 429, \"retry_after\": \"7\", \"message\": \"...\"}}, {\"html\": {\"code\": 502}},
                   {\"stream\": {\"after\": 3, \"ending\": \"fin\"}} after so many pieces of a stream; ending is one of
                   fin, reset, mid_event, clean, hang, error, malformed
  head_delay_ms    pause before the head of the answer
  delay_ms         pause before each piece of a stream
  byte_by_byte     every byte of a stream in a chunk of its own
";

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
            "--help" | "-h" => return help(),
            other => bail!("unknown argument {other}; --help says which there are"),
        }
    }
    let provider = Provider::listen(listen.parse().with_context(|| format!("{listen} is no address"))?).await;
    let provider = provider.with_context(|| format!("cannot listen on {listen}"))?;
    provider.always(step);
    writeln!(std::io::stderr(), "listening on {}", provider.address())?;
    interrupted().await
}

fn help() -> Result<()> {
    let mut out = std::io::stdout();
    writeln!(out, "{HELP}\nBy hand:\n")?;
    for (script, what) in RECIPES {
        writeln!(out, "  curl http://127.0.0.1:9000/_control -d '{script}'    # {what}")?;
    }
    Ok(())
}
