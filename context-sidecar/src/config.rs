//! The configuration: a file, the environment, or both, to valid settings or to every problem at once. Where both say
//! something, the environment holds: the file is the image's or the team's, the environment the pod's.

mod backends;
pub mod file;
mod resolve;
mod settings;
mod variables;

use std::path::Path;

use chassis::config::{Environment, Problem, Problems};

pub use self::settings::{
    Caches, Conversations, Embeddings, Field, Ingest, Limits, Listen, OfCollection, Rerank, Settings, Store, Summary,
};

/// The variable that names the configuration file.
pub const FILE_VARIABLE: &str = "CONTEXT_CONFIG";

/// Settings that hold, and what is odd about them.
#[derive(Debug)]
pub struct Loaded {
    /// The settings.
    pub settings: Settings,
    /// What somebody should know, although nothing is wrong.
    pub warnings: Vec<Problem>,
}

/// The settings that `environment` asks for, by itself and through the file it names.
///
/// # Errors
/// Every problem there is, each with its place and, where one is known, a remedy; the warnings are among them.
pub fn load(environment: &Environment) -> Result<Loaded, Problems> {
    let Some(path) = environment.get(FILE_VARIABLE) else {
        return from_text("", environment);
    };
    match std::fs::read_to_string(path) {
        Ok(text) => from_text(&text, environment).map_err(|mut problems| {
            problems.name_document(path);
            problems
        }),
        Err(error) => {
            let mut problems = Problems::new();
            problems.push(FILE_VARIABLE, format!("cannot read {}: {error}", Path::new(path).display()));
            Err(problems)
        }
    }
}

/// The settings of a file's text and of the environment.
///
/// # Errors
/// Every problem there is.
pub fn from_text(text: &str, environment: &Environment) -> Result<Loaded, Problems> {
    let (file, mut problems) = chassis::config::parse_yaml::<file::File>(text);
    let settings = file.and_then(|file| resolve::settings(&file, environment, &mut problems));
    variables::check(environment, settings.as_ref(), &mut problems);
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
