//! The life of the process, in order.

/// A request allocates some dozens of times; this halves what that costs beside the C library's own.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

mod check;
mod cli;
mod commands;

use std::{process::ExitCode, sync::Arc, time::Duration};

use anyhow::Context;
use chassis::{
    admin::{Admin, Heartbeat, Readiness},
    clock,
    config::{Environment, Problems},
    config_set,
    exit::Code,
    metrics::Metrics,
    net::{Incoming, descriptors, parse_listen},
    output,
    shutdown::{Drain, Drained, Signals},
    task, telemetry,
    tls::Roots,
};
use context_sidecar::{
    api::App,
    assemble,
    config::{self, Listen, Loaded},
    health::{self, Details, Pace},
    scope::Gatekeeper,
    server::{self, Options},
};

use crate::cli::{Cli, Command};

/// What of the grace is kept for telling callers that their answer is cut.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// What speaks MCP logs its messages.
const TALKATIVE: [&str; 1] = ["rmcp"];

fn main() -> ExitCode {
    let environment = Environment::from_process();
    let command = match chassis::cli::parse::<Cli>() {
        Ok(cli) => cli.command,
        Err(code) => return code.into(),
    };
    match command {
        Some(Command::Schema) => {
            output::line(config::schema());
            Code::Ok.into()
        }
        Some(Command::Healthcheck { probe }) => {
            let address = environment.get("CONTEXT_ADMIN_LISTEN").unwrap_or(Listen::ADMIN);
            chassis::cli::healthcheck(address, probe.path())
        }
        Some(Command::Ingest(asked)) => commands::ingest(&environment, &asked).into(),
        Some(Command::Query(asked)) => commands::query(&environment, &asked).into(),
        Some(Command::Check) => checked(&environment).into(),
        None => serving(&environment).into(),
    }
}

/// Who is speaking, in logs and traces.
fn about(environment: &Environment) -> telemetry::Settings<'_> {
    telemetry::Settings { service: "context-sidecar", version: env!("CARGO_PKG_VERSION"), environment }
}

/// The settings, or how to exit.
fn settings(environment: &Environment) -> Result<Loaded, Code> {
    config::load(environment).map_err(|mut problems| {
        telemetry::check(&about(environment), &mut problems);
        output::complain(problems);
        Code::Config
    })
}

fn checked(environment: &Environment) -> Code {
    match settings(environment) {
        Err(code) => code,
        Ok(loaded) => {
            let mut problems = Problems::new();
            telemetry::check(&about(environment), &mut problems);
            let warnings = [loaded.warnings.as_slice(), problems.warnings()].concat();
            output::line(check::describe(&loaded.settings, &warnings));
            Code::Ok
        }
    }
}

fn serving(environment: &Environment) -> Code {
    let loaded = match settings(environment) {
        Ok(loaded) => loaded,
        Err(code) => return code,
    };
    match run(loaded, environment) {
        Ok(()) => Code::Ok,
        Err(error) => {
            output::complain(format!("context-sidecar: {error:#}"));
            Code::Unavailable
        }
    }
}

/// A number that differs from start to start.
fn seed() -> u64 {
    u64::try_from(clock::unix().as_nanos() & u128::from(u64::MAX)).unwrap_or_default()
}

fn run(loaded: Loaded, environment: &Environment) -> anyhow::Result<()> {
    let telemetry = telemetry::init_without(&about(environment), &TALKATIVE);
    let Loaded { settings, warnings } = loaded;
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    // Sockets first: whatever says that it is healthy can be reached.
    let data = parse_listen(&settings.listen.data)?.bind().context("CONTEXT_LISTEN")?;
    let admin = parse_listen(&settings.listen.admin)?.bind().context("CONTEXT_ADMIN_LISTEN")?;
    // Half for agents, half for those who are asked.
    let connections = descriptors::raise() / 2;
    // The last spans are sent after the drain, and within the same grace.
    let drain_within = settings.listen.drain;
    let grace = drain_within - telemetry.ends_within().min(drain_within / 2);

    let metrics = Metrics::new();
    config_set::register(&metrics, environment);
    let (readiness, details) = (Readiness::new(), Details::default());
    let heartbeat = Heartbeat::new(clock::now());
    let shown = details.clone();
    let admin =
        Admin::new(readiness.clone(), heartbeat.clone(), metrics.clone()).details(move || shown.now()).serve(admin)?;

    let gatekeeper = Gatekeeper::new(settings.tenant.clone(), settings.token_file.as_deref())?;
    let roots = Roots::of(environment);
    // The probes are answered already: a large store takes its time to be read.
    let pipeline = Arc::new(assemble::pipeline(&settings, &metrics, &roots).map_err(anyhow::Error::msg)?);
    let settings = Arc::new(settings);

    task::block_on(async move {
        let drain = Drain::new();
        Signals::install()?.watch(drain.clone());
        heartbeat.keep();
        let incoming = Incoming::new(data)?;
        let app = App::new(Arc::clone(&pipeline), Arc::clone(&settings), gatekeeper, &metrics, drain.clone());
        readiness.started();
        health::watch(pipeline, settings, readiness.clone(), details, drain.clone(), Pace::default()).await;
        tracing::info!(listen = ?incoming.addresses(), admin = ?admin.addresses(), "serving");

        let options = Options { traces: telemetry.traces(), connections, seed: seed() };
        server::serve(app, incoming, drain.clone(), options).await;

        readiness.draining();
        tracing::info!(connections = drain.in_flight(), "not ready, waiting for what is in flight");
        let last_words = LAST_WORDS.min(grace);
        if let Drained::TimedOut { left } = drain.drain(grace - last_words).await {
            tracing::warn!(left, "the grace is over, what is left is cut");
            let _left = drain.cut(last_words).await;
        }
        tracing::info!("ended");
        Ok(())
    })?
}
