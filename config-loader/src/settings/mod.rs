//! What is wanted, valid and resolved: from the file or from the variables of the drop-in form.

mod drop_in;
mod identity;
mod resolve;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::Serialize;

use chassis::{
    config::{Environment, Problem, Problems},
    units::{Size, Span},
};

pub use self::identity::Identity;
use crate::{check::target::Target, file, source::Limits};

/// The variable that names the file.
pub const FILE_VARIABLE: &str = "CONFIG_LOADER_CONFIG";

/// Where a set is published unless something else is said.
pub const DIRECTORY: &str = "/config";

/// How long all of it may take.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// Where the downward API is mounted by habit, and templates may read.
pub const TEMPLATE_FILES: &str = "/etc/podinfo";

/// The largest file, after decompression.
pub const MAX_FILE: u64 = 16 * 1024 * 1024;

/// The largest set.
pub const MAX_SET: u64 = 64 * 1024 * 1024;

/// How many files a directory may bring.
pub const MAX_FILES: usize = 1_000;

/// How long ago a set must have been good to be used when there is no newer one.
pub const MAX_STALE: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// A set that is wanted.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where it is published.
    pub directory: PathBuf,
    /// How long all of it may take.
    pub deadline: Duration,
    /// How much one source may bring.
    pub limits: Limits,
    /// Values for templates.
    pub values: BTreeMap<String, serde_json::Value>,
    /// The variables that templates may use.
    pub template_env: Vec<String>,
    /// The directories that templates may read.
    pub template_files: Vec<PathBuf>,
    /// Where the last good set is kept.
    pub cache: Option<Cache>,
    /// What it consists of.
    pub entries: Vec<Entry>,
}

/// Where the last good set is kept; at least one of them.
#[derive(Debug, Clone)]
pub struct Cache {
    /// A directory on a volume.
    pub directory: Option<PathBuf>,
    /// A Redis, and how the key begins.
    pub redis: Option<file::RedisKey>,
    /// A directory of files at their targets.
    pub bundled: Option<PathBuf>,
    /// How old it may be.
    pub max_stale: Duration,
}

/// A file of the set, or a directory of files.
#[derive(Debug, Clone)]
pub struct Entry {
    /// What it is called.
    pub name: String,
    /// Where it goes, relative to the directory.
    pub target: Target,
    /// What it holds.
    pub kind: file::Kind,
    /// Where it comes from.
    pub source: Spec,
    /// Whether the set can do without it.
    pub optional: bool,
    /// What it must fulfil.
    pub checks: file::Checks,
    /// Where its signature is, where it is to be signed.
    pub signature: Option<Spec>,
    /// Whether it is rendered.
    pub template: bool,
    /// Permissions.
    pub mode: u32,
}

/// A source whose required keys are there and whose address has a known form.
#[derive(Debug, Clone, Serialize)]
pub enum Spec {
    /// An HTTP server.
    Http(file::Http),
    /// A file or a directory.
    File(PathBuf),
    /// An object.
    S3(file::S3),
    /// A key in Redis.
    Redis(file::RedisKey),
    /// The content itself.
    Inline(String),
}

/// Settings that hold, and what is odd about them.
#[derive(Debug)]
pub struct Loaded {
    /// The settings.
    pub settings: Settings,
    /// What somebody should know, although nothing is wrong.
    pub warnings: Vec<Problem>,
}

/// The settings that `environment` asks for, by itself or through the file it names.
///
/// # Errors
/// Every problem there is, each with its place and, where one is known, a remedy.
pub fn load(environment: &Environment) -> Result<Loaded, Problems> {
    let mut problems = Problems::new();
    let settings = match environment.get(FILE_VARIABLE) {
        None => drop_in::settings(environment, &mut problems),
        Some(path) => match crate::source::file::text(Path::new(path)) {
            Ok(text) => {
                let settings = read(&text, environment, &mut problems);
                problems.name_document(path);
                drop_in::refuse_beside_file(environment, &mut problems);
                settings
            }
            Err(failure) => {
                let hint = "mount the ConfigMap that holds it, or unset the variable for the drop-in form";
                problems.push_hint(FILE_VARIABLE, failure.message, hint);
                None
            }
        },
    };
    let names: Vec<String> = VARIABLES.iter().map(|name| (*name).to_owned()).collect();
    chassis::config::warn_of_mistyped(environment, &names, &mut problems);
    finish(settings, problems)
}

/// The settings of a file's text.
///
/// # Errors
/// Every problem there is.
pub fn from_text(text: &str, environment: &Environment) -> Result<Loaded, Problems> {
    let mut problems = Problems::new();
    let settings = read(text, environment, &mut problems);
    finish(settings, problems)
}

/// The JSON Schema of the file.
#[must_use]
pub fn schema() -> String {
    chassis::config::schema::<file::File>()
}

/// The variables that are read here.
const VARIABLES: [&str; 6] =
    [FILE_VARIABLE, "CONFIG_DIR", "CONFIG_LOADER_DEADLINE", "PROMPT_URL", "TOOLS_URL", "GUARDRAILS_URL"];

fn read(text: &str, environment: &Environment, problems: &mut Problems) -> Option<Settings> {
    let (file, found) = chassis::config::parse_yaml::<file::File>(text);
    problems.extend(found);
    file.and_then(|file| resolve::settings(file, environment, problems))
}

fn finish(settings: Option<Settings>, problems: Problems) -> Result<Loaded, Problems> {
    match settings {
        Some(settings) if problems.is_empty() => Ok(Loaded { settings, warnings: problems.warnings().to_vec() }),
        _ => Err(problems),
    }
}

/// The directory, unless the file names one.
fn directory(environment: &Environment) -> PathBuf {
    environment.get("CONFIG_DIR").unwrap_or(DIRECTORY).into()
}

/// The deadline, unless the file names one.
fn deadline(environment: &Environment, problems: &mut Problems) -> Duration {
    let deadline = environment.read::<Span>("CONFIG_LOADER_DEADLINE", problems).map_or(DEADLINE, Duration::from);
    if deadline.is_zero() {
        problems.push("CONFIG_LOADER_DEADLINE", "leaves no time at all");
    }
    deadline
}

/// A size in bytes.
fn bytes(size: Option<Size>, default: u64) -> u64 {
    size.map_or(default, Size::get)
}
