//! The part `timed PROGRAM ARGUMENTS`: starts it, waits for it, and tells what it took.
//!
//! A process of its own, because the kernel counts into a program's peak memory what the process had that started it.

use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};
use wait4::Wait4 as _;

use super::programs::Program;
use super::report::Run;
use super::scenes::Scene;
use crate::clock;

/// Of a program and all that it has waited for.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Figures {
    wall_ns: u64,
    cpu_ns: u64,
    /// Of the largest process among them.
    peak_bytes: u64,
}

impl Figures {
    pub(crate) fn of(&self, scene: &Scene, program: &Program) -> Run {
        let ms = |ns: u64| ns as f64 / clock::MILLISECOND as f64;
        Run {
            scene: scene.name,
            program: program.name,
            wall_ms: ms(self.wall_ns),
            cpu_ms: ms(self.cpu_ns),
            peak_mib: self.peak_bytes as f64 / f64::from(1 << 20),
        }
    }
}

pub(crate) fn play(words: &[String]) -> anyhow::Result<()> {
    let [program, arguments @ ..] = words else { bail!("timed PROGRAM ARGUMENTS") };
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null());
    let began = clock::now();
    let ended = command.spawn().with_context(|| format!("starting {program}"))?.wait4()?;
    let wall_ns = clock::now() - began;
    if !ended.status.success() {
        bail!("{program}: {}", ended.status);
    }
    let cpu_ns = u64::try_from((ended.rusage.utime + ended.rusage.stime).as_nanos())?;
    crate::say(&serde_json::to_string(&Figures { wall_ns, cpu_ns, peak_bytes: ended.rusage.maxrss })?)
}
