//! One child process: started, listened to, stopped as a kubelet stops it.

use std::io::{BufRead as _, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process};

/// What a process wrote, line after line.
#[derive(Debug, Clone, Default)]
pub struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    #[must_use]
    pub fn text(&self) -> String {
        self.lines().join("\n")
    }
}

/// What is done with each line besides keeping it.
pub type Hear = Arc<dyn Fn(&str) + Send + Sync>;

/// A process that is killed when it is dropped.
pub struct Process {
    child: Child,
    /// Standard error: where our processes log.
    pub stderr: Log,
    pub stdout: Log,
    readers: Vec<thread::JoinHandle<()>>,
}

impl Process {
    pub fn start(command: &mut Command) -> Result<Self> {
        Self::start_heard(command, Arc::new(|_| ()))
    }

    /// Starts a process whose every line is passed to `hear` as well.
    pub fn start_heard(command: &mut Command, hear: Hear) -> Result<Self> {
        let program = command.get_program().to_string_lossy().into_owned();
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().with_context(|| format!("cannot start {program}"))?;
        let (stdout, stderr) = (Log::default(), Log::default());
        let mut readers = Vec::new();
        readers.extend(child.stdout.take().map(|from| listen(from, stdout.clone(), Arc::clone(&hear))));
        readers.extend(child.stderr.take().map(|from| listen(from, stderr.clone(), hear)));
        Ok(Self { child, stderr, stdout, readers })
    }

    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// How the process ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Asks the process to stop, as a kubelet does first.
    pub fn terminate(&self) {
        let _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
    }

    /// Waits for the process to end; `None` when it has not within `patience`.
    pub async fn wait(&mut self, patience: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + patience;
        loop {
            if let Some(status) = self.ended() {
                // The pipes close with the process: what it said last is read to the end.
                for reader in self.readers.drain(..) {
                    let _ = reader.join();
                }
                return Some(status);
            }
            if Instant::now() > deadline {
                return None;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Asks the process to stop, and kills it when it has not within `grace`. `None` says that it had to be killed.
    pub async fn stop(&mut self, grace: Duration) -> Option<ExitStatus> {
        self.terminate();
        let status = self.wait(grace).await;
        if status.is_none() {
            self.kill();
        }
        status
    }

    fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.ended().is_none() {
            self.kill();
        }
    }
}

fn listen(from: impl Read + Send + 'static, log: Log, hear: Hear) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        for line in BufReader::new(from).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).into_owned();
            hear(&line);
            log.0.lock().unwrap_or_else(PoisonError::into_inner).push(line);
        }
    })
}

/// The folder that the binaries of this workspace are built into: the one of the running program, or above it where
/// that is a test. `OUTRIGGER_BIN_DIR` names another, so that the same tests can be held against a release.
pub fn bin_dir() -> Result<PathBuf> {
    if let Some(dir) = std::env::var_os("OUTRIGGER_BIN_DIR") {
        return Ok(dir.into());
    }
    let program = std::env::current_exe().context("where is this program?")?;
    let dir = program.parent().context("a program has a folder")?;
    let dir = if dir.ends_with("deps") { dir.parent().unwrap_or(dir) } else { dir };
    Ok(dir.to_path_buf())
}

/// A binary of this workspace.
pub fn binary(name: &str) -> Result<PathBuf> {
    let path = bin_dir()?.join(name);
    anyhow::ensure!(path.is_file(), "{} is not built: cargo build --workspace --bins", path.display());
    Ok(path)
}

/// The root of the workspace.
#[must_use]
pub fn root() -> PathBuf {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package).to_path_buf()
}
