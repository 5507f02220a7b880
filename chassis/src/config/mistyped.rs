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

#[cfg(test)]
mod tests {
    use super::*;

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
