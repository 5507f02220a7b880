//! Who is measured, and the command by which each fetches.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::scenes::{Origin, Scene};

/// What a command has to know of this run.
pub(crate) struct Stage {
    pub(crate) http: u16,
    pub(crate) https: u16,
    /// The server's.
    pub(crate) certificate: PathBuf,
    /// The system's authorities, and the server's certificate.
    pub(crate) authorities: PathBuf,
    /// For configurations and logs.
    pub(crate) scratch: PathBuf,
    /// Where the files go.
    pub(crate) into: PathBuf,
}

pub(crate) struct Program {
    pub(crate) name: &'static str,
    pub(crate) path: PathBuf,
    how: How,
}

#[derive(Clone, Copy, PartialEq)]
enum How {
    Loader,
    Wget,
    Busybox,
    Curl { parallel: bool },
}

/// Those that are installed.
pub(crate) fn found(loader: &Path) -> Vec<Program> {
    let installed = |name, program, how| Some(Program { name, path: on_path(program)?, how });
    let others = [
        installed("wget", "wget", How::Wget),
        installed("busybox wget", "busybox", How::Busybox),
        installed("curl", "curl", How::Curl { parallel: false }),
        installed("curl -Z", "curl", How::Curl { parallel: true }),
    ];
    let loader = Program { name: "config-loader", path: loader.to_owned(), how: How::Loader };
    std::iter::once(loader).chain(others.into_iter().flatten()).collect()
}

pub(crate) fn on_path(program: &str) -> Option<PathBuf> {
    let paths = std::env::var_os("PATH")?;
    std::env::split_paths(&paths).map(|folder| folder.join(program)).find(|path| path.is_file())
}

impl Program {
    /// How it fetches; `None` where it cannot.
    pub(crate) fn command(&self, scene: &Scene, stage: &Stage) -> std::io::Result<Option<Command>> {
        let command = match self.how {
            How::Loader => self.loader(scene, stage)?,
            _ if scene.origin == Origin::Inline => return Ok(None),
            // It does not look at certificates, so that its price is not that of https.
            How::Busybox if matches!(scene.origin, Origin::Https(_)) => return Ok(None),
            How::Wget => {
                // It reads the system's authorities in any case.
                let trusting = format!("wget --ca-certificate={}", stage.certificate.display());
                chained(if matches!(scene.origin, Origin::Https(_)) { &trusting } else { "wget" }, scene, stage)
            }
            How::Busybox => chained("busybox wget", scene, stage),
            How::Curl { parallel } => self.curl(scene, stage, parallel),
        };
        Ok(Some(command))
    }

    fn loader(&self, scene: &Scene, stage: &Stage) -> std::io::Result<Command> {
        let mut command = fresh(&self.path);
        command.env("CONFIG_DIR", &stage.into).env("TERMINATION_LOG", stage.scratch.join("termination-log"));
        command.env("SSL_CERT_FILE", &stage.authorities);
        let urls = scene.urls(stage.http, stage.https);
        if scene.drops_in() {
            command.envs(["PROMPT_URL", "TOOLS_URL"].into_iter().zip(urls));
            return Ok(command);
        }
        let mut text = "files:\n".to_owned();
        for (index, name) in scene.names().enumerate() {
            let source = match urls.get(index) {
                Some(url) => format!("http: {{ url: \"{url}\" }}"),
                None => format!("inline: \"text {index}\""),
            };
            let _ = writeln!(text, "  - {{ name: f{index}, target: {name}, type: text, source: {{ {source} }} }}");
        }
        let file = stage.scratch.join("config-loader.yaml");
        fs::write(&file, text)?;
        command.env("CONFIG_LOADER_CONFIG", file);
        Ok(command)
    }

    fn curl(&self, scene: &Scene, stage: &Stage, parallel: bool) -> Command {
        let mut command = fresh(&self.path);
        command.args(["-q", "-sSf", "--cacert"]).arg(&stage.authorities);
        if parallel {
            command.args(["-Z", "--parallel-max", "50"]);
        }
        for (name, url) in scene.names().zip(scene.urls(stage.http, stage.https)) {
            command.arg("-o").arg(stage.into.join(name)).arg(url);
        }
        command
    }
}

/// `sh -c "wget -qO a URL && wget -qO b URL"`, as it stands in people's manifests.
fn chained(wget: &str, scene: &Scene, stage: &Stage) -> Command {
    let into = stage.into.display();
    let one = |(name, url)| format!("{wget} -qO {into}/{name} {url}");
    let all: Vec<String> = scene.names().zip(scene.urls(stage.http, stage.https)).map(one).collect();
    let mut command = fresh(Path::new("/bin/sh"));
    command.arg("-c").arg(all.join(" && "));
    command
}

/// Nothing of our own environment reaches it but the way to programs.
fn fresh(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command
}
