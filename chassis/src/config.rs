//! From the bytes of a file and the environment to a value, or to every problem at once.
//!
//! An operator who corrects one key, restarts, and is told about the next, has a reason to be
//! angry. So nothing here stops at the first mistake: a node that does not fit is recorded with its
//! path, cut out, and the rest is tried again. Plain `#[derive(Deserialize)]` with
//! `deny_unknown_fields` is all a configuration type needs.
//!
//! ```
//! # use serde::Deserialize;
//! #[derive(Debug, Deserialize)]
//! #[serde(deny_unknown_fields)]
//! struct Target { provider: String, weight: u32 }
//!
//! #[derive(Debug, Deserialize)]
//! #[serde(deny_unknown_fields)]
//! struct File { targets: Vec<Target> }
//!
//! let text = "targets:\n- {provider: a, weight: heavy}\n- {provder: b, weight: 1}\n";
//! let (_, problems) = chassis::config::parse_yaml::<File>(text);
//! assert_eq!(problems.to_string(), "\
//! targets[0].weight: expected a whole number, 0 or more, found a string
//! targets[1].provder: unknown key (did you mean `provider`?)
//! targets[1].provider: missing");
//! ```

mod diagnosis;
mod document;
mod draft;
mod environment;
mod mistyped;
mod path;
mod problems;
mod strict;
mod suggest;
mod trust;
mod url;

pub use environment::Environment;
pub use mistyped::{warn_of_mistyped, warn_of_strangers};
pub use problems::{Problem, Problems};
pub use trust::{AUTHORITIES, check_authorities};
pub use url::{UrlFault, parse_url};

use schemars::JsonSchema;
use serde::de::DeserializeOwned;

/// Reads a YAML document (JSON is YAML too) into `T`, and reports every problem with it.
///
/// - An empty document is an empty mapping. A key without a value is as if it were not there.
/// - Duplicate keys are problems, and so is a document that is larger than 4 MiB, deeper than 64
///   levels, or that expands its aliases beyond reason.
/// - Values are never quoted in a problem where they could be a credential.
///
/// The value may be there although there are problems: it is what could be built without the nodes
/// that were cut out. Go on and validate it, so that the operator sees everything in one go, and
/// push what you find onto the same [`Problems`]; ask [`Problems::pruned`] before reporting that
/// something is absent. A value with any problem is not fit to run with.
#[must_use]
pub fn parse_yaml<T: DeserializeOwned>(text: &str) -> (Option<T>, Problems) {
    let mut problems = Problems::new();
    let value = document::read(text, &mut problems).and_then(|document| draft::build(document, &mut problems));
    (value, problems)
}

/// Whether a text is one YAML document within the limits of [`parse_yaml`], of any shape: a list is one as well.
#[must_use]
pub fn check_yaml(text: &str) -> Problems {
    let mut problems = Problems::new();
    document::check(text, &mut problems);
    problems
}

/// The JSON Schema of `T`, indented: for `<binary> schema`, and for editors that complete YAML.
#[must_use]
pub fn schema<T: JsonSchema>() -> String {
    let schema = schemars::schema_for!(T);
    // A schema is a JSON value already, which cannot fail to be written.
    serde_json::to_string_pretty(&schema).unwrap_or_default()
}
