//! What the caller may choose: which benchmark, and what of it.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::{context, loader};

/// What a gateway adds in front of one and the same upstream: direct, nginx and the ambassador.
#[derive(Debug, Parser)]
#[command(name = "bench", args_conflicts_with_subcommands = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) ambassador: Options,
    #[command(subcommand)]
    pub(crate) another: Option<Another>,
}

/// The other benchmarks.
#[derive(Debug, Subcommand)]
pub(crate) enum Another {
    /// What the config-loader costs a pod's start, beside wget and curl.
    Loader(loader::Options),
    /// How good, how fast and how large the context-sidecar is.
    #[command(after_help = context::ENVIRONMENT)]
    Context(context::Options),
}

#[derive(Debug, Default, PartialEq, Args)]
pub(crate) struct Options {
    /// One short round, about 20 s: does everything still run?
    #[arg(long)]
    pub(crate) quick: bool,
    /// Rounds over all subjects. Default: 3.
    #[arg(long, value_name = "N")]
    pub(crate) rounds: Option<usize>,
    /// Comma-separated: nginx, ambassador, translating (direct is always measured).
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    pub(crate) only: Option<Vec<String>>,
    /// A release binary; without it `cargo build --release -p ambassador` makes one.
    #[arg(long, value_name = "PATH")]
    pub(crate) ambassador: Option<PathBuf>,
    /// Every round's figures, for later comparison.
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
}

impl Options {
    pub(crate) fn wants(&self, name: &str) -> bool {
        self.only.as_ref().is_none_or(|only| only.iter().any(|wanted| wanted == name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Cli, String> {
        let words = std::iter::once("bench").chain(line.split_whitespace());
        Cli::try_parse_from(words).map_err(|error| error.to_string())
    }

    #[test]
    fn every_option_is_understood() {
        let options = read("--quick --rounds 5 --only nginx,ambassador --json out.json").unwrap().ambassador;
        assert!(options.quick && options.wants("nginx") && !options.wants("translating"));
        assert_eq!((options.rounds, options.json), (Some(5), Some("out.json".into())));
        assert!(read("").unwrap().ambassador.wants("translating"));
    }

    #[test]
    fn so_is_every_option_of_the_others() {
        let cli = read("loader --loader a --rounds 5 --only https --folder /dev/shm").unwrap();
        let Some(Another::Loader(options)) = cli.another else { panic!("{cli:?}") };
        assert_eq!((options.loader, options.rounds, options.folder), (Some("a".into()), 5, Some("/dev/shm".into())));
        let cli = read("loader --only https").unwrap();
        let Some(Another::Loader(options)) = cli.another else { panic!("{cli:?}") };
        assert!(options.wants("2 files, https") && !options.wants("2 files, http") && options.rounds == 21);
        let cli = read("context --sidecar a --retrieval b --only speed,size").unwrap();
        let Some(Another::Context(options)) = cli.another else { panic!("{cli:?}") };
        assert!(options.wants("size") && !options.wants("quality") && options.rounds == 5);
        assert_eq!((options.sidecar, options.retrieval), (Some("a".into()), "b".into()));
    }

    #[test]
    fn a_slip_is_named() {
        for (line, named) in [
            ("--round 5", "--round"),
            ("--json", "--json"),
            ("context --round 5", "--round"),
            ("context --only", "--only"),
            ("loader --rounds 0", "--rounds"),
        ] {
            let told = read(line).unwrap_err();
            assert!(told.contains(named), "{line}: {told}");
        }
    }
}
