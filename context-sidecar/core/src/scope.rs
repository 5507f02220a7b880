//! Whose documents: a scope fails closed. There is no scope without a tenant, and nothing is read, written, deleted or
//! remembered without a scope.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The longest name, in bytes.
const LONGEST: usize = 128;

/// Who owns documents. It comes from the configuration, or from a caller that has proven itself; never from a body.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Tenant(String);

/// A set of documents that is searched together, shared by the tenants of a store and divided by them.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct Collection(String);

/// Whose documents of which set.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope {
    /// Whose.
    pub tenant: Tenant,
    /// Of which set.
    pub collection: Collection,
}

/// Why a name is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadName {
    /// Nothing in it but white space.
    #[error("is empty")]
    Empty,
    /// More than 128 bytes.
    #[error("is longer than {LONGEST} bytes")]
    Long,
    /// Something that is no part of a name.
    #[error("has a character in it that names cannot have: letters, digits, `-`, `_`, `.`, `:` and `@` are allowed")]
    Character,
}

fn name(text: &str, allowed: impl Fn(char) -> bool) -> Result<String, BadName> {
    if text.trim().is_empty() {
        return Err(BadName::Empty);
    }
    if text.len() > LONGEST {
        return Err(BadName::Long);
    }
    if !text.chars().all(allowed) {
        return Err(BadName::Character);
    }
    Ok(text.to_owned())
}

impl FromStr for Tenant {
    type Err = BadName;

    fn from_str(text: &str) -> Result<Self, BadName> {
        name(text, |char| char.is_alphanumeric() || "-_.:@".contains(char)).map(Self)
    }
}

impl FromStr for Collection {
    type Err = BadName;

    /// Stores use it in paths, so it is more narrow than a tenant: ASCII, and it begins with a letter or a digit.
    fn from_str(text: &str) -> Result<Self, BadName> {
        let name = name(text, |char| char.is_ascii_alphanumeric() || "-_.".contains(char))?;
        if name.starts_with(|char: char| char.is_ascii_alphanumeric()) {
            Ok(Self(name))
        } else {
            Err(BadName::Character)
        }
    }
}

impl TryFrom<String> for Collection {
    type Error = BadName;

    fn try_from(text: String) -> Result<Self, BadName> {
        text.parse()
    }
}

impl Tenant {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Collection {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Collection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Collection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_name_is_no_scope() {
        for (text, why) in
            [("", BadName::Empty), (" \t", BadName::Empty), ("a b", BadName::Character), ("a\0", BadName::Character)]
        {
            assert_eq!(text.parse::<Tenant>().unwrap_err(), why, "{text:?}");
            assert_eq!(text.parse::<Collection>().unwrap_err(), why, "{text:?}");
        }
        assert_eq!("x".repeat(129).parse::<Tenant>(), Err(BadName::Long));
        for text in ["../etc", ".", "a/b", "ä", "-x"] {
            assert!(text.parse::<Collection>().is_err(), "{text}");
        }
        for text in ["acme", "a.b-c_d", "7"] {
            assert_eq!(text.parse::<Collection>().unwrap().as_str(), text);
        }
        assert_eq!("user:ada@acme.example".parse::<Tenant>().unwrap().as_str(), "user:ada@acme.example");
    }
}
