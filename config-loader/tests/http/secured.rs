//! TLS: whom we trust, and by what we are known.

use std::{
    ops::Deref,
    path::Path,
    sync::{Arc, Mutex},
};

use chassis::{
    config::Environment,
    exit::Code::{Config, Denied, Unavailable},
    task,
};
use config_loader::{
    failure::Retry::{Never, Soon},
    file::Tls,
    source::http::{Http, HttpSettings},
};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use rustls::{
    RootCertStore, ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer},
    server::WebPkiClientVerifier,
};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::{
    assert_failure, failed, failure, fetch, fetched, file,
    server::{Handler, Reply, Request, Server},
    settings, source,
};

/// A certificate authority of the tests' own, and a folder for what it signs.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
    folder: TempDir,
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

    fn path(&self, name: &str) -> Option<String> {
        Some(self.folder.path().join(name).to_str().unwrap().to_owned())
    }

    /// Settings that trust it.
    pub(crate) fn trusted(&self) -> Tls {
        Tls { ca_file: self.path("ca.pem"), ..Tls::default() }
    }

    /// Settings that trust it, with a certificate that it signed.
    fn known(&self) -> Tls {
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

    fn until(&self, name: &str, year: i32) -> ServerConfig {
        let (chain, key) = self.signed(name, year);
        ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key).unwrap()
    }

    /// The same, that asks for a certificate of ours.
    fn asking(&self, name: &str, optional: bool) -> ServerConfig {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).unwrap();
        let verifier = WebPkiClientVerifier::builder(Arc::new(roots));
        let verifier = if optional { verifier.allow_unauthenticated() } else { verifier };
        let (chain, key) = self.signed(name, 2999);
        let config = ServerConfig::builder().with_client_cert_verifier(verifier.build().unwrap());
        config.with_single_cert(chain, key).unwrap()
    }

    fn signed(&self, name: &str, year: i32) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.not_before = date_time_ymd(2000, 1, 1);
        params.not_after = date_time_ymd(year, 12, 31);
        let certificate = params.signed_by(&key, &self.issuer).unwrap().into();
        (vec![certificate], PrivateKeyDer::Pkcs8(key.serialize_der().into()))
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
        task::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // A client that does not believe the certificate has hung up.
                let Ok(mut stream) = acceptor.accept(stream).await else { continue };
                shown.lock().unwrap().push(stream.get_ref().1.peer_certificates().is_some());
                let _done = server.serve(&mut stream, &handler).await;
            }
        });
        secured
    }

    fn secure_url(&self, host: &str, path: &str) -> String {
        format!("https://{host}:{}{path}", self.address.port())
    }

    fn shown(&self) -> Vec<bool> {
        self.shown.lock().unwrap().clone()
    }
}

fn with(tls: Tls, url: String) -> HttpSettings {
    HttpSettings { tls, ..settings(url) }
}

#[tokio::test]
async fn an_authority_of_ones_own_is_trusted_where_it_is_named() {
    let authority = Authority::new();
    let server = Secured::start(authority.server("localhost"), |_| Reply::ok("here")).await;
    let url = server.secure_url("localhost", "/a");
    assert_eq!(file(&fetched(&with(authority.trusted(), url.clone())).await), "here");
    let environment = Environment::from_pairs([("SSL_CERT_FILE", authority.path("ca.pem").unwrap())]);
    let http = Http::new(&settings(url), &environment).unwrap();
    assert_eq!(file(&fetch(&http).await.unwrap()), "here");
}

#[tokio::test]
async fn an_authority_that_nobody_named_is_not() {
    let authority = Authority::new();
    let server = Secured::start(authority.server("localhost"), |_| Reply::ok("here")).await;
    let url = server.secure_url("localhost", "/a");
    let says = "/a: TLS: invalid peer certificate: UnknownIssuer; name the authority that signed it with tls.ca_file";
    assert_failure(&failure(&settings(&url)).await, Unavailable, Never, says);
    // Nor where another one is named, which the environment's does not join.
    let other = Authority::new();
    let environment = Environment::from_pairs([("SSL_CERT_FILE", authority.path("ca.pem").unwrap())]);
    let http = Http::new(&with(other.trusted(), url), &environment).unwrap();
    assert_failure(&failed(&http).await, Unavailable, Never, "tls.ca_file");
    assert!(server.asked().is_empty());
}

#[tokio::test]
async fn a_certificate_for_another_name_or_of_another_time() {
    let authority = Authority::new();
    let other = Secured::start(authority.server("other.example"), |_| Reply::ok("here")).await;
    let failure_of = |server: &Secured| with(authority.trusted(), server.secure_url("localhost", "/a"));
    assert_failure(&failure(&failure_of(&other)).await, Unavailable, Never, "the certificate is for another name");
    let old = Secured::start(authority.until("localhost", 2001), |_| Reply::ok("here")).await;
    assert_failure(&failure(&failure_of(&old)).await, Unavailable, Never, "certificate is to be renewed");
}

