//! SHA-256: what a file is pinned to, and what tells two sets apart.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest as _, Sha256};

use crate::failure::Failure;

/// The SHA-256 of some bytes, written in lower-case hex.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

/// Why a text is no SHA-256.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is no SHA-256: that is 64 hex digits, as sha256sum prints them")]
pub struct NotADigest;

impl Digest {
    /// The digest of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// Whether a file with this digest is the one that `pinned` names.
    ///
    /// # Errors
    /// Both digests, if it is not.
    pub fn check(self, pinned: Self) -> Result<(), Failure> {
        if self == pinned {
            return Ok(());
        }
        Err(Failure::data(format!("its SHA-256 is {self}, and {pinned} is pinned"))
            .with_hint("correct checks.sha256 if the change is wanted, or find out who changed the file"))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

impl FromStr for Digest {
    type Err = NotADigest;

    /// Reads 64 hex digits, perhaps after `sha256:` as registries write it.
    fn from_str(text: &str) -> Result<Self, NotADigest> {
        let text = text.trim();
        let digits = text.strip_prefix("sha256:").unwrap_or(text).as_bytes();
        let mut bytes = [0; 32];
        if digits.len() != 64 || !digits.iter().all(u8::is_ascii_hexdigit) {
            return Err(NotADigest);
        }
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            *byte =
                std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok()).ok_or(NotADigest)?;
        }
        Ok(Self(bytes))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    #[test]
    fn it_is_what_sha256sum_prints() {
        assert_eq!(Digest::of(b"abc").to_string(), ABC);
    }

    #[test]
    fn both_digests_are_told() {
        let pinned: Digest = ABC.parse().unwrap();
        assert_eq!(Digest::of(b"abc").check(pinned), Ok(()));
        let failure = Digest::of(b"").check(pinned).unwrap_err();
        assert_eq!(failure.code, chassis::exit::Code::Data);
        assert_eq!(
            failure.message,
            format!(
                "its SHA-256 is e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855, and {ABC} is pinned"
            )
        );
    }

    #[test]
    fn what_is_no_digest_is_refused() {
        for text in [
            "",
            "abc",
            &ABC[1..],
            &format!("{ABC}0"),
            &ABC.replace('b', "g"),
            &ABC.replace("ba", "+a"),
            "ü".repeat(32).as_str(),
        ] {
            assert_eq!(text.parse::<Digest>(), Err(NotADigest), "{text}");
        }
    }

    proptest! {
        #[test]
        fn it_is_read_as_it_is_written(bytes: Vec<u8>) {
            let digest = Digest::of(&bytes);
            for text in [digest.to_string(), digest.to_string().to_uppercase(), format!(" sha256:{digest}\n")] {
                prop_assert_eq!(text.parse(), Ok(digest));
            }
        }
    }
}
