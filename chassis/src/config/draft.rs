//! A document that is deserialised again and again, each time with one obstacle less.
//!
//! A deserialiser stops at its first complaint. To hear them all, the offending node is cut out and
//! the rest is tried again. A required key that is absent cannot be cut out, so a stand-in is put
//! in its place, only to hear what else there is to complain about; at the end whatever holds a
//! stand-in is cut out as a whole, and the value that is returned contains nothing invented.
//!
//! All paths are those of the original document. It is never changed, except that keys without a
//! value are dropped; each attempt works on a copy.

use std::collections::{BTreeMap, BTreeSet};

use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::diagnosis::Diagnosis;
use super::path::{Path, Step};
use super::problems::{Problem, Problems, unshift};
use super::strict::Strict;
use crate::excerpt::excerpt;

/// Attempts before we give up: far more than anybody has patience to read problems.
const ROUNDS: usize = 1_000;

/// Problems listed before we stop looking.
const ENOUGH: usize = 100;

/// Builds a `T` from the document, as far as that is possible, and records every problem.
pub(super) fn build<T: DeserializeOwned>(document: Value, problems: &mut Problems) -> Option<T> {
    let mut draft = Draft::new(document);
    let built = draft.settle(problems);
    draft.hand_over(problems);
    built
}

#[derive(PartialEq, Eq)]
struct Failure {
    at: Path,
    diagnosis: Diagnosis,
}

struct Draft {
    original: Value,
    cut: BTreeSet<Path>,
    stand_ins: BTreeMap<Path, Value>,
    /// Whether stand-ins may still be used. Afterwards only cutting is left.
    probing: bool,
}

impl Draft {
    fn new(original: Value) -> Self {
        Self { original, cut: BTreeSet::new(), stand_ins: BTreeMap::new(), probing: true }
    }

    fn settle<T: DeserializeOwned>(&mut self, problems: &mut Problems) -> Option<T> {
        for _ in 0..ROUNDS {
            match self.attempt() {
                Ok(value) if self.stand_ins.is_empty() => return Some(value),
                Ok(_) => self.drop_stand_ins()?,
                Err(failure) => self.absorb::<T>(failure, problems)?,
            }
            if problems.len() >= ENOUGH {
                problems.push("", "there are more problems than are listed here");
                return None;
            }
        }
        None
    }

