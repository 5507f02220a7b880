//! What has to be done to a directory so that it shows a set: decided over what is in it, without touching it.
//!
//! It is what the kubelet does for ConfigMaps: each version has a directory, `..data` leads to one of them, and every
//! file is a link through `..data`. So one rename changes all of them. Unlike the kubelet's, links of new files are made
//! *before* the swap: until then they lead nowhere and opening them says "not found", as it should of a set that does not
//! have them. Made afterwards, a reader in between would see a set that is neither.

use std::collections::BTreeSet;

use super::disk::{Found, Listing};

/// Leads to the version that is published.
pub(super) const DATA: &str = "..data";
/// Is renamed to [`DATA`].
pub(super) const NEXT: &str = "..data_tmp";
/// Who holds it may change the directory.
pub(super) const LOCK: &str = "..lock";
/// How the names of versions begin.
const PREFIX: &str = "..set-";
/// How many digits of the set's digest are in a version's name.
const DIGITS: usize = 16;

/// Something to do in the directory. Any of them may be the last that a killed process did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Op {
    /// Removes a version that nobody needs.
    Sweep(String),
    /// Writes the set into a new version.
    Write(String),
    /// Makes the link through [`DATA`] of this name.
    Link(String),
    /// Has [`DATA`] lead to this version: the moment at which the set is published.
    Swap(String),
    /// Removes a link.
    Unlink(String),
}

/// The version that is published now, if that was us.
pub(super) fn current(listing: &Listing) -> Option<&str> {
    match listing.get(DATA) {
        Some(Found::Link(to)) if is_version(to) && listing.get(to) == Some(&Found::Directory) => Some(to),
        _ => None,
    }
}

/// A name for a new version of the set with this digest: none that is there, not even one that is to be swept.
pub(super) fn fresh(listing: &Listing, digest: &str) -> String {
    let digits: String = digest.trim_start_matches("sha256:").chars().take(DIGITS).collect();
    let first = format!("{PREFIX}{digits}");
    if !listing.contains_key(&first) {
        return first;
    }
    let mut name = String::new();
    for number in 2_u64.. {
        name = format!("{first}-{number}");
        if !listing.contains_key(&name) {
            break;
        }
    }
    name
}

/// What to do, in order: with a `fresh` version to publish it, without to mend and tidy what is published.
///
/// # Errors
/// The names at which there is something that is not ours.
pub(super) fn plan(listing: &Listing, tops: &BTreeSet<String>, fresh: Option<&str>) -> Result<Vec<Op>, Vec<String>> {
    let in_the_way: Vec<String> = listing
        .iter()
        .filter(|(name, found)| match name.as_str() {
            DATA | NEXT => !matches!(found, Found::Link(to) if is_version(to)),
            _ => tops.contains(*name) && !is_ours(name, found),
        })
        .map(|(name, _)| name.clone())
        .collect();
    if !in_the_way.is_empty() {
        return Err(in_the_way);
    }

    let current = current(listing);
    let versions = listing.iter().filter(|(name, found)| is_version(name) && **found == Found::Directory);
    let leftovers = versions.map(|(name, _)| name).filter(|name| Some(name.as_str()) != current);
    let missing = tops.iter().filter(|top| !listing.contains_key(*top));
    let stale = listing.iter().filter(|(name, found)| is_ours(name, found) && !tops.contains(*name));

    let mut ops: Vec<Op> = leftovers.cloned().map(Op::Sweep).collect();
    ops.extend(listing.contains_key(NEXT).then(|| Op::Unlink(NEXT.to_owned())));
    ops.extend(fresh.map(|version| Op::Write(version.to_owned())));
    ops.extend(missing.cloned().map(Op::Link));
    ops.extend(fresh.map(|version| Op::Swap(version.to_owned())));
    ops.extend(stale.map(|(name, _)| Op::Unlink(name.clone())));
    Ok(ops)
}

/// What takes back an operation that was done. For one that failed half way, see `half`.
pub(super) fn undo(done: &Op) -> Option<Op> {
    match done {
        Op::Write(version) => Some(Op::Sweep(version.clone())),
        Op::Link(name) => Some(Op::Unlink(name.clone())),
        Op::Sweep(_) | Op::Swap(_) | Op::Unlink(_) => None,
    }
}

/// What takes back an operation that failed. A link that could not be made is somebody else's.
pub(super) fn half(failed: &Op) -> Option<Op> {
    match failed {
        Op::Write(version) => Some(Op::Sweep(version.clone())),
        Op::Swap(_) => Some(Op::Unlink(NEXT.to_owned())),
        Op::Sweep(_) | Op::Link(_) | Op::Unlink(_) => None,
    }
}

/// Where a link of this name leads.
pub(super) fn through_data(name: &str) -> String {
    format!("{DATA}/{name}")
}

fn is_ours(name: &str, found: &Found) -> bool {
    matches!(found, Found::Link(to) if *to == through_data(name))
}

/// Only names that we give are swept: what else begins with `..` is another program's.
fn is_version(name: &str) -> bool {
    let Some((digits, rest)) = name.strip_prefix(PREFIX).and_then(|rest| rest.split_at_checked(DIGITS)) else {
        return false;
    };
    let number = |rest: &str| rest.strip_prefix('-').is_some_and(|number| number.parse::<u64>().is_ok());
    digits.bytes().all(|byte| byte.is_ascii_hexdigit()) && (rest.is_empty() || number(rest))
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
