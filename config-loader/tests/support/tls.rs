//! TLS: an authority of the tests' own, and a server behind what it signs.

use std::{
    ops::Deref,
    sync::{Arc, Mutex},
};

use chassis::task;
use config_loader::file::Tls;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::{
    RootCertStore, ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer},
    server::WebPkiClientVerifier,
};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::http::{Handler, Reply, Request, Server, Then};

/// A certificate authority of the tests' own, and a folder for what it signs.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
    pub(crate) folder: TempDir,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let own = params.self_signed(&key).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.pem"), own.pem()).unwrap();
        Self { issuer: Issuer::new(params, key), certificate: own.into(), folder }
    }

    pub(crate) fn path(&self, name: &str) -> Option<String> {
        Some(self.folder.path().join(name).to_str().unwrap().to_owned())
    }

    /// Settings that trust it.
    pub(crate) fn trusted(&self) -> Tls {
        Tls { ca_file: self.path("ca.pem"), ..Tls::default() }
    }

    /// Settings that trust it, with a certificate that it signed.
    pub(crate) fn known(&self) -> Tls {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(["client".to_owned()]).unwrap().signed_by(&key, &self.issuer).unwrap();
        std::fs::write(self.folder.path().join("client.pem"), certificate.pem()).unwrap();
        std::fs::write(self.folder.path().join("client.key"), key.serialize_pem()).unwrap();
        Tls { cert_file: self.path("client.pem"), key_file: self.path("client.key"), ..self.trusted() }
    }

    /// A server's side, by a certificate for this name.
    pub(crate) fn server(&self, name: &str) -> ServerConfig {
        self.until(name, 2999)
    }

    pub(crate) fn until(&self, name: &str, year: i32) -> ServerConfig {
        let (chain, key) = self.signed(name, year);
        ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key).unwrap()
    }

    /// The same, that asks for a certificate of ours.
    pub(crate) fn asking(&self, name: &str, optional: bool) -> ServerConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).unwrap();
        let verifier = WebPkiClientVerifier::builder(Arc::new(roots));
        let verifier = if optional { verifier.allow_unauthenticated() } else { verifier };
        let (chain, key) = self.signed(name, 2999);
        let config = ServerConfig::builder().with_client_cert_verifier(verifier.build().unwrap());
        config.with_single_cert(chain, key).unwrap()
    }

    pub(crate) fn signed(&self, name: &str, year: i32) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.not_before = date_time_ymd(2000, 1, 1);
        params.not_after = date_time_ymd(year, 12, 31);
        let certificate = params.signed_by(&key, &self.issuer).unwrap().into();
        (vec![certificate], PrivateKeyDer::Pkcs8(key.serialize_der().into()))
    }

    /// Its certificate, in a folder that stays.
    pub(crate) fn known_elsewhere(self) -> Tls {
        let known = self.known();
        let _stays = self.folder.keep();
        known
    }
}

/// A server behind TLS.
pub(crate) struct Secured {
    server: Server,
    /// For each connection, whether we showed a certificate.
    shown: Arc<Mutex<Vec<bool>>>,
}

impl Deref for Secured {
    type Target = Server;

    fn deref(&self) -> &Server {
        &self.server
    }
}

impl Secured {
    pub(crate) async fn start(
        config: ServerConfig,
        handler: impl Fn(&Request) -> Reply + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let secured = Self { server: Server::at(listener.local_addr().unwrap()), shown: Arc::default() };
        let (server, shown) = (secured.server.clone(), Arc::clone(&secured.shown));
        let (acceptor, handler) = (TlsAcceptor::from(Arc::new(config)), Arc::new(handler) as Handler);
        let accepting = task::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // A client that does not believe the certificate has hung up.
                let Ok(mut stream) = acceptor.accept(stream).await else { continue };
                shown.lock().unwrap().push(stream.get_ref().1.peer_certificates().is_some());
                let (server, handler) = (server.clone(), Arc::clone(&handler));
                task::spawn(async move {
                    if let Some(Then::Reset) = server.serve(&mut stream, &handler).await {
                        stream.get_ref().0.set_zero_linger().unwrap();
                    }
                });
            }
        });
        secured.accepts_by(accepting.abort_handle());
        secured
    }

    pub(crate) fn secure_url(&self, host: &str, path: &str) -> String {
        format!("https://{host}:{}{path}", self.address.port())
    }

    pub(crate) fn shown(&self) -> Vec<bool> {
        self.shown.lock().unwrap().clone()
    }
}
