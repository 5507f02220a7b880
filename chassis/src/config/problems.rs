//! What is wrong with a configuration, all of it, and what is only odd.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Where: `routes[0].targets[1].weight`, `line 3, column 5`, the name of an environment
    /// variable; empty for the document as a whole.
    pub path: String,
    /// What is wrong there.
    pub message: String,
    /// What to do about it, where that can be said.
    pub hint: Option<String>,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)?;
        match &self.hint {
            Some(hint) => write!(f, " ({hint})"),
            None => Ok(()),
        }
    }
}

/// Every problem found so far, and which nodes were cut out of the document because of them.
///
/// Paths that are handed in are those of the value that [`super::parse_yaml`] returned. Where an
/// element of a list was cut out, the ones behind it moved up; that is made good here, so a problem
/// always names the place in the file.
#[derive(Clone, Debug, Default)]
pub struct Problems {
    found: Vec<Problem>,
    /// What a process can live with, and somebody should know.
    warnings: Vec<Problem>,
    /// Paths in the file that are not in the value.
    cut: BTreeSet<String>,
    /// For each list in the file that lost elements, which ones, in order.
    gaps: BTreeMap<String, Vec<usize>>,
}

impl Problems {
    /// Nothing wrong yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a problem.
    pub fn push(&mut self, path: impl AsRef<str>, message: impl Into<String>) {
        let path = self.in_file(path.as_ref());
        self.record(Problem { path, message: message.into(), hint: None });
    }

    /// Adds a problem and what to do about it.
    pub fn push_hint(&mut self, path: impl AsRef<str>, message: impl Into<String>, hint: impl Into<String>) {
        let path = self.in_file(path.as_ref());
        self.record(Problem { path, message: message.into(), hint: Some(hint.into()) });
    }

    /// Adds what a process can live with: it is told, and nothing is refused because of it.
    pub fn warn(&mut self, path: impl AsRef<str>, message: impl Into<String>, hint: impl Into<String>) {
        let path = self.in_file(path.as_ref());
        self.warnings.push(Problem { path, message: message.into(), hint: Some(hint.into()) });
    }

    /// The warnings, in the order they were found.
    #[must_use]
    pub fn warnings(&self) -> &[Problem] {
        &self.warnings
    }

    /// Whether nothing is wrong. Warnings do not count, here and in [`Self::len`].
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// How many problems there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.found.len()
    }

    /// The problems, in the order they were found.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.found.iter()
    }

    /// Whether the node at `path`, or one above it, was in the file but is not in the value,
    /// because of a problem that is already recorded. What is missing there is a consequence.
    #[must_use]
    pub fn pruned(&self, path: &str) -> bool {
        let path = self.in_file(path);
        self.cut.iter().any(|cut| covers(cut, &path))
    }

    /// Whether something at, above or below `path` was cut out: a list there may be shorter, a
    /// mapping smaller, than the file says.
    #[must_use]
    pub fn pruned_within(&self, path: &str) -> bool {
        let path = self.in_file(path);
        self.cut.iter().any(|cut| covers(cut, &path) || covers(&path, cut))
    }

    /// Appends what another search found.
    pub fn extend(&mut self, others: Self) {
        self.found.extend(others.found);
        self.warnings.extend(others.warnings);
        self.cut.extend(others.cut);
        self.gaps.extend(others.gaps);
    }

    /// Says which file it is, in the problems that have no place in it but a line, or none at all.
    pub fn name_document(&mut self, name: &str) {
        for problem in &mut self.found {
            if problem.path.is_empty() {
                name.clone_into(&mut problem.path);
            } else if problem.path.starts_with("line ") {
                problem.path = format!("{name}, {}", problem.path);
            }
        }
    }

    /// Adds a problem whose path is already that of the file.
    pub(super) fn record(&mut self, problem: Problem) {
        self.found.push(problem);
    }

    /// Remembers that the node at this path of the file is not in the value.
    pub(super) fn record_cut(&mut self, path: String) {
        self.cut.insert(path);
    }

    /// Remembers that this list of the file lost the element at `index`.
    pub(super) fn record_gap(&mut self, list: String, index: usize) {
        let gaps = self.gaps.entry(list).or_default();
        gaps.push(index);
        gaps.sort_unstable();
    }

    /// Turns a path of the value into the path of the file.
    fn in_file(&self, path: &str) -> String {
        let mut out = String::with_capacity(path.len());
        let mut rest = path;
        while let Some((before, after)) = rest.split_once('[') {
            out.push_str(before);
            let index = after.split_once(']').and_then(|(index, tail)| Some((index.parse().ok()?, tail)));
            if let Some((index, tail)) = index {
                let index = self.gaps.get(&out).map_or(index, |gaps| unshift(index, gaps));
                out.push_str(&format!("[{index}]"));
                rest = tail;
            } else {
                out.push('[');
                rest = after;
            }
        }
        out + rest
    }
}

