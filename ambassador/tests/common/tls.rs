//! A certificate authority of the tests' own, and TLS in front of an upstream.

use std::{net::SocketAddr, sync::Arc};

use chassis::{config::Environment, task, tls::Roots};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::{
    ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer},
};
use tempfile::NamedTempFile;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
};
use tokio_rustls::TlsAcceptor;

/// A certificate authority, as a company has one for its own network.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    file: NamedTempFile,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let file = NamedTempFile::new().unwrap();
        std::fs::write(file.path(), params.self_signed(&key).unwrap().pem()).unwrap();
        Self { issuer: Issuer::new(params, key), file }
    }

    /// The roots of a process that is told to trust this authority.
    pub(crate) fn roots(&self) -> Roots {
        Roots::of(&Environment::from_pairs([("SSL_CERT_FILE", self.file.path().to_str().unwrap())]))
    }

    /// A server's side of TLS, by a certificate for this name that is valid until the end of that year.
    pub(crate) fn server(&self, name: &str, until: i32) -> Arc<ServerConfig> {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.not_before = date_time_ymd(2000, 1, 1);
        params.not_after = date_time_ymd(until, 12, 31);
        let certificate = CertificateDer::from(params.signed_by(&key, &self.issuer).unwrap());
        let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
        Arc::new(ServerConfig::builder().with_no_client_auth().with_single_cert(vec![certificate], key).unwrap())
    }
}

/// The port at which TLS is spoken in front of `upstream`.
pub(crate) async fn in_front_of(upstream: SocketAddr, server: Arc<ServerConfig>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    task::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let accepting = TlsAcceptor::from(Arc::clone(&server)).accept(stream);
            task::spawn(async move {
                // A client that does not believe the certificate has hung up.
                let Ok(mut outside) = accepting.await else { return };
                let mut inside = TcpStream::connect(upstream).await.unwrap();
                let _gone = copy_bidirectional(&mut outside, &mut inside).await;
            });
        }
    });
    port
}
