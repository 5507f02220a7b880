//! The life of the process, in order.

mod cli;
mod lines;
mod told;
mod watch;

use std::{
    io::{self, IsTerminal as _},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
};

use chassis::{clock, config::Environment, exit::Code, output, task, telemetry};
use config_loader::{
    assemble::Set,
    cache::Cache,
    check::guardrails,
    diff,
    failure::Failure,
    fetch::Gathered,
    gather::Moment,
    progress::{self, Progress},
    publish::{self, Published},
    report::{self, Failed, Outcome},
    run::{Run, World},
    settings::{self, Settings, Spec},
    stage::Stage,
};

use crate::{
    cli::{Cli, Command, SchemaOf},
    lines::Lines,
    watch::{End, Watch},
};

fn main() -> ExitCode {
    let mut environment = Environment::from_process();
    let command = match chassis::cli::parse::<Cli>() {
        Ok(cli) => cli.command,
        Err(code) => {
            if code == Code::Usage {
                let log: PathBuf = environment.get("TERMINATION_LOG").unwrap_or(report::TERMINATION_LOG).into();
                report::leave(&log, "failed (exit code 64, usage): `config-loader --help` says what there is\n");
            }
            return code.into();
        }
    };
    if let Some(Command::Schema { of }) = command {
        output::line(match of {
            SchemaOf::Config => settings::schema(),
            SchemaOf::Guardrails => guardrails::schema(),
        });
        return Code::Ok.into();
    }
    if let Some(Command::Lint { file: Some(file) }) = &command {
        environment = environment.with(settings::FILE_VARIABLE, file);
    }
    let log: PathBuf = environment.get("TERMINATION_LOG").unwrap_or(report::TERMINATION_LOG).into();
    // People see lines that change, and what is odd; RUST_LOG or LOG_FORMAT brings the log back.
    let quiet =
        io::stderr().is_terminal() && ["RUST_LOG", "LOG_FORMAT"].iter().all(|name| environment.get(name).is_none());
    // A command is typed by somebody; what loads in a pod speaks to a collector of logs.
    let people = command.is_some() || telemetry::for_people(&environment);
    let told = if quiet { environment.with("RUST_LOG", "warn") } else { environment.clone() };
    let about =
        telemetry::Settings { service: "config-loader", version: env!("CARGO_PKG_VERSION"), environment: &told };
    let mut telemetry = telemetry::init(&about);
    let loaded = match settings::load(&environment) {
        Ok(loaded) => loaded,
        Err(problems) => {
            let text = format!("failed (exit code 78, configuration):\n{problems}");
            if people {
                output::complain(&text);
            } else {
                problems.iter().for_each(|problem| tracing::error!(exit_code = Code::Config as u8, "{problem}"));
            }
            if command.is_none() {
                report::leave(&log, &format!("{text}\n"));
            }
            told::refused(&mut telemetry, &about);
            return Code::Config.into();
        }
    };
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    let started = clock::now();
    let seed = u64::try_from(clock::unix().as_nanos() & u128::from(u64::MAX)).unwrap_or_default();
    let moment = Moment { until: started + loaded.settings.deadline, unix: clock::unix(), seed };
    let progress: Arc<dyn Progress> = if quiet { Arc::new(Lines::default()) } else { Arc::new(progress::Log) };
    let world = World { environment: &environment, moment, progress, stage: Arc::default() };
    let ended = match command {
        None => told::run(&mut telemetry, &about, &loaded.settings.directory, || {
            load(&loaded.settings, &world, &log, people)
        }),
        Some(Command::Verify) => assembled(&loaded.settings, &world).map(|set| verified(&set)),
        Some(Command::Lint { .. }) => lint(loaded.settings, &world),
        Some(Command::Diff) => changes(&loaded.settings, &world),
        Some(Command::Schema { .. }) => Ok(()),
    };
    match ended {
        Ok(()) => Code::Ok.into(),
        Err(failed) => {
            let outcome = Outcome::Failed(&failed);
            let text = outcome.text();
            if people {
                output::complain(text.trim_end());
            } else {
                failed.iter().for_each(report::log);
            }
            if command.is_none() {
                report::leave(&log, &text);
            }
            outcome.code().into()
        }
    }
}

