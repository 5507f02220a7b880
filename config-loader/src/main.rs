//! The life of the process, in order.

mod cli;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use chassis::{clock, config::Environment, exit::Code, output, shutdown::Signals, task, telemetry};
use config_loader::{
    assemble::{Moment, Set, assemble},
    check::guardrails,
    diff,
    failure::Failure,
    publish::{self, Published},
    report::{self, Failed, Outcome},
    settings::{self, Settings, Spec},
};

use crate::cli::{Cli, Command, SchemaOf};

fn main() -> ExitCode {
    let environment = Environment::from_process();
    let command = match Cli::read() {
        Ok(cli) => cli.command,
        Err(code) => return code.into(),
    };
    if let Some(Command::Schema { of }) = command {
        output::line(match of {
            SchemaOf::Config => settings::schema(),
            SchemaOf::Guardrails => guardrails::schema(),
        });
        return Code::Ok.into();
    }
    let log: PathBuf = environment.get("TERMINATION_LOG").unwrap_or(report::TERMINATION_LOG).into();
    let about =
        telemetry::Settings { service: "config-loader", version: env!("CARGO_PKG_VERSION"), environment: &environment };
    let _telemetry = telemetry::init(&about);
    let loaded = match settings::load(&environment) {
        Ok(loaded) => loaded,
        Err(problems) => {
            output::complain(&problems);
            report::leave(&log, &format!("failed (exit code 78, configuration):\n{problems}\n"));
            return Code::Config.into();
        }
    };
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    let started = clock::now();
    let seed = u64::try_from(clock::unix().as_nanos() & u128::from(u64::MAX)).unwrap_or_default();
    let moment = Moment { until: started + loaded.settings.deadline, unix: clock::unix(), seed };
    let ended = match command {
        None => load(&loaded.settings, &environment, moment, &log),
        Some(Command::Verify) => assembled(&loaded.settings, &environment, moment).map(|set| verified(&set)),
        Some(Command::Lint) => lint(loaded.settings, &environment, moment),
        Some(Command::Diff) => changes(&loaded.settings, &environment, moment),
        Some(Command::Schema { .. }) => Ok(()),
    };
    match ended {
        Ok(()) => Code::Ok.into(),
        Err(failed) => {
            let outcome = Outcome::Failed(&failed);
            let text = outcome.text();
            output::complain(text.trim_end());
            if command.is_none() {
                report::leave(&log, &text);
            }
            outcome.code().into()
        }
    }
}

/// Fetches, checks and publishes.
fn load(settings: &Settings, environment: &Environment, moment: Moment, log: &Path) -> Result<(), Vec<Failed>> {
    let set = assembled(settings, environment, moment)?;
    let wait = moment.until.saturating_duration_since(clock::now());
    let published = publish::publish(&settings.directory, &set.files, &set.manifest, wait)
        .map_err(|failure| vec![Failed { name: "publishing".to_owned(), source: None, failure }])?;
    let changed = published == Published::Swapped;
    tracing::info!(digest = set.manifest.digest, files = set.files.len(), changed, stale = false, "published");
    let text = Outcome::Published { directory: &settings.directory, manifest: &set.manifest, changed }.text();
    output::line(text.trim_end());
    report::leave(log, &text);
    Ok(())
}

/// A set, or why there is none: a signal to stop is a reason, too.
fn assembled(settings: &Settings, environment: &Environment, moment: Moment) -> Result<Set, Vec<Failed>> {
    let whole = |failure| vec![Failed { name: "the set".to_owned(), source: None, failure }];
    let broken = |error: std::io::Error| whole(Failure::new(Code::Software, error.to_string()));
    let set = task::block_on(async {
        let mut signals = Signals::install().map_err(broken)?;
        tokio::select! {
            biased;
            signal = signals.next() => {
                let message = format!("stopped by {signal} before the set was whole");
                Err(whole(Failure::new(Code::Deadline, message).with_hint("nothing is wrong with it: run it again")))
            }
            set = assemble(settings, environment, moment) => set,
        }
    });
    let set = set.map_err(broken)??;
    for warning in &set.warnings {
        tracing::warn!("{warning}");
    }
    Ok(set)
}

/// Tells what would change.
fn changes(settings: &Settings, environment: &Environment, moment: Moment) -> Result<(), Vec<Failed>> {
    let set = assembled(settings, environment, moment)?;
    let published = publish::published(&settings.directory)
        .map_err(|failure| vec![Failed { name: "what is published".to_owned(), source: None, failure }])?;
    let changes = diff::diff(published.as_ref().map(|(manifest, _)| manifest), &set.manifest);
    output::line(if changes.is_empty() { "nothing would change" } else { changes.trim_end() });
    Ok(())
}

fn verified(set: &Set) {
    for file in &set.manifest.files {
        let tokens = file.tokens.map(|tokens| format!(", {tokens} tokens")).unwrap_or_default();
        output::line(format_args!(
            "{}: {} bytes{tokens}, sha256 {}, from {}",
            file.target, file.bytes, file.sha256, file.source
        ));
    }
    output::line(format_args!("set {}", set.manifest.digest));
}

/// Checks what can be read without a network.
fn lint(mut settings: Settings, environment: &Environment, moment: Moment) -> Result<(), Vec<Failed>> {
    let all = settings.entries.len();
    let is_near = |spec: &Spec| match spec {
        Spec::File(path) => path.exists(),
        Spec::Inline(_) => true,
        Spec::Http(_) | Spec::S3(_) | Spec::Redis(_) => false,
    };
    settings.entries.retain(|entry| is_near(&entry.source) && entry.signature.as_ref().is_none_or(is_near));
    let near = settings.entries.len();
    assembled(&settings, environment, moment)?;
    output::line(format_args!("The configuration is valid. {near} of {all} sources could be read here, and are good."));
    Ok(())
}
