//! The agent's pod on localhost, without a cluster: the same processes, started in a kubelet's order.
//!
//! - `spec`: what one process is: program, environment, probe, role
//! - `plan`: environment -> the processes of this pod. A binary that joins the pod is a spec more here
//! - `loader`: the init container of it, and the store that it loads from
//! - `set`: what it brought, as an agent reads it, and whether that reached the providers
//! - `library`: its context-sidecar, and the documents in it
//! - `passages`: what is found in them, and whether that reached the providers
//! - `launch`: plan -> running processes, and their end
//! - `demo`, `attempts`, `account`: an agent asks, and what came of it
//! - `up`: the pod in the foreground
//! - `screen`: what is printed, and the lines to try next

mod account;
mod attempts;
mod demo;
mod launch;
mod library;
mod loader;
mod passages;
mod plan;
mod screen;
mod set;
mod spec;
mod up;

use anyhow::Result;
use tokio::signal::unix::{SignalKind, signal};

pub use demo::demo;
pub use plan::Environment;
pub use screen::Screen;
pub use up::up;

/// Returns when somebody wants this process to end.
pub async fn interrupted() -> Result<()> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let mut hangup = signal(SignalKind::hangup())?;
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
        _ = hangup.recv() => {}
    }
    Ok(())
}