#[tokio::test]
async fn a_server_that_wants_to_know_us() {
    let authority = Authority::new();
    let server = Secured::start(authority.asking("localhost", false), |_| Reply::ok("here")).await;
    let url = server.secure_url("localhost", "/a");
    assert_eq!(file(&fetched(&with(authority.known(), url.clone())).await), "here");
    assert_eq!(server.shown(), [true]);
    let says = "name tls.cert_file and tls.key_file";
    assert_failure(&failure(&with(authority.trusted(), url.clone())).await, Unavailable, Never, says);
    // Of the right form, but signed by somebody else.
    let stranger = Tls { ca_file: authority.path("ca.pem"), ..Authority::new().known_elsewhere() };
    assert_failure(&failure(&with(stranger, url)).await, Unavailable, Never, "check tls.cert_file");
}

impl Authority {
    /// Its certificate, in a folder that stays.
    fn known_elsewhere(self) -> Tls {
        let known = self.known();
        let _stays = self.folder.keep();
        known
    }
}

#[tokio::test]
async fn our_certificate_is_not_shown_to_another_server() {
    let authority = Authority::new();
    let other = Secured::start(authority.asking("localhost", true), |_| Reply::ok("here")).await;
    let target = other.secure_url("localhost", "/there");
    let server = Secured::start(authority.asking("localhost", true), move |_| Reply::redirect(&target)).await;
    fetched(&with(authority.known(), server.secure_url("localhost", "/a"))).await;
    assert_eq!((server.shown(), other.shown()), (vec![true], vec![false]));
}

#[tokio::test]
async fn a_redirect_that_gives_up_tls() {
    let authority = Authority::new();
    let plain = Server::answering(Reply::ok("here")).await;
    let target = plain.url("/there");
    let server = Secured::start(authority.server("localhost"), move |_| Reply::redirect(&target)).await;
    let refusing = with(authority.trusted(), server.secure_url("localhost", "/a"));
    let says = format!("/a: redirects from https to {}; allow_http_redirect", plain.url("/there"));
    assert_failure(&failure(&refusing).await, Denied, Never, &says);
    assert!(plain.asked().is_empty());
    let allowing = HttpSettings { allow_http_redirect: true, ..refusing };
    assert_eq!(file(&fetched(&allowing).await), "here");
}

#[tokio::test]
async fn a_redirect_to_tls_is_trusted_as_the_settings_say() {
    let authority = Authority::new();
    let server = Secured::start(authority.server("localhost"), |_| Reply::ok("here")).await;
    let plain = Server::answering(Reply::redirect(server.secure_url("localhost", "/"))).await;
    assert_eq!(file(&fetched(&with(authority.trusted(), plain.url("/"))).await), "here");
    assert_failure(&failure(&settings(plain.url("/"))).await, Unavailable, Never, "tls.ca_file");
}

#[tokio::test]
async fn no_tls_where_tls_is_due_and_the_other_way_round() {
    let plain = Server::answering(Reply::raw("HTTP/1.1 400 Bad Request\r\n\r\n")).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    task::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            use tokio::io::{AsyncReadExt, AsyncWriteExt};
            let _hello = stream.read(&mut [0; 4096]).await;
            let _said = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        }
    });
    let failed = failure(&settings(format!("https://localhost:{port}/a"))).await;
    assert_failure(&failed, Unavailable, Soon, "if no TLS is spoken at that port, write http://");
    drop(plain);

    let authority = Authority::new();
    let secured = Secured::start(authority.server("localhost"), |_| Reply::ok("here")).await;
    assert_failure(&failure(&settings(secured.url("/a"))).await, Unavailable, Soon, "whether HTTP is spoken");
}

#[tokio::test]
async fn files_that_are_no_certificates() {
    let authority = Authority::new();
    let known = authority.known();
    let server = Secured::start(authority.server("localhost"), |_| Reply::ok("here")).await;
    let empty = authority.path("empty.pem");
    std::fs::write(Path::new(empty.as_ref().unwrap()), "secret\n").unwrap();
    let other = Authority::new().known_elsewhere();
    let nowhere = Some("/nowhere.pem".to_owned());
    for (tls, says) in [
        (Tls { ca_file: nowhere.clone(), ..known.clone() }, "/nowhere.pem: cannot be read: No such file"),
        (Tls { ca_file: empty.clone(), ..known.clone() }, "empty.pem: has no certificate in PEM format in it"),
        (Tls { cert_file: empty.clone(), ..known.clone() }, "empty.pem: has no certificate in PEM format in it"),
        (Tls { key_file: nowhere, ..known.clone() }, "/nowhere.pem: cannot be read: No such file"),
        (Tls { key_file: empty, ..known.clone() }, "empty.pem: has no private key in PEM format in it"),
        (Tls { key_file: other.key_file, ..known.clone() }, "are to be a certificate and its own key"),
    ] {
        let failure = failure(&with(tls, server.secure_url("localhost", "/"))).await;
        assert_failure(&failure, Config, Never, says);
    }
    // It is read again each time.
    let http = source(&with(known, server.secure_url("localhost", "/")));
    fetch(&http).await.unwrap();
    std::fs::remove_file(authority.folder.path().join("client.key")).unwrap();
    assert_failure(&failed(&http).await, Config, Never, "client.key: cannot be read");
}
