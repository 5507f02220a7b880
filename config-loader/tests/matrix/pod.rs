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

use crate::{bare, set::Set};

/// How long a run may take; none here is meant to.
const PATIENCE: Duration = Duration::from_secs(90);

/// How often the peak of memory is looked at, which the kernel keeps as long as the process lives.
const LOOK: Duration = Duration::from_millis(3);

/// Who is nobody in distroless images, and his group.
const NOBODY: u32 = 65532;

/// Gives rights away before it becomes what is run.
const SETPRIV: &str = "/usr/bin/setpriv";

/// A folder, and what the binary is started by.
pub(crate) struct Pod {
    dir: TempDir,
    by: Vec<String>,
    binary: PathBuf,
    /// Where it publishes, as this process sees it.
    published: PathBuf,
    /// Who holds the namespace that it runs in.
    _namespace: Option<Namespace>,
}

/// A process in a namespace of its own, with what is mounted there.
struct Namespace(Child);

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
        let published = dir.path().join("config");
        Self { dir, by: Vec::new(), binary: env!("CARGO_BIN_EXE_config-loader").into(), published, _namespace: None }
    }

    /// One whose volume has room for so much; `None` where no user namespaces are allowed.
    pub(crate) fn on_volume(size: &str) -> Option<Self> {
        let mount = format!("mount -t tmpfs -o size={size},mode=0755 x \"$0\"");
        let pod = Self::new();
        let (namespace, id) = pod.namespace(&["-Urm"], &mount)?;
        let enter =
            ["nsenter", "--target", &id, "--user", "--preserve-credentials", "--mount", "--"].map(str::to_owned);
        let published = pod.published.strip_prefix("/").unwrap();
        let published = Path::new(&format!("/proc/{id}/root")).join(published);
        Some(Self { by: enter.to_vec(), published, _namespace: Some(namespace), ..pod })
    }

    /// One as in a careful cluster: not root, no capability, a root file system that is read-only and has nothing in it
    /// but what runs; nothing that can be written to but an emptyDir, which is the group's, and the termination log.
    /// `None` where that cannot be made.
    pub(crate) fn confined() -> Option<Self> {
        let pod = Self::new();
        let [dir, root, volume] = ["", "root", "kubernetes.io~empty-dir/config"].map(|name| pod.path(name));
        let inside = |path: &Path| root.join(path.strip_prefix("/").unwrap());
        fs::create_dir_all(&volume).unwrap();
        chown(&volume, None, Some(NOBODY)).ok()?;
        fs::set_permissions(&volume, fs::Permissions::from_mode(0o2775)).unwrap();
        File::create(pod.path("termination-log")).unwrap();
        // Every container has it.
        let kernels = Path::new("/proc").to_owned();
        [&dir, &kernels].into_iter().try_for_each(|path| fs::create_dir_all(inside(path))).unwrap();
        let (binary, setpriv) = (Path::new("/config-loader"), Path::new(SETPRIV));
        bare::holds(&root, &[(&pod.binary, binary), (setpriv, setpriv)])?;

        let [at, log] = ["config", "termination-log"].map(|name| pod.path(name));
        let own = [(&dir, inside(&dir)), (&volume, inside(&at)), (&log, inside(&log))];
        let mounts = [(&root, root.clone()), (&kernels, inside(&kernels))].into_iter().chain(own);
        let mut script: Vec<String> =
            mounts.map(|(from, to)| format!("mount --bind {} {}", from.display(), to.display())).collect();
        let sealed = [inside(&dir), root.clone()];
        script.extend(sealed.iter().map(|path| format!("mount -o remount,bind,ro {}", path.display())));
        let (namespace, id) = pod.namespace(&["-m"], &script.join(" && "))?;
        let root = format!("--root=/proc/{id}/root{}", root.display());
        let enter = ["nsenter", "--target", &id, "--mount", &root, "--"].map(str::to_owned);
        let by = enter.into_iter().chain(as_nobody()).collect();
        Some(Self { by, binary: binary.to_owned(), published: volume, _namespace: Some(namespace), ..pod })
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
    fn namespace(&self, namespaces: &[&str], mount: &str) -> Option<(Namespace, String)> {
        let script = format!("{mount} && echo mounted && exec cat");
        let mut command = Command::new("unshare");
        command.args(namespaces).args(["sh", "-c", &script]).arg(self.directory());
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().ok()?;
        let mut namespace = Namespace(child);
        let mut line = String::new();
        BufReader::new(namespace.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let id = namespace.0.id().to_string();
        (line == "mounted\n").then_some((namespace, id))
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
    pub(crate) fn published(&self) -> &Path {
        &self.published
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
        let mut left = vec![self.published.clone()];
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
                tree.insert(path.strip_prefix(&self.published).unwrap().to_owned(), held);
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

impl Drop for Namespace {
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

    /// What the kernel knows of it.
    pub(crate) fn known(&self, what: &str) -> PathBuf {
        Path::new("/proc").join(self.child.id().to_string()).join(what)
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
    let mut words = vec![SETPRIV, "--reuid", &id, "--regid", &id, "--clear-groups", "--no-new-privs"];
    words.extend(["--bounding-set=-all", "--inh-caps=-all", "--"]);
    words.into_iter().map(str::to_owned).collect()
}

fn peak(process: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? << 10)
}
