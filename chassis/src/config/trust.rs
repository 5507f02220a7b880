//! The certificate authorities that the environment names.
//!
//! Whoever sets `SSL_CERT_FILE` says whom to trust. A file that cannot be read would leave us with somebody else's
//! choice, and every connection to a private network would fail without a word about why.

use std::fs::File;
use std::io::Read;

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::{Environment, Problems};
use crate::excerpt::excerpt;

/// The variable that names a file of certificate authorities.
pub const AUTHORITIES: &str = "SSL_CERT_FILE";

/// More than every authority of the world takes; what is larger is no file of certificates.
const MAX_BYTES: u64 = 16 << 20;

/// Looks whether the file that `SSL_CERT_FILE` names, if it does, has a certificate in it. That it has none is a
/// problem where TLS is `needed`, else a warning.
pub fn check_authorities(environment: &Environment, needed: bool, problems: &mut Problems) {
    let Some(path) = environment.get(AUTHORITIES) else { return };
    let Err(fault) = look(path) else { return };
    let hint = "name a file of certificates in PEM format, or unset it to trust those of the system";
    if needed {
        problems.push_hint(AUTHORITIES, fault, hint);
    } else {
        problems.warn(AUTHORITIES, fault, hint);
    }
}

fn look(path: &str) -> Result<(), String> {
    // The certificate itself instead of its file's name would be pages.
    let shown = if path.starts_with('/') { path.to_owned() } else { excerpt(path) };
    let unreadable = |error: &dyn std::fmt::Display| format!("cannot read {shown}: {error}");
    let file = File::open(path).map_err(|error| unreadable(&error))?;
    let mut roots = RootCertStore::empty();
    let found = CertificateDer::pem_reader_iter(file.take(MAX_BYTES));
    for certificate in found {
        match certificate {
            Ok(certificate) => _ = roots.add(certificate),
            Err(rustls::pki_types::pem::Error::Io(error)) => return Err(unreadable(&error)),
            // The rest of the file may be better.
            Err(_) => {}
        }
    }
    if roots.is_empty() { Err(format!("{shown} has no certificate of an authority in it")) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    const AUTHORITY: &str = "\
-----BEGIN CERTIFICATE-----
MIIBhzCCAS2gAwIBAgIUI3DpC3iX3bLU8eMJ95d4qJQLxP4wCgYIKoZIzj0EAwIw
GTEXMBUGA1UEAwwOVGVzdCBBdXRob3JpdHkwHhcNMjYxMTI1MDE0ODI3WhcNMzYx
MTIyMDE0ODI3WjAZMRcwFQYDVQQDDA5UZXN0IEF1dGhvcml0eTBZMBMGByqGSM49
AgEGCCqGSM49AwEHA0IABOctjE4A50aDhzMt+unKGZiZaKeq0DmaSQ7+AmfQHUke
njtD9S4qdPOV+HHpmPjKWBqNouoUxqjJevXiYN51FDqjUzBRMB0GA1UdDgQWBBRK
DcVHFVb7rp05k+AGAYsegDdFnDAfBgNVHSMEGDAWgBRKDcVHFVb7rp05k+AGAYse
gDdFnDAPBgNVHRMBAf8EBTADAQH/MAoGCCqGSM49BAMCA0gAMEUCIQD07rJ/yVZu
vmW02txknYe2nl4bA0roo6iV0OQLMAFNtgIgGljYYe19EsO5ubfbEMepcBB70qvW
f0oSC3zFuii83LA=
-----END CERTIFICATE-----
";

    /// What is said of a file with this text: a problem where TLS is needed, a warning where it is not.
    fn told(text: &[u8]) -> String {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("authorities.pem");
        fs::write(&path, text).unwrap();
        told_of(path.to_str().unwrap())
    }

    fn told_of(path: &str) -> String {
        let environment = Environment::from_pairs([(AUTHORITIES, path)]);
        let mut problems = Problems::new();
        check_authorities(&environment, true, &mut problems);
        let mut warnings = Problems::new();
        check_authorities(&environment, false, &mut warnings);
        assert!(warnings.is_empty() && problems.warnings().is_empty());
        let (told, warned) = (problems.to_string(), warnings.to_string());
        assert_eq!(warned.strip_prefix("warning: ").unwrap_or(&warned), told);
        told
    }

    #[test]
    fn a_file_has_an_authority_in_it() {
        assert_eq!(told(AUTHORITY.as_bytes()), "");
        assert_eq!(told(format!("# ours\n{}{AUTHORITY}", AUTHORITY.replace("MII", "!!!")).as_bytes()), "");
        assert_eq!(told_of(""), "");
    }

    #[test]
    fn what_has_none_is_told() {
        let key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
        let no_certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        for text in ["", "just words", key, no_certificate, "\0\u{1}", &AUTHORITY[..200]] {
            let told = told(text.as_bytes());
            assert!(told.starts_with("SSL_CERT_FILE: /") && told.contains("no certificate of an authority"), "{told}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_told() {
        let folder = tempfile::tempdir().unwrap();
        for path in ["/no/such/file.pem", folder.path().to_str().unwrap()] {
            let told = told_of(path);
            assert!(told.starts_with(&format!("SSL_CERT_FILE: cannot read {path}: ")), "{told}");
        }
        assert!(!told_of(AUTHORITY).contains("MII"), "the certificate instead of its file's name");
    }
}
