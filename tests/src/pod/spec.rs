//! What one process of a pod is.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;

/// When a process is started, and what is waited for before the next one is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// No part of the pod: what stands in for the world around it. First, since the pod may look for it.
    World,
    /// Runs to completion, exit 0, before anything else of the pod starts.
    Init,
    /// Starts when the one before is ready, and stays.
    Sidecar,
}

/// Where a process says that it is ready.
#[derive(Debug, Clone, Copy)]
pub(super) struct Probe {
    pub address: SocketAddr,
    pub path: &'static str,
}

#[derive(Debug)]
pub(super) struct Spec {
    pub name: &'static str,
    pub role: Role,
    pub program: PathBuf,
    pub arguments: Vec<String>,
    /// Added to the environment that this program itself has, which brings proxies and certificates.
    pub env: Vec<(&'static str, String)>,
    /// Taken out of it: what would contradict the above.
    pub without: Vec<&'static str>,
    pub ready: Option<Probe>,
    /// Where it leaves its last words, as for `kubectl describe pod`.
    pub termination: Option<PathBuf>,
    /// What the newcomer should know about it.
    pub remark: String,
}

impl Spec {
    pub(super) fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        for name in &self.without {
            command.env_remove(name);
        }
        command.args(&self.arguments).envs(self.env.iter().map(|(name, value)| (name, value)));
        command
    }

    /// What to type to have it again. Without its environment: simulated providers, whom it is for, need none.
    pub(super) fn line(&self) -> String {
        format!("{} {}", self.program.display(), self.arguments.join(" "))
    }
}
