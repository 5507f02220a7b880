//! Environment variables that were probably meant for us.
//!
//! A key that nobody asked for is an error in a file, which is ours alone. An environment is everybody's, so a name
//! can only be suspected: when it is a slip away from one that we read and that is not set.

use super::suggest::distance;
use super::{Environment, Problems};

/// The longest name in which only one slip is forgiven: `E_MODEL` is two letters away from much.
const SHORT: usize = 9;

/// Warns of every variable that is not among `read`, the names that this process looks at, but nearly is.
pub fn warn_of_mistyped(environment: &Environment, read: &[String], problems: &mut Problems) {
    let missing: Vec<&String> = read.iter().filter(|name| environment.get(name).is_none()).collect();
    for (given, _) in environment.iter().filter(|(given, _)| !read.iter().any(|name| name == given)) {
        let letters = given.to_uppercase();
        let slips = |name: &&String| distance(&letters, name);
        let near = missing.iter().copied().filter(|name| slips(name) <= if name.len() > SHORT { 2 } else { 1 });
        if let Some(name) = near.min_by_key(slips) {
            problems.warn(given, "is set, but nothing here reads it", format!("did you mean {name}?"));
        }
    }
}

/// Warns of every variable with one of these beginnings that is not among `read`, and names the closest that is. What
/// [`warn_of_mistyped`] has told is not told again; nor is what Kubernetes sets in each pod for a Service of such a name
/// (`QDRANT_PORT_6333_TCP`), and what has a double underscore, which is how Qdrant's own settings are written.
pub fn warn_of_strangers(environment: &Environment, read: &[String], prefixes: &[&str], problems: &mut Problems) {
    let mut strangers = Vec::new();
    for (given, value) in environment.iter() {
        let is_ours = prefixes.iter().any(|prefix| given.starts_with(prefix));
        let is_known = read.iter().any(|name| name == given);
        let is_told = problems.warnings().iter().any(|warning| warning.path == given);
        if is_ours && !is_known && !is_told && !given.contains("__") && !is_of_a_service(given, value) {
            strangers.push(given);
        }
    }
    for given in strangers {
        let hint = match read.iter().min_by_key(|name| distance(given, name)) {
            Some(closest) => format!("the closest that is read is {closest}"),
            None => "unset it".to_owned(),
        };
        problems.warn(given, "is set, but nothing here reads it", hint);
    }
}

/// Whether a variable is one of those that Kubernetes sets for a Service.
fn is_of_a_service(name: &str, value: &str) -> bool {
    let in_links = name.contains("_PORT_") && ["_TCP", "_UDP", "_SCTP"].iter().any(|protocol| name.contains(protocol));
    let is_link = name.ends_with("_PORT") && value.contains("://");
    in_links || is_link || name.ends_with("_SERVICE_HOST") || name.contains("_SERVICE_PORT")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn with_our_beginning_all_is_told_but_what_others_set() {
        let read = ["CONTEXT_TENANT", "QDRANT_URL"].map(str::to_owned);
        let given = [
            ("CONTEXT_TENANT", "a"),
            ("CONTEXT_TENNANT", "b"),
            ("QDRANT_HOST", "q"),
            ("QDRANT_PORT", "tcp://10.0.0.1:6333"),
            ("QDRANT_PORT_6333_TCP_ADDR", "10.0.0.1"),
            ("QDRANT_SERVICE_HOST", "10.0.0.1"),
            ("QDRANT_SERVICE_PORT_HTTP", "6333"),
            ("QDRANT__SERVICE__API_KEY", "x"),
            ("PATH", "/bin"),
        ];
        let mut problems = Problems::new();
        warn_of_strangers(&Environment::from_pairs(given), &read, &["CONTEXT_", "QDRANT_"], &mut problems);
        let told: Vec<String> = problems.warnings().iter().map(ToString::to_string).collect();
        let due = |given, closest| {
            format!("{given}: is set, but nothing here reads it (the closest that is read is {closest})")
        };
        assert_eq!(told, [due("CONTEXT_TENNANT", "CONTEXT_TENANT"), due("QDRANT_HOST", "QDRANT_URL")]);
    }

    fn warned(given: &[&str]) -> Vec<String> {
        let read = ["PRIMARY_PROVIDER", "OPENAI_API_KEY", "E_MODEL", "RUST_LOG"].map(str::to_owned);
        let environment = Environment::from_pairs(given.iter().map(|name| (*name, "x")));
        let mut problems = Problems::new();
        warn_of_mistyped(&environment, &read, &mut problems);
        assert!(problems.is_empty());
        problems.warnings().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_slip_is_told_with_what_was_meant() {
        let told = |given, meant| format!("{given}: is set, but nothing here reads it (did you mean {meant}?)");
        for (given, meant) in [
            ("PRIMARY_PROVDER", "PRIMARY_PROVIDER"),
            ("PRIMARY_PROVIDERS", "PRIMARY_PROVIDER"),
            ("primary_provider", "PRIMARY_PROVIDER"),
            ("OPENAI_APIKEY", "OPENAI_API_KEY"),
            ("OPEANI_API_KEYS", "OPENAI_API_KEY"),
            ("E_MODELS", "E_MODEL"),
        ] {
            assert_eq!(warned(&[given]), [told(given, meant)]);
        }
    }

    #[test]
    fn what_is_everybodys_is_left_alone() {
        let others = ["PATH", "RUST_BACKTRACE", "ANTHROPIC_API_KEY", "AMBASSADOR_PORT", "RUST_LIB", "EX_MODELS", "X"];
        assert_eq!(warned(&others), [] as [&str; 0]);
        assert_eq!(warned(&["OPENAI_API_KEY", "OPENAI_API_KEY_2"]), [] as [&str; 0], "the right one is there");
    }
}
