//! `pod demo` shows an agent's request answered; `pod up` leaves the pod running in the foreground.
#![allow(clippy::disallowed_methods, reason = "this program is where the environment is read, once, and handed on")]

use std::io::Write as _;
use std::process::ExitCode;

use e2e::pod::{Environment, Screen, demo, up};

const HELP: &str = "\
The agent's pod on localhost: the same processes as in a cluster, without one.

usage: pod demo    shows an agent's request answered and a failover, and ends by itself
       pod up      leaves the pod running in the foreground, until Ctrl-C

A vendor whose key is in the environment is the real one, and bills; else it is simulated, and the first one fails.

  OPENAI_API_KEY, OPENAI_BASE_URL          the real OpenAI
  ANTHROPIC_API_KEY, ANTHROPIC_BASE_URL    the real Anthropic
  PROMPT_URL, TOOLS_URL, GUARDRAILS_URL    what the agent's set is loaded from (a simulated store)
  CONFIG_LOADER_DEADLINE                   how long that may take (10s)
  AMBASSADOR_LISTEN                        where the agent asks (127.0.0.1:7070, or another port where that is taken)
  AMBASSADOR_ADMIN_LISTEN                  metrics and probes (127.0.0.1:7071, likewise)
  CONTEXT_LISTEN                           where the agent looks things up (127.0.0.1:9090, likewise)
  CONTEXT_ADMIN_LISTEN                     metrics and probes of that (127.0.0.1:9091, likewise)
  OUTRIGGER_BIN_DIR                        where the binaries are (beside this one)
  NO_COLOR                                 plain text
";

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let environment: Environment = std::env::vars().collect();
    let mut screen = Screen::new(environment.contains_key("NO_COLOR"));
    let command = std::env::args().nth(1).unwrap_or_default();
    let ended = match command.as_str() {
        "demo" => demo(&environment, &mut screen).await,
        "up" => up(&environment, &mut screen).await,
        "--help" | "-h" | "help" => write!(std::io::stdout(), "{HELP}").map_err(Into::into),
        _ => Err(anyhow::anyhow!("there are `pod demo` and `pod up`; `pod --help` says more")),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            let _ = writeln!(std::io::stderr(), "\npod: {problem:#}");
            ExitCode::FAILURE
        }
    }
}