/// Fetches, checks and publishes.
fn load(settings: &Settings, world: &World<'_>, log: &Path, people: bool) -> Result<(), Vec<Failed>> {
    let World { environment, moment, .. } = *world;
    let watch = watch(world, Some(log), people)?;
    let cache = Cache::of(settings, environment).map_err(|failure| of("the cache", failure))?;
    let run = Run::new(settings, world)?;
    let (set, gathered) = finished(async {
        match (run.newest(cache.as_ref()).await, &cache) {
            (Ok((set, gathered)), _) => Ok((set, Some(gathered))),
            (Err(failed), Some(cache)) => run.last_good(cache, failed).await.map(|set| (set, None)),
            (Err(failed), None) => Err(failed),
        }
    })?;
    warn(&set);
    world.stage.enter(Stage::Publishing);
    // Less than is left, so that there is time to say who holds the lock.
    let wait = moment.until.saturating_duration_since(clock::now()) * 9 / 10;
    let published = publish::publish(&settings.directory, &set.files, &set.manifest, wait)
        .map_err(|failure| of("publishing", failure))?;
    drop(watch);
    let changed = published == Published::Swapped;
    let (digest, files, stale) = (&set.manifest.digest, set.files.len(), set.manifest.stale.is_some());
    let what = if changed { "published" } else { "unchanged" };
    tracing::info!(digest, files, changed, stale, omitted = set.manifest.omitted.len(), "{what}");
    let text = Outcome::Published { directory: &settings.directory, manifest: &set.manifest, changed }.text();
    if people {
        output::line(text.trim_end());
    }
    report::leave(log, &text);
    if let (Some(cache), Some(gathered)) = (&cache, &gathered) {
        keep(cache, gathered, moment);
    }
    Ok(())
}

/// Keeps what was good for a worse day. The set is published: nothing that goes wrong here is a failure.
fn keep(cache: &Cache, gathered: &Gathered, moment: Moment) {
    if let Err(error) = task::block_on_this_thread(cache.save(gathered, moment.unix)) {
        tracing::warn!(%error, "this set is good, and could not be kept");
    }
}

/// The newest set and no other.
fn assembled(settings: &Settings, world: &World<'_>) -> Result<Set, Vec<Failed>> {
    let _watch = watch(world, None, true)?;
    let run = Run::new(settings, world)?;
    let (set, _) = finished(run.newest(None))?;
    warn(&set);
    Ok(set)
}

fn finished<T>(work: impl Future<Output = Result<T, Vec<Failed>>>) -> Result<T, Vec<Failed>> {
    task::block_on_this_thread(work).map_err(broken)?
}

fn watch(world: &World<'_>, log: Option<&Path>, people: bool) -> Result<Watch, Vec<Failed>> {
    let end = End { log: log.map(Path::to_owned), people };
    Watch::until(world.moment.until, Arc::clone(&world.stage), end).map_err(broken)
}

/// The system has no thread or no signals for us.
fn broken(error: io::Error) -> Vec<Failed> {
    of("the set", Failure::new(Code::Software, error.to_string()))
}

fn warn(set: &Set) {
    for warning in &set.warnings {
        tracing::warn!("{warning}");
    }
}

fn of(name: &str, failure: Failure) -> Vec<Failed> {
    vec![Failed { name: name.to_owned(), source: None, failure }]
}

/// Tells what would change.
fn changes(settings: &Settings, world: &World<'_>) -> Result<(), Vec<Failed>> {
    let set = assembled(settings, world)?;
    let published = publish::published(&settings.directory).map_err(|failure| of("what is published", failure))?;
    let there = published.map(|(manifest, files)| publish::as_found(manifest, &files));
    let changes = diff::diff(there.as_ref(), &set.manifest);
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
fn lint(mut settings: Settings, world: &World<'_>) -> Result<(), Vec<Failed>> {
    let all = settings.entries.len();
    let is_near = |spec: &Spec| match spec {
        Spec::File(path) => path.exists(),
        Spec::Inline(_) => true,
        Spec::Http(_) | Spec::S3(_) | Spec::Redis(_) => false,
    };
    // All of it has to make sense; only what is here can be looked into.
    Run::new(&settings, world)?;
    settings.entries.retain(|entry| is_near(&entry.source) && entry.signature.as_ref().is_none_or(is_near));
    let near = settings.entries.len();
    assembled(&settings, world)?;
    output::line(format_args!("The configuration is valid. {near} of {all} sources could be read here, and are good."));
    Ok(())
}
