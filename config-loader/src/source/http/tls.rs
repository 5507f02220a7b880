//! Whom we trust, and by which certificate we are known.

use std::{
    path::Path,
    sync::{Arc, OnceLock},
};

use chassis::{config::Environment, exit::Code, tls::Roots};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{
        CertificateDer, PrivateKeyDer,
        pem::{self, PemObject},
    },
    sign::{CertifiedKey, SingleCertAndKey},
};

use crate::{failure::Failure, file::Tls};

/// The authorities that are trusted where a source names none, read once for all that share it, when one needs them.
#[derive(Debug, Clone)]
pub struct Trust {
    roots: Roots,
    read: Arc<OnceLock<ClientConfig>>,
}

impl Trust {
    /// What the environment and the system say. Nothing is read so far.
    #[must_use]
    pub fn of(environment: &Environment) -> Self {
        Self { roots: Roots::of(environment), read: Arc::default() }
    }

    fn client(&self) -> ClientConfig {
        self.read.get_or_init(|| self.roots.client(true)).clone()
    }
}

/// TLS as a server of these settings is spoken to. What is not `needed` is not read. Only with `identity` our own
/// certificate is shown to whoever asks for it.
///
/// # Errors
/// A file that cannot be read or does not hold what it should.
pub(super) fn config(trust: &Trust, tls: &Tls, needed: bool, identity: bool) -> Result<ClientConfig, Failure> {
    if !needed {
        return Ok(trust.roots.client(false));
    }
    let mut config = match &tls.ca_file {
        Some(path) => {
            ClientConfig::builder().with_root_certificates(authorities(Path::new(path))?).with_no_client_auth()
        }
        None => trust.client(),
    };
    if let (Some(certificate), Some(key), true) = (&tls.cert_file, &tls.key_file, identity) {
        let ours = certified(Path::new(certificate), Path::new(key), &config)?;
        config.client_auth_cert_resolver = Arc::new(SingleCertAndKey::from(ours));
    }
    Ok(config)
}

fn authorities(path: &Path) -> Result<RootCertStore, Failure> {
    let mut roots = RootCertStore::empty();
    let (added, _unusable) = roots.add_parsable_certificates(certificates(path)?);
    if added == 0 {
        return Err(unfit(path, "has no certificate of an authority in it"));
    }
    Ok(roots)
}

fn certified(certificate: &Path, key: &Path, config: &ClientConfig) -> Result<CertifiedKey, Failure> {
    let chain = certificates(certificate)?;
    let private = PrivateKeyDer::from_pem_file(key).map_err(|error| {
        if let pem::Error::Io(error) = error {
            return unreadable(key, &error);
        }
        unfit(key, "has no private key in PEM format in it")
    })?;
    CertifiedKey::from_der(chain, private, config.crypto_provider()).map_err(|error| {
        Failure::new(Code::Config, format!("{} and {}: {error}", certificate.display(), key.display()))
            .with_hint("tls.cert_file and tls.key_file are to be a certificate and its own key")
    })
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Failure> {
    let found = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match found {
        Ok(found) if found.is_empty() => Err(unfit(path, "has no certificate in PEM format in it")),
        Ok(found) => Ok(found),
        Err(pem::Error::Io(error)) => Err(unreadable(path, &error)),
        Err(_) => Err(unfit(path, "has no certificate in PEM format in it")),
    }
}

fn unreadable(path: &Path, error: &std::io::Error) -> Failure {
    Failure::new(Code::Config, format!("{}: cannot be read: {error}", path.display()))
        .with_hint("mount the Secret there, readable for this user, or correct the path")
}

fn unfit(path: &Path, what: &str) -> Failure {
    Failure::new(Code::Config, format!("{}: {what}", path.display())).with_hint("write it in PEM format")
}
