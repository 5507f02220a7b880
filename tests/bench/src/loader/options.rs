//! What the caller may choose.

use std::path::PathBuf;

use clap::{Args, builder::RangedU64ValueParser};

#[derive(Debug, PartialEq, Args)]
pub(crate) struct Options {
    /// A release binary; without it `cargo build --release -p config-loader` makes one.
    #[arg(long, value_name = "PATH")]
    pub(crate) loader: Option<PathBuf>,
    /// How often each program is started in each scene.
    #[arg(long, value_name = "N", default_value_t = 21, value_parser = RangedU64ValueParser::<usize>::new().range(1..))]
    pub(crate) rounds: usize,
    /// Only scenes with this in their name: https, for instance.
    #[arg(long, value_name = "WORDS")]
    pub(crate) only: Option<String>,
    /// Where the files go (the folder for temporary files); /dev/shm is memory.
    #[arg(long, value_name = "PATH")]
    pub(crate) folder: Option<PathBuf>,
}

impl Options {
    pub(crate) fn wants(&self, scene: &str) -> bool {
        self.only.as_ref().is_none_or(|only| scene.contains(only))
    }
}
