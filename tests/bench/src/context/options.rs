//! What the caller may choose.

use std::path::PathBuf;

use clap::{Args, builder::RangedU64ValueParser};

/// What is told besides of the environment.
pub(crate) const ENVIRONMENT: &str = "\
Environment:
  MINILM_PYTHON  a Python with the model's packages (target/minilm/bin/python); see context-sidecar/tests/support/minilm.py
  QDRANT_PYTHON  a Python with qdrant-client (target/qdrant/bin/python)
  QDRANT_URL     a Qdrant to use instead of fake_qdrant.py; collections named bench-... come and stay";

#[derive(Debug, PartialEq, Args)]
pub(crate) struct Options {
    /// A release binary; without it `cargo build --release -p context-sidecar` makes one.
    #[arg(long, value_name = "PATH")]
    pub(crate) sidecar: Option<PathBuf>,
    /// Where scifact, chunkeval and fake_qdrant.py are.
    #[arg(
        long,
        value_name = "DIR",
        default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/retrieval"),
        hide_default_value = true
    )]
    pub(crate) retrieval: PathBuf,
    /// Only some of: quality, qdrant, contexts, speed (of it: overhead), size.
    #[arg(long, value_name = "WORDS", value_delimiter = ',')]
    pub(crate) only: Option<Vec<String>>,
    /// How often each question is asked where time is measured.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = RangedU64ValueParser::<usize>::new().range(1..))]
    pub(crate) rounds: usize,
}

impl Options {
    pub(crate) fn wants(&self, name: &str) -> bool {
        self.only.as_ref().is_none_or(|only| only.iter().any(|wanted| wanted == name))
    }
}
