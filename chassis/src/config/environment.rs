//! The environment as a value.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use super::Problems;

/// The names and values a process was started with.
///
/// Everything takes it as an argument, so a test can say what the world looks like. A variable that
/// is set to nothing counts as unset, because that is what a manifest with an empty `value:` means.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// The environment of this process: the one place that reads it. Variables that are not UTF-8
    /// are left out.
    #[must_use]
    #[allow(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    pub fn from_process() -> Self {
        std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .collect()
    }

    /// An environment made of these, for tests. Of equal names the last one counts.
    pub fn from_pairs<N: Into<String>, V: Into<String>>(pairs: impl IntoIterator<Item = (N, V)>) -> Self {
        pairs.into_iter().map(|(name, value)| (name.into(), value.into())).collect()
    }

    /// The same with one variable set, whatever it was.
    #[must_use]
    pub fn with(&self, name: &str, value: &str) -> Self {
        let mut variables = self.0.clone();
        variables.insert(name.to_owned(), value.to_owned());
        Self(variables)
    }

    /// The value of a variable; `None` when it is unset or empty.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// The value of a variable as a `T`. One that cannot be read is a problem whose path is the
    /// name of the variable.
    pub fn read<T>(&self, name: &str, problems: &mut Problems) -> Option<T>
    where
        T: FromStr,
        T::Err: fmt::Display,
    {
        match self.get(name)?.trim().parse() {
            Ok(value) => Some(value),
            Err(error) => {
                problems.push_hint(name, error.to_string(), "it is an environment variable");
                None
            }
        }
    }

    /// Every variable that is set to something, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str())).filter(|(_, value)| !value.is_empty())
    }
}

impl FromIterator<(String, String)> for Environment {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(pairs: I) -> Self {
        Self(pairs.into_iter().collect())
    }
}

impl fmt::Debug for Environment {
    /// Shows the names only: values are where credentials live.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Span;

    #[test]
    fn empty_is_unset() {
        let environment = Environment::from_pairs([("A", ""), ("B", "b")]);
        assert_eq!(environment.get("A"), None);
        assert_eq!(environment.get("B"), Some("b"));
        assert_eq!(environment.iter().collect::<Vec<_>>(), [("B", "b")]);
    }

    #[test]
    fn debug_shows_no_value() {
        let environment = Environment::from_pairs([("OPENAI_API_KEY", "sk-live-4711")]);
        assert_eq!(format!("{environment:?}"), r#"{"OPENAI_API_KEY"}"#);
    }

    #[test]
    fn a_value_that_cannot_be_read_is_a_problem_with_its_name() {
        let environment = Environment::from_pairs([("DRAIN_TIMEOUT", "30"), ("OTHER", "5s")]);
        let mut problems = Problems::new();
        assert_eq!(environment.read::<Span>("OTHER", &mut problems), Some(Span::seconds(5)));
        assert_eq!(environment.read::<Span>("UNSET", &mut problems), None);
        assert!(problems.is_empty());
        assert_eq!(environment.read::<Span>("DRAIN_TIMEOUT", &mut problems), None);
        assert!(problems.to_string().starts_with("DRAIN_TIMEOUT: `30` is not a duration"));
    }

    #[test]
    fn the_process_has_one() {
        assert!(Environment::from_process().get("PATH").is_some());
    }
}
