//! The ambassador's configuration: a file, or the two variables of the pod pattern, to valid settings or to every
//! problem at once.
//!
//! It lives apart from the server so that whatever publishes an `ambassador.yaml` can check it with the same words.
#![warn(missing_docs)]

mod environment;
pub mod file;
mod parts;
mod resolve;
mod settings;

use std::path::Path;

use chassis::config::{Environment, Problems};

pub use self::settings::{Limits, Listen, Settings, Upstream};

/// The variable that names the configuration file.
pub const FILE_VARIABLE: &str = "AMBASSADOR_CONFIG";

/// The settings that `environment` asks for, by itself or through the file it names.
///
/// # Errors
/// Every problem there is, each with its place and, where one is known, a remedy.
pub fn load(environment: &Environment) -> Result<Settings, Problems> {
    let Some(path) = environment.get(FILE_VARIABLE) else { return environment::settings(environment) };
    match std::fs::read_to_string(path) {
        Ok(text) => from_text(&text, environment),
        Err(error) => {
            let mut problems = Problems::default();
            problems.push(FILE_VARIABLE, format!("cannot read {}: {error}", Path::new(path).display()));
            Err(problems)
        }
    }
}

/// The settings of a file's text.
///
/// # Errors
/// Every problem there is.
pub fn from_text(text: &str, environment: &Environment) -> Result<Settings, Problems> {
    let (file, mut problems) = chassis::config::parse_yaml::<file::File>(text);
    let settings = file.and_then(|file| resolve::settings(&file, environment, &mut problems));
    match settings {
        Some(settings) if problems.is_empty() => Ok(settings),
        _ => Err(problems),
    }
}

/// The JSON Schema of the file.
#[must_use]
pub fn schema() -> String {
    chassis::config::schema::<file::File>()
}
