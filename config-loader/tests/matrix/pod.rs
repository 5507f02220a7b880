//! Where the binary runs: a folder with what it publishes and what it says, and how much memory it took.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    fs::{self, File},
    io::{BufRead as _, BufReader, Read as _},
    os::unix::fs::{PermissionsExt as _, chown},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::set::Set;

/// How long a run may take; none here is meant to.
const PATIENCE: Duration = Duration::from_secs(90);

/// How often the peak of memory is looked at, which the kernel keeps as long as the process lives.
const LOOK: Duration = Duration::from_millis(3);

/// Who is nobody in distroless images, and his group.
const NOBODY: u32 = 65532;

/// A folder, and what the binary is started by.
pub(crate) struct Pod {
    dir: TempDir,
    by: Vec<String>,
    binary: PathBuf,
    volume: Option<Volume>,
}

/// A tmpfs that only those see who enter its namespace.
struct Volume(Child);

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) log: String,
    /// The most memory it had at a time, in bytes.
    pub(crate) peak: u64,
}

/// What is published: for each name, where the link leads or what is in the file.
pub(crate) type Tree = BTreeMap<PathBuf, Vec<u8>>;

impl Pod {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        fs::create_dir(dir.path().join("config")).unwrap();
        Self { dir, by: Vec::new(), binary: env!("CARGO_BIN_EXE_config-loader").into(), volume: None }
    }

    /// One whose volume has room for so much; `None` where no user namespaces are allowed.
    pub(crate) fn on_volume(size: &str) -> Option<Self> {
        let mount = format!("mount -t tmpfs -o size={size},mode=0755 x \"$0\"");
        let pod = Self::new();
        let (volume, id) = pod.volume(&["-Urm"], &mount)?;
        let enter =
            ["nsenter", "--target", &id, "--user", "--preserve-credentials", "--mount", "--"].map(str::to_owned);
        Some(Self { by: enter.to_vec(), volume: Some(volume), ..pod })
    }

    /// One as in a careful cluster: not root, no capability, nothing that can be written to but the volume, which is the
    /// group's, and the termination log. `None` where that cannot be made.
    pub(crate) fn confined() -> Option<Self> {
        let pod = Self::new().within_reach();
        File::create(pod.path("termination-log")).unwrap();
        let mount = format!(
            "mount -t tmpfs -o size=1m,mode=2775,gid={NOBODY} x \"$0\" && mount --bind \"$1\" \"$1\" && \
             mount -o remount,bind,ro /"
        );
        let (volume, id) = pod.volume(&["-m"], &mount)?;
        let enter = ["nsenter", "--target", &id, "--mount", "--"].map(str::to_owned);
        let by = enter.into_iter().chain(as_nobody()).collect();
        Some(Self { by, volume: Some(volume), ..pod })
    }

    /// One without the rights of root, if this process has them.
    pub(crate) fn unprivileged() -> Self {
        if !rustix::process::geteuid().is_root() {
            return Self::new();
        }
        let pod = Self::new().within_reach();
        chown(pod.directory(), Some(NOBODY), Some(NOBODY)).unwrap();
        Self { by: as_nobody(), ..pod }
    }

    /// Its binary lies where anybody may run it.
    fn within_reach(self) -> Self {
        let binary = self.path("config-loader");
        fs::hard_link(&self.binary, &binary).or_else(|_| fs::copy(&self.binary, &binary).map(|_| ())).unwrap();
        Self { binary, ..self }
    }

    /// A namespace in which something is mounted, and the process that holds it.
    fn volume(&self, namespaces: &[&str], mount: &str) -> Option<(Volume, String)> {
        let script = format!("{mount} && echo mounted && exec cat");
        let mut command = Command::new("unshare");
        command.args(namespaces).args(["sh", "-c", &script]).arg(self.directory()).arg(self.path("termination-log"));
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().ok()?;
        let mut volume = Volume(child);
        let mut line = String::new();
        BufReader::new(volume.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let id = volume.0.id().to_string();
        (line == "mounted\n").then_some((volume, id))
    }

    /// A path for other things.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Where it publishes, as the binary sees it.
    pub(crate) fn directory(&self) -> PathBuf {
        self.path("config")
    }

    /// Where it publishes, as this process sees it.
    pub(crate) fn published(&self) -> PathBuf {
        let directory = self.directory();
        match &self.volume {
            None => directory,
            Some(Volume(child)) => {
                Path::new(&format!("/proc/{}/root", child.id())).join(directory.strip_prefix("/").unwrap())
            }
        }
    }

    /// Runs another command as the binary is run, and tells what it printed if it succeeds.
    pub(crate) fn run(&self, command: &[&str]) -> Option<String> {
        let all: Vec<&str> = self.by.iter().map(String::as_str).chain(command.iter().copied()).collect();
        let output = Command::new(all[0]).args(&all[1..]).output().unwrap();
        output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
    }

    /// Everything that is published, but for the lock.
    pub(crate) fn tree(&self) -> Tree {
        let mut tree = Tree::new();
        let mut left = vec![self.published()];
        while let Some(directory) = left.pop() {
            for entry in fs::read_dir(&directory).unwrap() {
                let path = entry.unwrap().path();
                let kind = fs::symlink_metadata(&path).unwrap().file_type();
                let held = if kind.is_symlink() {
                    fs::read_link(&path).unwrap().into_os_string().into_encoded_bytes()
                } else if kind.is_dir() {
                    left.push(path.clone());
                    b"a directory".to_vec()
                } else {
                    fs::read(&path).unwrap()
                };
                tree.insert(path.strip_prefix(self.published()).unwrap().to_owned(), held);
            }
        }
        tree.remove(Path::new("..lock"));
        tree
    }

    /// Loads a set, to the end.
    pub(crate) fn load(&self, set: &Set) -> Ended {
        self.start(set).wait()
    }

    /// Begins to load a set.
    pub(crate) fn start(&self, set: &Set) -> Running<'_> {
        fs::write(self.path("set.yaml"), set.described()).unwrap();
        let described = self.path("set.yaml").to_str().unwrap().to_owned();
        self.start_with(
            &[("CONFIG_LOADER_CONFIG", &described), ("CONFIG_LOADER_DEADLINE", set.deadline)],
            &set.environment,
        )
    }

    /// Begins to load what these variables say.
    pub(crate) fn start_with(&self, variables: &[(&str, &str)], more: &[(String, String)]) -> Running<'_> {
        let mut words = self.by.iter().map(OsStr::new).chain([self.binary.as_os_str()]);
        let mut command = Command::new(words.next().unwrap());
        let path = std::env::var("PATH").unwrap_or_default();
        command.args(words).env_clear().env("PATH", path).envs(more.iter().cloned()).envs(variables.iter().copied());
        command
            .env("LOG_FORMAT", "text")
            .env("CONFIG_DIR", self.directory())
            .env("TERMINATION_LOG", self.path("termination-log"));
        // More is said than in a pod, and that has to be harmless, too.
        command.env("RUST_LOG", "debug").stdin(Stdio::null());
        let file = |name| File::create(self.path(name)).unwrap();
        file("termination-log").set_permissions(fs::Permissions::from_mode(0o666)).unwrap();
        command.stdout(file("stdout")).stderr(file("stderr"));
        Running { pod: self, child: command.spawn().unwrap(), peak: 0 }
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A run that has not ended. It is killed when it is dropped.
pub(crate) struct Running<'a> {
    pod: &'a Pod,
    child: Child,
    peak: u64,
}

