//! The life of the process, in order.

/// A request allocates some dozens of times; this halves what that costs beside the C library's own.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

mod check;
mod cli;

use std::{process::ExitCode, sync::Arc, time::Duration};

use ambassador::{
    gateway::Gateway,
    server::{self, Options},
};
use ambassador_config::{FILE_VARIABLE, Loaded};
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
    shutdown::{Drained, Signals},
    task, telemetry,
    tls::Roots,
};

use crate::cli::{Cli, Command};

/// What of the grace is kept for telling callers that their answer is cut.
const LAST_WORDS: Duration = Duration::from_millis(500);

fn main() -> ExitCode {
    let environment = Environment::from_process();
    let command = match chassis::cli::parse::<Cli>() {
        Ok(cli) => cli.command,
        Err(code) => return code.into(),
    };
    if let Some(Command::Schema) = command {
        output::line(ambassador_config::schema());
        return Code::Ok.into();
    }
    if let Some(Command::Healthcheck { probe }) = command {
        let address = environment.get("AMBASSADOR_ADMIN_LISTEN").unwrap_or(ambassador_config::Listen::ADMIN);
        return chassis::cli::healthcheck(address, probe.path());
    }
    let loaded = match ambassador_config::load(&environment) {
        Ok(loaded) => loaded,
        Err(mut problems) => {
            telemetry::check(&about(&environment), &mut problems);
            output::complain(problems);
            return Code::Config.into();
        }
    };
    if let Some(Command::Check) = command {
        let mut problems = Problems::new();
        telemetry::check(&about(&environment), &mut problems);
        let warnings = [loaded.warnings.as_slice(), problems.warnings()].concat();
        output::line(check::describe(&loaded.settings, &warnings, environment.get(FILE_VARIABLE).is_some()));
        return Code::Ok.into();
    }
    match run(loaded, &environment) {
        Ok(()) => Code::Ok.into(),
        Err(error) => {
            output::complain(format!("ambassador: {error:#}"));
            Code::Unavailable.into()
        }
    }
}

/// Who is speaking, in logs and traces.
fn about(environment: &Environment) -> telemetry::Settings<'_> {
    telemetry::Settings { service: "ambassador", version: env!("CARGO_PKG_VERSION"), environment }
}

fn run(loaded: Loaded, environment: &Environment) -> anyhow::Result<()> {
    let telemetry = telemetry::init(&about(environment));
    let Loaded { settings, warnings } = loaded;
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    // Sockets first: whatever says that it is healthy can be reached.
    let data = parse_listen(&settings.listen.data)?.bind().context("AMBASSADOR_LISTEN")?;
    let admin = parse_listen(&settings.listen.admin)?.bind().context("AMBASSADOR_ADMIN_LISTEN")?;
    // Half for agents, half for the providers they are connected with.
    let connections = descriptors::raise() / 2;
    // The last spans are sent after the drain, and within the same grace.
    let drain = settings.listen.drain;
    let grace = drain - telemetry.ends_within().min(drain / 2);

    let metrics = Metrics::new();
    config_set::register(&metrics, environment);
    let readiness = Readiness::new();
    let heartbeat = Heartbeat::new(clock::now());
    let seed = u64::try_from(clock::unix().as_nanos() & u128::from(u64::MAX)).unwrap_or_default();
    let gateway = Arc::new(Gateway::new(settings, &metrics, seed, &Roots::of(environment))?);
    let admin = Admin::new(readiness.clone(), heartbeat.clone(), metrics).serve(admin)?;

    task::block_on(async move {
        let drain = gateway.drain.clone();
        Signals::install()?.watch(drain.clone());
        heartbeat.keep();
        let incoming = Incoming::new(data)?;
        tracing::info!(listen = ?incoming.addresses(), admin = ?admin.addresses(), "serving");
        readiness.started();
        readiness.ready(true, "");

        server::serve(gateway, incoming, drain.clone(), Options { traces: telemetry.traces(), connections }).await;

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
