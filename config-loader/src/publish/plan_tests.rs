//! Plans, carried out in a model: a directory is a map, and a reader follows links in it.

use std::collections::BTreeMap;

use super::*;
use proptest::prelude::*;

const DIGEST: &str = "sha256:00112233445566778899aabbccddeeff";

/// A directory, and which names each version holds.
#[derive(Debug, Clone)]
struct Model {
    listing: Listing,
    versions: BTreeMap<String, BTreeSet<String>>,
}

impl Model {
    fn apply(&mut self, op: &Op, set: &BTreeSet<String>) {
        match op {
            Op::Sweep(version) => assert_eq!(self.listing.remove(version), Some(Found::Directory)),
            Op::Write(version) => {
                assert_eq!(self.listing.insert(version.clone(), Found::Directory), None);
                self.versions.insert(version.clone(), set.clone());
            }
            Op::Link(name) => {
                assert_eq!(self.listing.insert(name.clone(), Found::Link(through_data(name))), None);
            }
            Op::Swap(version) => {
                assert!(!self.listing.contains_key(NEXT));
                self.listing.insert(DATA.to_owned(), Found::Link(version.clone()));
            }
            Op::Unlink(name) => assert!(matches!(self.listing.remove(name), Some(Found::Link(_)))),
        }
    }

    /// The version a reader ends in, and the names that can be opened through it.
    fn seen(&self) -> Option<(String, BTreeSet<String>)> {
        let version = current(&self.listing)?;
        let held = self.versions.get(version)?;
        let opens = |name: &&String| self.listing.get(*name).is_some_and(|found| is_ours(name, found));
        Some((version.to_owned(), held.iter().filter(opens).cloned().collect()))
    }

    fn foreign(&self) -> Listing {
        let ours = |name: &str, found: &Found| {
            [DATA, NEXT].contains(&name) || is_ours(name, found) || (is_version(name) && *found == Found::Directory)
        };
        self.listing.iter().filter(|(name, found)| !ours(name, found)).map(|(n, f)| (n.clone(), f.clone())).collect()
    }
}

fn tops() -> impl Strategy<Value = BTreeSet<String>> {
    prop::collection::btree_set("[a-e]", 0..5)
}

fn version() -> impl Strategy<Value = String> {
    prop_oneof![Just("..set-0011223344556677".to_owned()), "\\.\\.set-[0-9a-f]{16}(-[0-9])?"]
}

/// What killed runs and other people leave behind.
fn model() -> impl Strategy<Value = Model> {
    let versions = prop::collection::btree_map(version(), tops(), 0..4);
    let links = tops();
    let others = prop::collection::btree_map(
        prop_oneof!["[a-h]", "\\.\\.[a-z]{3}", "\\.\\.set-[0-9a-f]{15}", Just(LOCK.to_owned())],
        prop_oneof![Just(Found::Directory), Just(Found::Other), Just(Found::Link("/etc".to_owned()))],
        0..3,
    );
    (versions, links, others, any::<prop::sample::Index>(), 0..4, any::<bool>()).prop_map(
        |(versions, links, others, which, data, next)| {
            let mut listing: Listing = others;
            listing.extend(links.into_iter().map(|name| (name.clone(), Found::Link(through_data(&name)))));
            listing.extend(versions.keys().map(|name| (name.clone(), Found::Directory)));
            let some = |which: &prop::sample::Index| {
                let names: Vec<&String> = versions.keys().collect();
                if names.is_empty() { "..set-ffffffffffffffff".to_owned() } else { (*which.get(&names)).clone() }
            };
            match data {
                0 => {}
                _ => drop(listing.insert(DATA.to_owned(), Found::Link(some(&which)))),
            }
            if next {
                listing.insert(NEXT.to_owned(), Found::Link(some(&which)));
            }
            Model { listing, versions }
        },
    )
}

proptest! {
    #[test]
    fn at_every_step_a_reader_sees_the_old_set_or_the_new_one(mut model in model(), set in tops()) {
        let name = fresh(&model.listing, DIGEST);
        prop_assert!(is_version(&name) && !model.listing.contains_key(&name));
        let old = model.seen();
        let foreign = model.foreign();
        let Ok(ops) = plan(&model.listing, &set, Some(&name)) else {
            prop_assert!(foreign.keys().any(|name| set.contains(name) || [DATA, NEXT].contains(&name.as_str())));
            return Ok(());
        };
        let new = Some((name.clone(), set.clone()));
        for op in &ops {
            model.apply(op, &set);
            // What was visible of the old set may have been less than it holds; a repair may only add to it.
            let seen = model.seen();
            let whole = |old: &Option<(String, BTreeSet<String>)>| match (&seen, old) {
                (Some((now, names)), Some((then, before))) => now == then && names.is_superset(before),
                (now, then) => now == then,
            };
            prop_assert!(seen == new || whole(&old), "{:?} after {:?}", seen, op);
        }
        prop_assert_eq!(model.seen(), new);
        prop_assert_eq!(model.foreign(), foreign);

        // The next run has nothing to do but to sweep the version before.
        let after = plan(&model.listing, &set, None).unwrap();
        let expected: Vec<Op> = old.map(|(version, _)| Op::Sweep(version)).into_iter().collect();
        prop_assert_eq!(after, expected);
    }

    #[test]
    fn what_was_taken_back_was_never_there(mut model in model(), set in tops(), stop: prop::sample::Index) {
        let name = fresh(&model.listing, DIGEST);
        let Ok(ops) = plan(&model.listing, &set, Some(&name)) else { return Ok(()) };
        let before: Vec<&Op> = ops.iter().take_while(|op| !matches!(op, Op::Swap(_))).collect();
        let done = &before[..stop.index(before.len() + 1)];
        for op in done {
            model.apply(op, &set);
        }
        for op in done.iter().rev().filter_map(|op| undo(op)) {
            model.apply(&op, &set);
        }
        prop_assert!(!model.listing.contains_key(&name));
        // A second plan is the first without what was swept.
        let again = plan(&model.listing, &set, Some(&name)).unwrap();
        let rest: Vec<&Op> = ops.iter().filter(|op| again.contains(op)).collect();
        prop_assert_eq!(again.iter().collect::<Vec<_>>(), rest);
        prop_assert!(ops.iter().filter(|op| !again.contains(op)).all(|op| matches!(op, Op::Sweep(_) | Op::Unlink(_))));
    }
}

#[test]
fn what_is_not_ours_is_in_the_way_and_named() {
    let link = |to: &str| Found::Link(to.to_owned());
    let set = BTreeSet::from(["a".to_owned()]);
    let refused = |name: &str, found: Found| plan(&Listing::from([(name.to_owned(), found)]), &set, Some("..set-x"));
    for found in [Found::Other, Found::Directory, link("/etc/passwd"), link("..data/b")] {
        assert_eq!(refused("a", found), Err(vec!["a".to_owned()]));
    }
    for found in [Found::Other, Found::Directory, link("..2026_11_25_03_21_09.123")] {
        assert_eq!(refused(DATA, found.clone()), Err(vec![DATA.to_owned()]));
        assert_eq!(refused(NEXT, found), Err(vec![NEXT.to_owned()]));
    }
    assert!(refused("b", Found::Other).is_ok() && refused("lost+found", Found::Directory).is_ok());
}
