//! A real model: all-MiniLM-L6-v2 as a server, see `minilm.py`. `MINILM_PYTHON` names the Python that has its packages;
//! `.ci/run` makes one.

use std::{path::PathBuf, process::Command, time::Duration};

use chassis::clock;
use e2e::process::{Process, bin_dir};

pub(crate) const MODEL: &str = "all-MiniLM-L6-v2";

/// It loads 90 MB and plans what to do with them.
const START: Duration = Duration::from_secs(60);

/// A server of it; gone when it is dropped.
pub(crate) struct MiniLm {
    _process: Process,
    pub(crate) base: String,
}

fn python() -> Option<PathBuf> {
    #[allow(clippy::disallowed_methods, reason = "a test has no main that would pass the environment on")]
    let named = std::env::var_os("MINILM_PYTHON").map(PathBuf::from);
    let beside = || Some(bin_dir().ok()?.parent()?.join("minilm/bin/python"));
    named.or_else(beside).filter(|path| path.exists())
}

impl MiniLm {
    /// `None` where its packages are not installed.
    pub(crate) async fn start() -> Option<Self> {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/minilm.py");
        let process = Process::start(Command::new(python()?).arg(script).env("HF_HUB_OFFLINE", "1")).unwrap();
        let deadline = clock::now() + START;
        loop {
            let lines = process.stdout.lines();
            if let Some(address) = lines.iter().find_map(|line| line.strip_prefix("listening on ")) {
                return Some(Self { base: format!("{address}/v1"), _process: process });
            }
            assert!(clock::now() < deadline, "the model did not start:\n{}", process.stderr.text());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}
