//! The benchmark: what a gateway adds in front of one and the same upstream.
//!
//! One binary plays every part. Run plainly it is the conductor; it starts itself again as the upstream and as the
//! load, and starts nginx and the ambassador through `pinned`, so that every part is a process on a core of its choice.
//!
//! ```text
//!   core A   load  ------------------------------> upstream      direct
//!   core A   load  ---> core B: nginx -----------> upstream      the yardstick
//!   core A   load  ---> core B: ambassador ------> upstream      what we measure
//! ```
//!
//! `bench loader` is another benchmark, of the config-loader: see `loader`; and `bench context` one of the
//! context-sidecar: see `context`.
#![allow(
    clippy::disallowed_methods,
    reason = "a benchmark reads clocks, the environment and exit codes as they are; none of it ships"
)]

mod ambassador;
mod child;
mod clock;
mod context;
mod cores;
mod figures;
mod load;
mod loader;
mod machine;
mod measure;
mod nginx;
mod options;
mod plan;
mod procfs;
mod report;
mod run;
mod scratch;
mod spread;
mod stamp;
mod subject;
mod upstream;

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;

use crate::options::{Another, Cli};

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let played = match words.split_first() {
        Some((part, rest)) if part == "pinned" => child::become_pinned(rest),
        Some((part, rest)) if part == "upstream" => upstream::play(rest),
        Some((part, rest)) if part == "load" => load::play(rest),
        Some((part, rest)) if part == "files" => loader::play_files(rest),
        Some((part, rest)) if part == "timed" => loader::play_timed(rest),
        Some((part, rest)) if part == "vectors" => context::play_vectors(rest),
        Some((part, rest)) if part == "replay" => context::play_replay(rest),
        _ => conduct(&Cli::parse()),
    };
    match played {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            let _ = writeln!(std::io::stderr(), "bench: {why:#}");
            ExitCode::FAILURE
        }
    }
}

fn conduct(cli: &Cli) -> anyhow::Result<()> {
    match &cli.another {
        None => run::conduct(&cli.ambassador),
        Some(Another::Loader(options)) => loader::conduct(options),
        Some(Another::Context(options)) => context::conduct(options),
    }
}

fn say(text: &str) -> anyhow::Result<()> {
    Ok(writeln!(std::io::stdout(), "{text}")?)
}
