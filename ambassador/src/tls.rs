//! Whom the upstreams' certificates are trusted by.

use rustls::{ClientConfig, RootCertStore};

/// TLS for clients. The system's roots (or those that `SSL_CERT_FILE` names, for networks with a CA of their own) are
/// trusted, and Mozilla's where there are none, as in an empty image. Without any TLS upstream nothing is loaded.
#[must_use]
pub fn client(needed: bool) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    if needed {
        let system = rustls_native_certs::load_native_certs();
        for error in &system.errors {
            tracing::warn!(%error, "some certificate authorities cannot be read");
        }
        let (added, _unreadable) = roots.add_parsable_certificates(system.certs);
        if added == 0 {
            tracing::info!("the system trusts no certificate authority; Mozilla's are trusted");
            roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        }
    }
    ClientConfig::builder().with_root_certificates(roots).with_no_client_auth()
}
