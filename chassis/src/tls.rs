//! TLS towards others: whom their certificates are trusted by.

use std::env;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use rustls::{ClientConfig, RootCertStore};
use rustls_native_certs::CertificateResult;

use crate::config::Environment;

/// The certificate authorities that are trusted: those that `SSL_CERT_FILE` and `SSL_CERT_DIR` name (for networks with
/// an authority of their own), else the system's, and Mozilla's where there are none, as in an empty image. They are read
/// once, for this value and its clones.
#[derive(Clone, Debug, Default)]
pub struct Roots {
    file: Option<PathBuf>,
    directories: Vec<PathBuf>,
    read: Arc<OnceLock<Arc<RootCertStore>>>,
}

impl Roots {
    /// What `environment` says of them. Nothing is read so far.
    #[must_use]
    pub fn of(environment: &Environment) -> Self {
        let directories = environment.get("SSL_CERT_DIR").map(|paths| env::split_paths(paths).collect());
        Self {
            file: environment.get("SSL_CERT_FILE").map(PathBuf::from),
            directories: directories.unwrap_or_default(),
            read: Arc::default(),
        }
    }

    /// TLS for clients that trust these authorities. Reads some hundred certificates, so that whoever will not speak
    /// TLS says `needed: false` and gets a client that trusts nobody.
    #[must_use]
    pub fn client(&self, needed: bool) -> ClientConfig {
        let read = || Arc::clone(self.read.get_or_init(|| Arc::new(self.store())));
        let roots = if needed { read() } else { Arc::new(RootCertStore::empty()) };
        // On ring: it is the only one that is compiled in.
        ClientConfig::builder().with_root_certificates(roots).with_no_client_auth()
    }

    fn store(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        let found = self.load();
        for error in &found.errors {
            tracing::warn!(%error, "some certificate authorities cannot be read");
        }
        let (added, _unreadable) = roots.add_parsable_certificates(found.certs);
        if added == 0 {
            tracing::info!("no certificate authority is named or known to the system; Mozilla's are trusted");
            roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        }
        roots
    }

    fn load(&self) -> CertificateResult {
        if self.file.is_none() && self.directories.is_empty() {
            return rustls_native_certs::load_native_certs();
        }
        let mut found = rustls_native_certs::load_certs_from_paths(self.file.as_deref(), None);
        for directory in &self.directories {
            let more = rustls_native_certs::load_certs_from_paths(None, Some(directory));
            found.certs.extend(more.certs);
            found.errors.extend(more.errors);
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};

    use super::*;

    fn authority() -> String {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().pem()
    }

    fn trusted(variables: &[(&str, &str)]) -> usize {
        Roots::of(&Environment::from_pairs(variables.iter().copied())).store().len()
    }

    #[test]
    fn those_that_are_named_are_trusted_and_no_others() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
        for folder in ["a", "b"] {
            fs::create_dir(path(folder)).unwrap();
            fs::write(path(&format!("{folder}/authority.pem")), authority()).unwrap();
        }
        fs::write(path("two.pem"), authority() + &authority()).unwrap();
        let (file, folders) = (path("two.pem"), format!("{}:{}", path("a"), path("b")));
        assert_eq!(trusted(&[("SSL_CERT_FILE", &file)]), 2);
        assert_eq!(trusted(&[("SSL_CERT_DIR", &folders)]), 2);
        assert_eq!(trusted(&[("SSL_CERT_FILE", &file), ("SSL_CERT_DIR", &folders)]), 4);
    }

    #[test]
    fn they_are_read_once_for_all_that_share_them() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("one.pem");
        fs::write(&path, authority()).unwrap();
        let roots = Roots::of(&Environment::from_pairs([("SSL_CERT_FILE", path.to_str().unwrap())]));
        let shared = roots.clone();
        drop(roots.client(false));
        assert!(shared.read.get().is_none(), "nobody needs them so far");
        drop(roots.client(true));
        assert_eq!(shared.read.get().unwrap().len(), 1);
    }

    #[test]
    fn mozillas_are_trusted_where_none_can_be_read() {
        assert_eq!(trusted(&[("SSL_CERT_FILE", "/nowhere.pem")]), webpki_roots::TLS_SERVER_ROOTS.len());
    }
}
