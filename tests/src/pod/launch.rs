//! Plan -> running processes, and their end.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};

use super::interrupted;
use super::plan::Plan;
use super::screen::Screen;
use super::spec::{Probe, Role, Spec};
use crate::http;
use crate::process::{Hear, Process};

/// How long a process may take to become ready.
const START: Duration = Duration::from_secs(30);
/// How long a process may take to run to completion. It has a deadline of its own, and says more when that has come.
const COMPLETION: Duration = Duration::from_secs(120);
/// How long a process may take to end once it was asked to: what a kubelet gives by default.
const GRACE: Duration = Duration::from_secs(30);

/// Running processes, in the order of their start. Killed where they are dropped without having been stopped.
pub(super) struct Pod {
    running: Vec<Running>,
}

struct Running {
    name: &'static str,
    role: Role,
    /// What to type to have it again.
    line: String,
    process: Process,
}

/// A process that ended although nobody asked it to.
pub(super) struct Ended {
    pub role: Role,
    /// Which one, and how.
    pub what: String,
    pub last_words: String,
    pub line: String,
}

/// The pod of a plan, unless somebody wants this program to end before that; then nothing of it is left.
pub(super) async fn started(plan: &Plan, hear: impl Fn(&'static str) -> Hear, screen: &mut Screen) -> Result<Pod> {
    tokio::select! {
        pod = Pod::start(&plan.specs, hear, screen) => pod,
        end = interrupted() => { end?; bail!("interrupted before the pod was up") }
    }
}

impl Pod {
    /// Starts all of them, each when those before it are ready. `hear` gets every line they write.
    async fn start(specs: &[Spec], hear: impl Fn(&'static str) -> Hear, screen: &mut Screen) -> Result<Self> {
        let mut pod = Self { running: Vec::new() };
        for spec in specs {
            let since = Instant::now();
            let mut command = spec.command();
            // A group of its own: the terminal's Ctrl-C is for this program alone, which then stops them in order.
            command.process_group(0);
            let mut process = Process::start_heard(&mut command, hear(spec.name))?;
            match spec.role {
                Role::Init => completed(spec, &mut process).await?,
                Role::World | Role::Sidecar => {
                    if let Some(probe) = spec.ready {
                        ready(spec.name, &mut process, probe).await?;
                    }
                    pod.running.push(Running { name: spec.name, role: spec.role, line: spec.line(), process });
                }
            }
            screen.started(spec, since.elapsed())?;
        }
        Ok(pod)
    }

    /// The processes that have ended although nobody asked them to. Each is told of once, and then no part of this.
    pub(super) fn ended(&mut self) -> Vec<Ended> {
        let mut ended = Vec::new();
        self.running.retain_mut(|Running { name, role, line, process }| {
            let Some(status) = process.ended() else { return true };
            ended.push(Ended {
                role: *role,
                what: format!("{name} ended by itself ({status})"),
                last_words: tail(process),
                line: std::mem::take(line),
            });
            false
        });
        ended
    }

    /// What a process said last.
    pub(super) fn last_words(&self, name: &str) -> String {
        self.process(name).map(tail).unwrap_or_default()
    }

    pub(super) fn log(&self, name: &str) -> Vec<String> {
        self.process(name).map(|process| process.stderr.lines()).unwrap_or_default()
    }

    fn process(&self, name: &str) -> Option<&Process> {
        self.running.iter().find(|running| running.name == name).map(|running| &running.process)
    }

    /// Stops all of them, the last started first, as sidecars are stopped.
    pub(super) async fn stop(mut self) -> Result<()> {
        let mut problems = Vec::new();
        while let Some(Running { name, mut process, .. }) = self.running.pop() {
            match process.stop(GRACE).await {
                Some(status) if status.success() => {}
                Some(status) => problems
                    .push(format!("{name} ended badly when it was asked to stop ({status}):\n{}", tail(&process))),
                None => problems.push(format!("{name} did not stop within {} s and was killed", GRACE.as_secs())),
            }
        }
        ensure!(problems.is_empty(), "{}", problems.join("\n"));
        Ok(())
    }
}

async fn completed(spec: &Spec, process: &mut Process) -> Result<()> {
    let name = spec.name;
    match process.wait(COMPLETION).await {
        Some(status) if status.success() => Ok(()),
        Some(status) => match last_words(spec) {
            Some(words) => {
                bail!("{name} failed, so the pod does not start. `kubectl describe pod` would show:\n\n{words}")
            }
            None => bail!("{name} failed ({status}), so the pod does not start:\n{}", tail(process)),
        },
        None => bail!("{name} did not complete within {} s:\n{}", COMPLETION.as_secs(), tail(process)),
    }
}

/// What a process left for `kubectl describe pod`, if anything.
fn last_words(spec: &Spec) -> Option<String> {
    let left = fs::read_to_string(spec.termination.as_ref()?).ok()?;
    let lines: Vec<String> = left.lines().map(|line| format!("    {line}")).collect();
    Some(lines.join("\n")).filter(|words| !words.is_empty())
}

async fn ready(name: &str, process: &mut Process, probe: Probe) -> Result<()> {
    let deadline = Instant::now() + START;
    loop {
        if http::get(probe.address, probe.path).await.is_ok_and(|answer| answer.status == 200) {
            return Ok(());
        }
        if process.ended().is_some() {
            // The pipes may hold more than was read when it ended.
            let _ = process.wait(Duration::from_secs(1)).await;
            bail!("{name} ended before it was ready:\n{}", tail(process));
        }
        if Instant::now() > deadline {
            bail!(
                "{name} was not ready within {} s (http://{}{}):\n{}",
                START.as_secs(),
                probe.address,
                probe.path,
                tail(process)
            );
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

fn tail(process: &Process) -> String {
    let lines = process.stderr.lines();
    let from = lines.len().saturating_sub(12);
    lines.iter().skip(from).map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n")
}
