//! Processes of a run: each on its core, each gone when its handle is, or when this process is.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, bail};
use rustix::process::{Pid, Signal, kill_process_group};

use crate::clock::{self, SECOND};
use crate::cores;

/// A running part, the leader of a process group of its own.
pub(crate) struct Part {
    child: Child,
    said: BufReader<ChildStdout>,
}

impl Part {
    /// This binary again, as another part.
    pub(crate) fn ours(part: &str, core: usize, words: &[String]) -> anyhow::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg(part).arg(core.to_string()).args(words);
        Self::start(command, Stdio::inherit())
    }

    /// Another program, on `core`, with exactly the environment that `program` carries; what it writes goes to `log`.
    /// The second value is the instant of its exec.
    pub(crate) fn theirs(program: &Command, core: usize, log: &Path) -> anyhow::Result<(Self, u64)> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("pinned").arg(core.to_string()).arg(program.get_program()).args(program.get_args());
        command.env_clear().envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let mut part = Self::start(command, File::create(log)?.into())?;
        let exec_at = part.line()?.parse().context("the instant of the exec")?;
        Ok((part, exec_at))
    }

    fn start(mut command: Command, log: Stdio) -> anyhow::Result<Self> {
        command.process_group(0).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
        let mut child = command.spawn().with_context(|| format!("starting {command:?}"))?;
        let said = child.stdout.take().context("the output of a process just started")?;
        Ok(Self { child, said: BufReader::new(said) })
    }

    pub(crate) fn group(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// The next line that it writes to its standard output.
    pub(crate) fn line(&mut self) -> anyhow::Result<String> {
        let mut line = String::new();
        if self.said.read_line(&mut line)? == 0 {
            bail!("a part of the benchmark ended without a word: {:?}", self.child.wait()?);
        }
        Ok(line.trim_end().to_owned())
    }

    /// All that it writes until it ends by itself.
    pub(crate) fn rest(mut self) -> anyhow::Result<String> {
        let mut text = String::new();
        self.said.read_to_string(&mut text)?;
        let status = self.child.wait()?;
        if !status.success() {
            bail!("a part of the benchmark failed: {status}");
        }
        Ok(text)
    }

    fn signal(&self, signal: Signal) {
        if let Some(group) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process_group(group, signal);
        }
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if self.has_ended() {
            return;
        }
        self.signal(Signal::TERM);
        let patience = clock::now() + 3 * SECOND;
        while !self.has_ended() && clock::now() < patience {
            thread::sleep(Duration::from_millis(2));
        }
        // Whoever is left of the group, a worker process for instance, goes too.
        self.signal(Signal::KILL);
        let _ = self.child.wait();
    }
}

/// The part `pinned CORE PROGRAM ARGUMENTS`: settles, says when, and turns into the program.
pub(crate) fn become_pinned(words: &[String]) -> anyhow::Result<()> {
    let [core, program, arguments @ ..] = words else { bail!("pinned CORE PROGRAM ARGUMENTS") };
    cores::settle_on(core)?;
    let mut command = Command::new(program);
    command.args(arguments).stdout(Stdio::from(std::io::stderr()));
    writeln!(std::io::stdout(), "{}", clock::now())?;
    Err(command.exec()).with_context(|| format!("cannot run {program}"))
}

/// Ends this process, and so its parts, should it still be there after so long.
pub(crate) fn give_up_after(limit: Duration) {
    thread::spawn(move || {
        thread::sleep(limit);
        let _ = writeln!(std::io::stderr(), "bench: not done after {limit:?}, giving up");
        std::process::exit(3);
    });
}
