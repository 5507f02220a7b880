//! Whether what is filtered by is known of anything: a filter by a key that no document has would find nothing (or, the
//! other way round, everything), and nobody would know why.

use std::{fmt, time::Duration};

use chassis::excerpt::excerpt;
use context_core::{filter::Filter, scope::Scope};
use moka::sync::Cache;

use super::{Pipeline, seconds, users};
use crate::{
    failure::{Failure, Kind as Why},
    http::Call,
};

/// So many keys are remembered to be there, for so long: to look for one is a request to the store.
const MOST: u64 = 10_000;
const FOR: Duration = Duration::from_secs(10 * 60);

/// So many keys are told.
const TOLD: usize = 20;

/// Keys that documents have.
pub(crate) struct Keys(Cache<(Scope, String), ()>);

impl Default for Keys {
    fn default() -> Self {
        Self(Cache::builder().max_capacity(MOST).time_to_live(FOR).build())
    }
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Keys").field(&self.0.entry_count()).finish()
    }
}

impl Pipeline {
    /// Looks whether each key of a filter is declared or is in some document's metadata. Where there are no documents at
    /// all, any key is as good as another.
    ///
    /// # Errors
    /// It is not, with the keys that there are.
    pub(crate) async fn keyed(&self, scope: &Scope, filter: Option<&Filter>, call: &Call) -> Result<(), Failure> {
        let Some(filter) = filter.filter(|_| users(scope).is_ok()) else { return Ok(()) };
        let declared = self.settings.fields.get(&scope.collection);
        for key in filter.keys() {
            let name = (scope.clone(), key.to_owned());
            if declared.is_some_and(|fields| fields.contains_key(key)) || self.caches.keys.0.contains_key(&name) {
                continue;
            }
            let now = seconds();
            if self.ask("has_key", call, self.store.has_key(scope, key, now)).await? {
                self.caches.keys.0.insert(name, ());
                continue;
            }
            if self.ask("count", call, self.store.count(scope, now)).await? == 0 {
                return Ok(());
            }
            let there = self.ask("keys", call, self.store.keys(scope, now)).await?;
            let there: Vec<String> =
                there.iter().filter(|there| !there.starts_with('_')).map(|key| excerpt(key)).collect();
            let near = there.iter().find(|there| there.eq_ignore_ascii_case(key) || is_near(there, key));
            let told = match near {
                Some(near) => format!("did you mean `{near}`?"),
                None if there.is_empty() => "no document has any metadata".to_owned(),
                None => format!("they have: {}", there.into_iter().take(TOLD).collect::<Vec<_>>().join(", ")),
            };
            let why =
                format!("no document of `{}` has metadata of the key `{}`; {told}", scope.collection, excerpt(key));
            return Err(Failure::new(Why::Invalid, why).about("filter"));
        }
        Ok(())
    }
}

/// Whether one is a slip away from the other: a character more, less, another one, or two in each other's place.
fn is_near(one: &str, other: &str) -> bool {
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    let same = |pairs: &mut dyn Iterator<Item = (&char, &char)>| pairs.take_while(|(one, other)| one == other).count();
    let front = same(&mut one.iter().zip(&other));
    let back = same(&mut one.iter().rev().zip(other.iter().rev()));
    let (short, long) = (one.len().min(other.len()), one.len().max(other.len()));
    match long - short {
        0 if front + back + 2 == long => {
            one.get(front) == other.get(front + 1) && one.get(front + 1) == other.get(front)
        }
        0 => front + back + 1 >= long,
        1 => front + back >= short,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_near() {
        for (one, other, near) in [
            ("lang", "lagn", true),
            ("lang", "lng", true),
            ("lang", "langs", true),
            ("lang", "long", true),
            ("lang", "lang", true),
            ("year", "lang", false),
            ("a", "", true),
            ("lang", "language", false),
            ("abcd", "badc", false),
        ] {
            assert_eq!((is_near(one, other), is_near(other, one)), (near, near), "{one} {other}");
        }
    }
}