    fn attempt<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        let value = self.value();
        serde_path_to_error::deserialize(Strict(&value)).map_err(|error| Failure {
            at: self.in_original(&Path::from(error.path())),
            diagnosis: Diagnosis::of(&error.inner().to_string()),
        })
    }

    /// The document as it stands: stand-ins put in, cut nodes taken out.
    fn value(&self) -> Value {
        let mut value = self.original.clone();
        for (path, stand_in) in &self.stand_ins {
            insert(&mut value, &path.0, stand_in.clone());
        }
        // From behind, so that an index still means what it meant in the original.
        for path in self.cut.iter().rev().filter(|path| !self.stand_ins.contains_key(path)) {
            remove(&mut value, &path.0);
        }
        value
    }

    /// Undoes the shift that cut elements caused in the indices of a path.
    fn in_original(&self, path: &Path) -> Path {
        path.0.iter().fold(Path::default(), |parent, step| {
            let step = match step {
                Step::Index(index) => Step::Index(unshift(*index, &self.gaps(&parent))),
                Step::Key(key) => Step::Key(key.clone()),
            };
            parent.then(step)
        })
    }

    /// Which elements of a list were cut out, in order.
    fn gaps(&self, list: &Path) -> Vec<usize> {
        let element = |path: &Path| match path.0.split_last()? {
            (Step::Index(index), parent) if *parent == list.0 => Some(*index),
            _ => None,
        };
        self.cut.iter().filter_map(element).collect()
    }

    /// Records the failure, unless it follows from an earlier one, and gets it out of the way.
    /// `None` when there is nothing left to try.
    fn absorb<T: DeserializeOwned>(&mut self, failure: Failure, problems: &mut Problems) -> Option<()> {
        let Failure { at, diagnosis } = failure;
        let mut report = |path: &Path, message: String, hint: Option<String>| {
            problems.record(Problem { path: path.to_string(), message, hint });
        };
        match diagnosis {
            Diagnosis::Missing { name } => {
                let path = at.key(&name);
                if !self.is_consequence(&path) {
                    report(&path, "missing".to_owned(), None);
                }
                if self.probing && self.stand_in::<T>(&path) { Some(()) } else { self.cut_out(at) }
            }
            Diagnosis::Unknown { name, hint } => {
                let path = self.locate(at, &name);
                let message = if path.ends_with_key(&name) {
                    "unknown key".to_owned()
                } else {
                    format!("unknown key `{}`", excerpt(&name))
                };
                if !self.is_consequence(&path) {
                    // A key is text somebody typed or pasted, like any value.
                    let shown = match path.parent() {
                        Some(parent) if path.ends_with_key(&name) => parent.key(&excerpt(&name)),
                        _ => path.clone(),
                    };
                    report(&shown, message, hint);
                }
                self.cut_out(path)
            }
            Diagnosis::Null { .. } if self.unset(&at) => Some(()),
            Diagnosis::Null { message } => self.refuse(at, message, None, report),
            Diagnosis::Variant { message, hint, .. } | Diagnosis::Other { message, hint } => {
                self.refuse(at, message, hint, report)
            }
        }
    }

    fn refuse(
        &mut self,
        at: Path,
        message: String,
        hint: Option<String>,
        mut report: impl FnMut(&Path, String, Option<String>),
    ) -> Option<()> {
        // A complaint about a node that holds a stand-in may be about the stand-in.
        let suspect = self.stand_ins.keys().any(|stand_in| at.contains(stand_in));
        if !suspect && !self.is_consequence(&at) {
            report(&at, message, hint);
        }
        self.cut_out(at)
    }

    /// Whether whatever is wrong at `path` follows from something that is recorded already.
    fn is_consequence(&self, path: &Path) -> bool {
        !self.probing
            || self.cut.iter().any(|cut| cut.contains(path))
            || self.stand_ins.keys().any(|stand_in| stand_in.contains(path))
    }

    /// Where the key is that nobody asked for. Serde names it in the path, except within tagged and
    /// untagged enums, which it reads into a buffer of its own.
    fn locate(&self, at: Path, name: &str) -> Path {
        if at.ends_with_key(name) {
            return at;
        }
        let inside = at.key(name);
        if find(&self.original, &inside.0).is_some() { inside } else { at }
    }

    /// Takes the node out, or the nearest one above it that exists and can be taken out.
    fn cut_out(&mut self, path: Path) -> Option<()> {
        let mut path = path;
        loop {
            if path.is_root() {
                return None;
            }
            self.stand_ins.retain(|stand_in, _| !path.contains(stand_in));
            let there = find(&self.original, &path.0).is_some();
            if there && self.cut.insert(path.clone()) {
                return Some(());
            }
            path = path.parent()?;
        }
    }

    /// Drops a key that has no value. `false` when `path` is not such a key.
    fn unset(&mut self, path: &Path) -> bool {
        let is_key = matches!(path.0.last(), Some(Step::Key(_)));
        let is_null = find(&self.original, &path.0).is_some_and(Value::is_null);
        if is_key && is_null {
            remove(&mut self.original, &path.0);
        }
        is_key && is_null
    }

    /// Puts something at `path` that gets past the deserialiser there. `false` when nothing does.
    fn stand_in<T: DeserializeOwned>(&mut self, path: &Path) -> bool {
        for candidate in candidates() {
            let open = candidate.as_object().is_some_and(Map::is_empty);
            let Some(failure) = self.try_stand_in::<T>(path, candidate) else {
                return true;
            };
            match failure.diagnosis {
                // Serde lost the path in a buffer of its own, so this is not where the key belongs.
                Diagnosis::Unknown { name, .. } if path.ends_with_key(&name) => {}
                _ if !path.contains(&failure.at) => return true,
                // A mapping is wanted, and its own keys are what is missing next.
                Diagnosis::Missing { .. } if open => return true,
                Diagnosis::Variant { allowed, .. } if failure.at == *path => {
                    return self.stand_in_word::<T>(path, allowed);
                }
                Diagnosis::Missing { .. }
                | Diagnosis::Unknown { .. }
                | Diagnosis::Null { .. }
                | Diagnosis::Variant { .. }
                | Diagnosis::Other { .. } => {}
            }
        }
        self.stand_ins.remove(path);
        false
    }

    /// The same where one of some words is wanted. Such a word may be the tag that says which other
    /// keys belong beside it. Then what is wrong with those depends on the word, and only a word
    /// that leads to no complaint about them may stand in.
    fn stand_in_word<T: DeserializeOwned>(&mut self, path: &Path, words: Vec<String>) -> bool {
        let mut outcomes = Vec::new();
        for word in words.into_iter().map(Value::String) {
            let failure = self.try_stand_in::<T>(path, word.clone());
            if failure.as_ref().is_none_or(|failure| !path.contains(&failure.at)) {
                outcomes.push((word, failure));
            }
        }
        let is_tag = outcomes.windows(2).any(|pair| matches!(pair, [(_, a), (_, b)] if a != b));
        let beside = path.parent().unwrap_or_default();
        let fits =
            |failure: &Option<Failure>| !is_tag || failure.as_ref().is_none_or(|failure| !beside.contains(&failure.at));
        match outcomes.into_iter().find(|(_, failure)| fits(failure)) {
            Some((word, _)) => {
                self.stand_ins.insert(path.clone(), word);
                true
            }
            None => {
                self.stand_ins.remove(path);
                false
            }
        }
    }

    fn try_stand_in<T: DeserializeOwned>(&mut self, path: &Path, value: Value) -> Option<Failure> {
        self.stand_ins.insert(path.clone(), value);
        self.attempt::<T>().err()
    }

    /// Cuts out whatever holds a stand-in. From now on everything else is a consequence of that.
    fn drop_stand_ins(&mut self) -> Option<()> {
        self.probing = false;
        while let Some((path, _)) = self.stand_ins.pop_first() {
            self.cut_out(path.parent()?)?;
        }
        Some(())
    }

    /// Tells the problems which nodes are not in the value.
    fn hand_over(self, problems: &mut Problems) {
        for path in self.cut {
            if let Some((Step::Index(index), list)) = path.0.split_last() {
                problems.record_gap(Path(list.to_vec()).to_string(), *index);
            }
            problems.record_cut(path.to_string());
        }
    }
}

