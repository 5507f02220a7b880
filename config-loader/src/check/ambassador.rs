//! An `ambassador.yaml`, by the ambassador's own types and in its own words.

use chassis::config::{Environment, Problem, Problems};

use super::problems;
use crate::failure::Failure;

/// Checks a file of the ambassador, and tells what it would warn of.
///
/// The keys of the providers are not ours to see: they are mounted where the ambassador runs, not here. That one is
/// absent here says nothing, so it is no failure, and no warning either.
///
/// # Errors
/// Every problem that the ambassador would tell.
pub fn check(text: &str) -> Result<Vec<String>, Failure> {
    let found = match ambassador_config::from_text(text, &Environment::default()) {
        Ok(loaded) => return Ok(loaded.warnings.iter().map(ToString::to_string).collect()),
        Err(found) => found,
    };
    let mut ours = Problems::new();
    for Problem { path, message, hint } in found.iter().filter(|problem| !is_absent_key(problem)) {
        match hint {
            Some(hint) => ours.push_hint(path, message, hint),
            None => ours.push(path, message),
        }
    }
    problems::refuse(&ours)?;
    Ok(problems::warnings(&found))
}

/// Whether a problem is only that a key is not where the config-loader runs.
fn is_absent_key(problem: &Problem) -> bool {
    let of_a_key = |what: &str| {
        problem.path.strip_suffix(what).is_some_and(|path| path.starts_with("providers.") && path.contains(".keys["))
    };
    (of_a_key("].env") && problem.message.ends_with(" is not set"))
        || (of_a_key("].file")
            && (problem.message.contains(": no such file or directory")
                || problem.message.contains(": cannot be read")))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const GOOD: &str = "providers:\n  openai: { kind: openai, keys: [ { env: OPENAI_API_KEY }, { file: /var/run/secrets/no/such } ] }\nroutes:\n- { model: \"*\", targets: [ { provider: openai } ] }\n";

    fn told(text: &str) -> String {
        check(text).map_or_else(|failure| failure.message, |warnings| format!("fine {warnings:?}"))
    }

    #[test]
    fn keys_that_are_not_here_are_no_failure() {
        assert_eq!(told(GOOD), "fine []");
    }

    #[test]
    fn a_bad_file_is_told_in_the_ambassadors_words() {
        let bad = GOOD.replace("provider: openai }", "provider: opnai, wieght: 2 }");
        let mut expected = ambassador_config::from_text(&bad, &Environment::from_pairs([("OPENAI_API_KEY", "k")]))
            .unwrap_err()
            .iter()
            .map(ToString::to_string)
            .filter(|problem| !problem.contains("/var/run/secrets"))
            .collect::<Vec<_>>();
        expected.sort();
        let told = told(&bad);
        let mut all: Vec<&str> = told.split("; ").collect();
        all.sort_unstable();
        assert_eq!(all, expected);
        assert!(told.contains("opnai") && told.contains("wieght"), "{told}");
    }

    #[test]
    fn a_key_in_a_wrong_place_is_told() {
        let told = told(&GOOD.replace("/var/run/secrets/no/such", "key.txt"));
        assert_eq!(told, "providers.openai.keys[1].file: `key.txt` is no absolute path of a file with keys");
    }

    proptest! {
        #[test]
        fn any_text_is_a_configuration_or_a_failure(text: String) {
            let _ = check(&text);
        }
    }
}
