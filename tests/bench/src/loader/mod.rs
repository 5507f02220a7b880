//! The other benchmark: what the config-loader costs a pod's start, beside the wget and the curl that it replaces.
//!
//! All programs fetch the same files from one server into a folder that is fresh every time. A round goes over all
//! scenes and in each over all programs, so that what drifts on the machine drifts for all of them.

mod files;
mod options;
mod programs;
mod report;
mod scenes;
mod sizes;
mod timed;

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde_json::Value;

pub(crate) use self::options::Options;
use self::programs::Stage;
use self::report::Report;
use self::scenes::{SCENES, Scene};
use crate::child::{Part, give_up_after};
use crate::clock::{SECOND, now};
use crate::cores::Cores;
use crate::machine::Machine;
use crate::procfs;
use crate::scratch::Scratch;

pub(crate) use files::play as play_files;
pub(crate) use timed::play as play_timed;

/// No round of all programs over a scene takes longer, in seconds, on any machine that is worth measuring.
const PATIENCE_S: u64 = 60;

pub(crate) fn conduct(options: &Options) -> anyhow::Result<()> {
    let loader = options.loader.as_ref().map_or_else(build, |path| Ok(path.clone()))?;
    let loader = loader.canonicalize().with_context(|| format!("no config-loader at {}", loader.display()))?;
    let cores = Cores::choose()?;
    let scratch = Scratch::new().context("a folder for what is fetched")?;
    let (stage, mut server) = stage(cores.load, &scratch, options.folder.as_ref())?;
    let programs = programs::found(&loader);
    let scenes: Vec<&Scene> = SCENES.iter().filter(|scene| options.wants(scene.name)).collect();
    give_up_after(Duration::from_secs(PATIENCE_S * (options.rounds * scenes.len()) as u64));

    let (began, busy) = (now(), procfs::machine_busy_s());
    let mut runs = Vec::new();
    for round in 1..=options.rounds {
        writeln!(std::io::stderr(), "round {round} of {}", options.rounds)?;
        for scene in &scenes {
            for program in &programs {
                let Some(command) = program.command(scene, &stage)? else { continue };
                let measured = run(scene, &stage, &command);
                runs.push(measured.with_context(|| format!("{}: {}", program.name, scene.name))?.of(scene, program));
            }
        }
    }
    if server.has_ended() {
        bail!("the server of the files has ended");
    }
    let took = (now() - began) as f64 / SECOND as f64;
    let theirs: f64 = runs.iter().map(|run| run.cpu_ms / 1_000.0).sum();
    let ours = theirs + procfs::own_cpu_s() + procfs::group_cpu_s(server.group());
    let others = (procfs::machine_busy_s() - busy - ours).max(0.0) / took;
    let sizes = programs.iter().map(|program| sizes::mib(&program.path)).collect();
    let machine = Machine::look();
    let report = Report { machine, rounds: options.rounds, programs, scenes, sizes, runs, others };
    crate::say(report.to_string().trim_end())
}

/// The server, and all that programs are told of it.
fn stage(core: usize, scratch: &Scratch, folder: Option<&PathBuf>) -> anyhow::Result<(Stage, Part)> {
    let certificate = files::certificate()?;
    let (pem, key) = (scratch.write("certificate.pem", &certificate.0)?, scratch.write("key.pem", &certificate.1)?);
    // As many authorities as everywhere, and ours: reading them is a part of the price of https.
    let system = fs::read_to_string("/etc/ssl/certs/ca-certificates.crt").unwrap_or_default();
    let authorities = scratch.write("authorities.pem", &format!("{system}\n{}", certificate.0))?;
    let words = [&pem, &key].map(|path| path.display().to_string());
    let mut server = Part::ours("files", core, &words)?;
    let mut port = || anyhow::Ok(server.line()?.parse::<u16>()?);
    let (http, https) = (port()?, port()?);
    let folder = folder.cloned().unwrap_or_else(|| scratch.path().to_owned());
    let into = folder.join(format!("loader-bench-{}", std::process::id()));
    Ok((Stage { http, https, certificate: pem, authorities, scratch: scratch.path().to_owned(), into }, server))
}

/// One start of a program, in a process small enough to leave no trace in the figures.
fn run(scene: &Scene, stage: &Stage, command: &Command) -> anyhow::Result<timed::Figures> {
    // Those of a run that was broken off.
    let _ = fs::remove_dir_all(&stage.into);
    fs::create_dir_all(&stage.into)?;
    let mut timed = Command::new(std::env::current_exe()?);
    timed.arg("timed").arg(command.get_program()).args(command.get_args());
    timed.env_clear().envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let ended = timed.output().context("starting it")?;
    if !ended.status.success() {
        bail!("it failed: {}", String::from_utf8_lossy(&ended.stderr));
    }
    let there = scene.names().filter(|name| fs::read(stage.into.join(name)).is_ok_and(|bytes| !bytes.is_empty()));
    if there.count() != scene.files {
        bail!("not all files are there");
    }
    fs::remove_dir_all(&stage.into)?;
    Ok(serde_json::from_slice(&ended.stdout)?)
}

/// The release binary that is built now.
fn build() -> anyhow::Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--release", "-p", "config-loader", "--message-format=json-render-diagnostics"]);
    let built = command.stderr(std::process::Stdio::inherit()).output();
    let built = built.context("running cargo; --loader PATH does without")?;
    let messages = String::from_utf8_lossy(&built.stdout);
    let executable = messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .find_map(|message| message["executable"].as_str().map(PathBuf::from));
    executable.context("cargo built no config-loader")
}