/// What may stand in for an absent value, in the order to be tried.
fn candidates() -> [Value; 9] {
    [
        json!(""),
        json!({}),
        json!(1),
        json!(true),
        json!([]),
        json!("x"),
        json!("1s"),
        json!("http://localhost/"),
        json!(0.5),
    ]
}

fn find<'v>(value: &'v Value, steps: &[Step]) -> Option<&'v Value> {
    steps.iter().try_fold(value, |value, step| match step {
        Step::Key(key) => value.as_object()?.get(key),
        Step::Index(index) => value.as_array()?.get(*index),
    })
}

fn find_mut<'v>(value: &'v mut Value, steps: &[Step]) -> Option<&'v mut Value> {
    steps.iter().try_fold(value, |value, step| match step {
        Step::Key(key) => value.as_object_mut()?.get_mut(key),
        Step::Index(index) => value.as_array_mut()?.get_mut(*index),
    })
}

fn insert(value: &mut Value, steps: &[Step], node: Value) {
    let Some((Step::Key(key), parent)) = steps.split_last() else {
        return;
    };
    if let Some(parent) = find_mut(value, parent).and_then(Value::as_object_mut) {
        parent.insert(key.clone(), node);
    }
}

fn remove(value: &mut Value, steps: &[Step]) {
    let Some((last, parent)) = steps.split_last() else {
        return;
    };
    match (last, find_mut(value, parent)) {
        (Step::Key(key), Some(Value::Object(map))) => {
            map.remove(key);
        }
        (Step::Index(index), Some(Value::Array(list))) if *index < list.len() => {
            list.remove(*index);
        }
        _ => {}
    }
}
