//! The ambassador's configuration: a file, or the two variables of the pod pattern, to valid settings or to every
//! problem at once.
//!
//! It lives apart from the server so that whatever publishes an `ambassador.yaml` can check it with the same words.
#![warn(missing_docs)]

mod address;
mod environment;
pub mod file;
mod parts;
mod resolve;
mod routing;
mod settings;
mod variables;

use std::path::Path;

use chassis::config::{Environment, Problem, Problems};

pub use self::settings::{Limits, Listen, Settings, Upstream};

/// The variable that names the configuration file.
pub const FILE_VARIABLE: &str = "AMBASSADOR_CONFIG";

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
/// Every problem there is, each with its place and, where one is known, a remedy; the warnings are among them.
pub fn load(environment: &Environment) -> Result<Loaded, Problems> {
    let mut problems = Problems::new();
    let (settings, read) = match environment.get(FILE_VARIABLE) {
        None => {
            let names = environment::names(environment, &mut problems);
            (environment::settings(&names, environment, &mut problems), variables::alone(&names))
        }
        Some(path) => match std::fs::read_to_string(path) {
            Ok(text) => {
                let (file, settings) = read(&text, environment, &mut problems);
                problems.name_document(path);
                (settings, variables::beside(file.as_ref()))
            }
            Err(error) => {
                problems.push(FILE_VARIABLE, format!("cannot read {}: {error}", Path::new(path).display()));
                (None, Vec::new())
            }
        },
    };
    variables::check(environment, settings.as_ref(), read, &mut problems);
    finish(settings, problems)
}

/// The settings of a file's text.
///
/// # Errors
/// Every problem there is.
pub fn from_text(text: &str, environment: &Environment) -> Result<Loaded, Problems> {
    let mut problems = Problems::new();
    let (_, settings) = read(text, environment, &mut problems);
    finish(settings, problems)
}

/// A file's shape and, as far as that can be told, what it means.
fn read(text: &str, environment: &Environment, problems: &mut Problems) -> (Option<file::File>, Option<Settings>) {
    let (file, found) = chassis::config::parse_yaml::<file::File>(text);
    problems.extend(found);
    let settings = file.as_ref().and_then(|file| resolve::settings(file, environment, problems));
    (file, settings)
}

fn finish(settings: Option<Settings>, problems: Problems) -> Result<Loaded, Problems> {
    match settings {
        Some(settings) if problems.is_empty() => Ok(Loaded { settings, warnings: problems.warnings().to_vec() }),
        _ => Err(problems),
    }
}

/// The JSON Schema of the file.
#[must_use]
pub fn schema() -> String {
    chassis::config::schema::<file::File>()
}
