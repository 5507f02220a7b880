//! A value that cannot be printed by accident.
//!
//! There is no `Display`, no `Serialize` and no telling `Debug`: whoever wants the text has to
//! write [`Secret::expose`], and a reviewer can search for that one word. What may be shown is the
//! [`Fingerprint`], which names a key in logs, metrics and state without giving it away.

mod files;

pub use files::{KeyFileError, read_keys};

use std::fmt;

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// A credential. Its memory is overwritten when it is dropped.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes the text over as it is, without trimming.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The text itself. Keep it away from anything that logs.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What may be shown instead of the text.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        let digest = Sha256::digest(self.0.as_bytes());
        let mut head = [0; 4];
        head.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
        Fingerprint(u32::from_be_bytes(head))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secret(fp:{})", self.fingerprint())
    }
}

impl PartialEq for Secret {
    /// Compares every byte whatever the first difference is, so that time tells only the length.
    fn eq(&self, other: &Self) -> bool {
        let (a, b) = (self.0.as_bytes(), other.0.as_bytes());
        a.len() == b.len() && a.iter().zip(b).fold(0, |differing, (a, b)| differing | (a ^ b)) == 0
    }
}

impl Eq for Secret {}

/// The first 8 hexadecimal digits of the SHA-256 of a secret: enough to tell a handful of keys
/// apart, too little to find one.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(u32);

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "fp:{self}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_the_fingerprint_and_nothing_else() {
        let secret = Secret::new("sk-live-4711".to_owned());
        let shown = format!("{secret:?} {:?} {:#?}", Some(&secret), vec![&secret]);
        assert!(!shown.contains("sk-live"), "{shown}");
        assert!(shown.starts_with("Secret(fp:"));
        assert_eq!(secret.fingerprint().to_string().len(), 8);
    }

    #[test]
    fn the_fingerprint_is_the_head_of_sha_256() {
        // The well-known digest of the empty text begins with e3b0c442.
        assert_eq!(Secret::new(String::new()).fingerprint().to_string(), "e3b0c442");
    }

    #[test]
    fn equality_is_by_content() {
        let secret = |text: &str| Secret::new(text.to_owned());
        assert_eq!(secret("a"), secret("a"));
        assert_ne!(secret("a"), secret("b"));
        assert_ne!(secret("a"), secret("ab"));
    }
}