impl fmt::Display for Problems {
    /// Every problem and then every warning, one a line, without a line end after the last.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let problems = self.found.iter().map(|problem| ("", problem));
        let warnings = self.warnings.iter().map(|warning| ("warning: ", warning));
        for (index, (sort, problem)) in problems.chain(warnings).enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}{sort}{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problems {}

/// Where the element at `index` was before the elements at `gaps`, in order, were taken out.
pub(super) fn unshift(index: usize, gaps: &[usize]) -> usize {
    gaps.iter().fold(index, |index, gap| if *gap <= index { index + 1 } else { index })
}

/// Whether `path` is `above` or below it. The root, an empty path, covers everything.
fn covers(above: &str, path: &str) -> bool {
    path.strip_prefix(above).is_some_and(|rest| above.is_empty() || rest.is_empty() || rest.starts_with(['.', '[']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_one_problem_a_line_with_its_path_and_hint() {
        let mut problems = Problems::new();
        problems.push("a.b", "is odd");
        problems.push_hint("", "is even odder", "look again");
        assert_eq!(problems.to_string(), "a.b: is odd\nis even odder (look again)");
        assert_eq!(problems.len(), 2);
    }

    #[test]
    fn a_warning_is_told_and_refuses_nothing() {
        let mut problems = Problems::new();
        problems.warn("RUST_LOG", "is odd", "look at it");
        assert!(problems.is_empty() && problems.warnings().len() == 1);
        problems.push("a", "is wrong");
        assert_eq!(problems.to_string(), "a: is wrong\nwarning: RUST_LOG: is odd (look at it)");
    }

    #[test]
    fn the_file_is_named_where_no_key_is() {
        let mut problems = Problems::new();
        problems.push("", "is empty");
        problems.push("line 3, column 5", "is no YAML");
        problems.push("routes[0]", "leads nowhere");
        problems.name_document("/a.yaml");
        let expected = "/a.yaml: is empty\n/a.yaml, line 3, column 5: is no YAML\nroutes[0]: leads nowhere";
        assert_eq!(problems.to_string(), expected);
    }

    #[test]
    fn knows_what_was_cut() {
        let mut problems = Problems::new();
        problems.record_cut("providers.local".to_owned());
        assert!(problems.pruned("providers.local"));
        assert!(problems.pruned("providers.local.keys[0]"));
        assert!(!problems.pruned("providers"));
        assert!(!problems.pruned("providers.localhost"));
        assert!(problems.pruned_within("providers"));
        assert!(!problems.pruned_within("routes"));
    }

    #[test]
    fn paths_behind_a_gap_name_the_place_in_the_file() {
        let mut problems = Problems::new();
        problems.record_gap("routes".to_owned(), 2);
        problems.record_gap("routes".to_owned(), 0);
        problems.push("routes[0].model", "x");
        problems.push("routes[1].targets[1]", "x");
        problems.push("other[0]", "x");
        problems.push("odd[name].x[", "x");
        let paths: Vec<_> = problems.iter().map(|problem| problem.path.as_str()).collect();
        assert_eq!(paths, ["routes[1].model", "routes[3].targets[1]", "other[0]", "odd[name].x["]);
    }
}