impl Running<'_> {
    /// Asks it to stop, as a kubelet does first.
    pub(crate) fn terminate(&self) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).unwrap();
    }

    /// Waits for its end.
    pub(crate) fn wait(mut self) -> Ended {
        let begun = Instant::now();
        let status = loop {
            self.peak = self.peak.max(peak(self.child.id()).unwrap_or_default());
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(begun.elapsed() < PATIENCE, "it does not end: {}", self.said("stderr"));
            thread::sleep(LOOK);
        };
        let [stdout, stderr, log] = ["stdout", "stderr", "termination-log"].map(|name| self.said(name));
        Ended { code: status.code(), stdout, stderr, log, peak: self.peak }
    }

    fn said(&self, name: &str) -> String {
        let mut bytes = Vec::new();
        File::open(self.pod.path(name)).unwrap().read_to_end(&mut bytes).unwrap();
        String::from_utf8(bytes).unwrap()
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn as_nobody() -> Vec<String> {
    let id = NOBODY.to_string();
    let mut words = vec!["setpriv", "--reuid", &id, "--regid", &id, "--clear-groups", "--no-new-privs"];
    words.extend(["--bounding-set=-all", "--inh-caps=-all", "--"]);
    words.into_iter().map(str::to_owned).collect()
}

fn peak(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? << 10)
}
