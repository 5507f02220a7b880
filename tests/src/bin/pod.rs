//! `pod demo` shows an agent's request answered; `pod up` leaves the pod running in the foreground.
#![allow(clippy::disallowed_methods, reason = "this program is where the environment is read, once, and handed on")]

use std::io::Write as _;
use std::process::ExitCode;

use e2e::pod::{Environment, Screen, demo, up};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let environment: Environment = std::env::vars().collect();
    let mut screen = Screen::new(environment.contains_key("NO_COLOR"));
    let command = std::env::args().nth(1).unwrap_or_default();
    let ended = match command.as_str() {
        "demo" => demo(&environment, &mut screen).await,
        "up" => up(&environment, &mut screen).await,
        _ => Err(anyhow::anyhow!("usage: pod demo|up")),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            let _ = writeln!(std::io::stderr(), "\npod {command}: {problem:#}");
            ExitCode::FAILURE
        }
    }
}
