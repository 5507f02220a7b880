//! How messages are named, so that their order is that of their names.

use std::sync::atomic::{AtomicU64, Ordering};

use chassis::clock;
use context_core::{
    filter::{Bound, Filter, Scalar},
    scope::{Collection, Scope, Tenant},
};
use sha2::{Digest as _, Sha256};

use crate::{
    failure::{Failure, Kind as Why},
    pipeline::reserved,
    store::qdrant::Indexed,
};

/// Messages that are put in at once, at most.
pub const MOST_AT_ONCE: usize = 100;

/// The metadata of messages that is filtered by: what Qdrant should have an index of.
pub const INDEXES: [(&str, Indexed); 2] = [(CONVERSATION, Indexed::Keyword), (SEQUENCE, Indexed::Number)];

/// Of which conversation. Users' metadata has no key that begins so.
pub(super) const CONVERSATION: &str = "_conversation";
/// When it was put in, in microseconds since 1970, later for what comes later.
pub(super) const SEQUENCE: &str = "_seq";
/// Who said it.
pub(super) const ROLE: &str = "_role";

/// What a message has besides its text, as JSON.
pub(super) const REST: &str = "_rest";

/// Between the name of a conversation, which has none in it, and that of a message.
const SLASH: char = '/';

/// Where messages are kept.
pub(crate) fn collection() -> Option<Collection> {
    reserved("conversations")
}

/// Where those of a tenant are kept.
pub(super) fn scope(tenant: &Tenant) -> Result<Scope, Failure> {
    let none = || Failure::new(Why::Internal, "conversations have no collection");
    Ok(Scope { tenant: tenant.clone(), collection: collection().ok_or_else(none)? })
}

/// The name of a conversation.
pub(super) fn checked(name: &str) -> Result<&str, Failure> {
    // The same that a tenant may be called: nothing with a slash in it.
    match name.parse::<Tenant>() {
        Ok(_) => Ok(name),
        Err(why) => Err(Failure::new(Why::Invalid, format!("the name of a conversation {why}")).about("id")),
    }
}

/// A number that is larger than all before, in this process, and most likely than those of others.
pub(super) fn next() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    let now = u64::try_from(clock::unix().as_micros()).unwrap_or_default();
    let after = |last: u64| Some(now.max(last + 1));
    let last = LAST.fetch_update(Ordering::Relaxed, Ordering::Relaxed, after).unwrap_or_default();
    now.max(last + 1)
}

/// What tells a message from others: what the caller calls it or, where that is nothing, what is in it.
pub(super) fn mark(id: Option<&str>, content: &str) -> String {
    let (kind, text) = id.map_or(('c', content), |id| ('i', id));
    let digest = Sha256::digest(text);
    let [a, b, c, d, e, f, g, h, ..] = digest.0;
    format!("{kind}{:016x}", u64::from_be_bytes([a, b, c, d, e, f, g, h]))
}

/// The name of a message.
pub(super) fn message(conversation: &str, sequence: u64, mark: &str) -> String {
    format!("{conversation}{SLASH}{sequence:017}-{mark}")
}

/// The conversation, the number and the mark of a message's name.
pub(super) fn parts(name: &str) -> Option<(&str, u64, &str)> {
    let (conversation, rest) = name.split_once(SLASH)?;
    let (sequence, mark) = rest.split_once('-')?;
    Some((conversation, sequence.parse().ok()?, mark))
}

/// Behind all messages of a conversation.
pub(super) fn behind(conversation: &str) -> String {
    format!("{conversation}{SLASH}\u{10ffff}")
}

/// What is of a conversation.
pub(super) fn of(conversation: &str) -> Filter {
    Filter::Any { key: CONVERSATION.to_owned(), values: vec![Scalar::Text(conversation.to_owned())] }
}

/// What is of a conversation, and was put in before.
#[allow(clippy::cast_precision_loss, reason = "microseconds since 1970 are below 2^53 until 2255")]
pub(super) fn before(conversation: &str, sequence: u64) -> Filter {
    let early = Filter::Range { key: SEQUENCE.to_owned(), bound: Bound::Lt, value: sequence as f64 };
    Filter::And(vec![of(conversation), early])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_in_the_order_of_what_was_said() {
        let names: Vec<String> = (0..500).map(|n| message("c", next(), &mark(None, &n.to_string()))).collect();
        assert!(names.is_sorted());
        assert_eq!(parts(&names[0]).unwrap().0, "c");
        assert!(names.iter().all(|name| *name < behind("c")));
        assert!(message("c-1", 1, "x") < message("c", 1, "x") && behind("c") < message("c1", 1, "x"));
    }

    #[test]
    fn no_conversation_has_the_name_of_anothers_message() {
        for name in ["", " ", "a/b", "a\0", &"x".repeat(129)] {
            assert_eq!(checked(name).unwrap_err().kind, Why::Invalid);
        }
        assert_eq!(checked("thread-1:2@x").unwrap(), "thread-1:2@x");
    }
}
