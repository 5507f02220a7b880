//! Signatures in minisign's format: ed25519 over the file or over its hash, and a trusted comment that is signed as well.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use minisign_verify::{Error, PublicKey, Signature};

use super::text;
use crate::failure::Failure;

/// A public key that files are signed for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    key: PublicKey,
    id: String,
}

/// Why a text is no public key of minisign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is no public key of minisign: that is the line of minisign.pub that begins with RW")]
pub struct NotAKey;

impl std::str::FromStr for Key {
    type Err = NotAKey;

    /// Reads the line that begins with `RW`, or the whole `minisign.pub`.
    fn from_str(text: &str) -> Result<Self, NotAKey> {
        let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let line = lines.rfind(|line| !line.starts_with("untrusted comment:")).ok_or(NotAKey)?;
        let key = PublicKey::from_base64(line).map_err(|_| NotAKey)?;
        Ok(Self { key, id: id(line).ok_or(NotAKey)? })
    }
}

impl Key {
    /// The key's id, as minisign prints it.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Checks that `signature`, the content of a `.minisig` file, was made with this key over exactly these bytes.
    ///
    /// # Errors
    /// [`Failure::data`]: what does not verify is never published, not even an older version instead of it.
    pub fn check(&self, bytes: &[u8], signature: &[u8]) -> Result<(), Failure> {
        let text = text::read(signature).map_err(|failure| Failure::data(format!("its signature {failure}")))?;
        text::refuse_page(&text, None).map_err(|failure| Failure::data(format!("its signature {failure}")))?;
        let parsed = Signature::decode(&text).map_err(|_| {
            Failure::data("its signature is not in minisign's format: four lines, a comment and base64 in turn")
                .with_hint("sign it with `minisign -Sm FILE` and give the .minisig file")
        })?;
        self.key.verify(bytes, &parsed, true).map_err(|error| self.told(&error, &text))
    }

    fn told(&self, error: &Error, signature: &str) -> Failure {
        if matches!(error, Error::UnexpectedKeyId) {
            let other = signature.lines().nth(1).and_then(id).unwrap_or_default();
            return Failure::data(format!("it is signed with the key {other}, and {} is the one to trust", self.id))
                .with_hint("sign it with the right key, or correct checks.signature.public_key");
        }
        Failure::data("its signature does not belong to it: the file, the signature or the trusted comment was changed")
            .with_hint("sign it again if the change is wanted, or find out who changed the file")
    }
}

/// The id of the key in a line of base64: eight bytes behind the algorithm, the last one first.
fn id(line: &str) -> Option<String> {
    let bytes = STANDARD.decode(line.trim()).ok()?;
    Some(bytes.get(2..10)?.iter().rev().map(|byte| format!("{byte:02X}")).collect())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// From the documentation of minisign-verify: both of them sign `test`.
    const KEY: &str = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";
    const HASHED: &str = "untrusted comment: signature from minisign secret key\n\
        RUQf6LRCGA9i559r3g7V1qNyJDApGip8MfqcadIgT9CuhV3EMhHoN1mGTkUidF/z7SrlQgXdy8ofjb7bNJJylDOocrCo8KLzZwo=\n\
        trusted comment: timestamp:1633700835\tfile:test\tprehashed\n\
        wLMDjy9FLAuxZ3q4NlEvkgtyhrr0gtTu6KC4KBJdITbbOeAi1zBIYo0v4iTgt8jJpIidRJnp94ABQkJAgAooBQ==\n";
    const LEGACY: &str = "untrusted comment: signature from minisign secret key\n\
        RWQf6LRCGA9i59SLOFxz6NxvASXDJeRtuZykwQepbDEGt87ig1BNpWaVWuNrm73YiIiJbq71Wi+dP9eKL8OC351vwIasSSbXxwA=\n\
        trusted comment: timestamp:1555779966\tfile:test\n\
        QtKMXWyYcwdpZAlPF7tE2ENJkRd1ujvKjlj1m9RtHTBnZPa5WKU5uWRs5GoP5M/VqE81QFuMKI5k/SfNQUaOAA==\n";

    fn told(bytes: &[u8], signature: &str) -> String {
        match KEY.parse::<Key>().unwrap().check(bytes, signature.as_bytes()) {
            Ok(()) => "fine".to_owned(),
            Err(failure) => {
                assert_eq!(failure.code, chassis::exit::Code::Data);
                failure.message
            }
        }
    }

    #[test]
    fn a_key_is_its_line_or_its_file() {
        let key: Key = KEY.parse().unwrap();
        assert_eq!(key.id(), "E7620F1842B4E81F");
        assert_eq!(format!("untrusted comment: minisign public key E7620F1842B4E81F\n{KEY}\n").parse(), Ok(key));
        for text in ["", "RW", &KEY[..50], &KEY.replace("RW", "AA"), "untrusted comment: x\n"] {
            assert_eq!(text.parse::<Key>(), Err(NotAKey), "{text}");
        }
    }

    #[test]
    fn only_what_was_signed_passes() {
        let changed = "its signature does not belong to it: the file, the signature or the trusted comment was changed";
        assert_eq!(told(b"test", HASHED), "fine");
        assert_eq!(told(b"test", &HASHED.replace('\n', "\r\n")), "fine");
        assert_eq!(told(b"test", LEGACY), "fine");
        assert_eq!(told(b"Test", HASHED), changed);
        assert_eq!(told(b"Test", LEGACY), changed);
        assert_eq!(told(b"test", &HASHED.replace("file:test", "file:best")), changed);
        assert_eq!(told(b"test", &HASHED.replace("Kp8Mf", "Kp8Mg").replace("p8Mfqc", "p8Mgqc")), changed);
        assert_eq!(
            told(b"test", &HASHED.replace("RUQf6LRC", "RUQf6LRD")),
            "it is signed with the key E7620F1843B4E81F, and E7620F1842B4E81F is the one to trust"
        );
    }

    #[test]
    fn what_is_no_signature_is_told() {
        let format = "its signature is not in minisign's format: four lines, a comment and base64 in turn";
        let lines: Vec<&str> = HASHED.lines().collect();
        for text in
            ["", "hello", &lines[..3].join("\n"), &HASHED.replace("RUQ", "AAQ"), &HASHED.replace("trusted", "t")]
        {
            assert_eq!(told(b"test", text), format, "{text}");
        }
        assert!(told(b"test", "<!doctype html><p>404").starts_with("its signature is an HTML page"));
    }

    proptest! {
        #[test]
        fn any_bytes_are_refused(bytes: Vec<u8>, signature: Vec<u8>, lines in prop::collection::vec("[A-Za-z0-9+/= :]*", 0..6)) {
            let key: Key = KEY.parse().unwrap();
            prop_assert!(key.check(&bytes, &signature).is_err());
            prop_assert!(key.check(&bytes, lines.join("\n").as_bytes()).is_err());
        }

        #[test]
        fn no_other_content_passes(bytes: Vec<u8>) {
            prop_assume!(bytes != b"test");
            prop_assert_ne!(told(&bytes, HASHED), "fine");
        }
    }
}
