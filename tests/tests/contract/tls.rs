//! A provider whose certificate is of a network's own authority.

use std::net::Ipv4Addr;
use std::sync::Arc;

use e2e::harness::Setup;
use e2e::provider::Provider;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::support::{MODEL, assert_clean, error_of, text_of};

/// Speaks TLS in front of `provider` as `localhost`: at which port, and the certificate of the authority behind it.
async fn in_front_of(provider: &Provider) -> (u16, String) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, "an authority of the tests");
    let authority = params.self_signed(&key).unwrap().pem();
    let issuer = Issuer::new(params, key);
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(["localhost".to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    let key = PrivateKeyDer::Pkcs8(key.serialize_der().into());
    let server = ServerConfig::builder().with_no_client_auth();
    let server = server.with_single_cert(vec![CertificateDer::from(certificate)], key).unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(server));

    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let provider = provider.address();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let accepting = acceptor.accept(stream);
            tokio::spawn(async move {
                // Whoever does not believe the certificate hangs up.
                let Ok(mut outside) = accepting.await else { return };
                let mut inside = TcpStream::connect(provider).await.unwrap();
                let _ = copy_bidirectional(&mut outside, &mut inside).await;
            });
        }
    });
    (port, authority)
}

#[tokio::test]
async fn it_is_believed_where_ssl_cert_file_names_its_authority() {
    let provider = Provider::start().await.unwrap();
    let (port, authority) = in_front_of(&provider).await;
    let setup = || Setup::openai_alone(&provider).env("OPENAI_BASE_URL", format!("https://localhost:{port}/v1"));

    let (trusting, file) = setup().file("authority.pem", &authority);
    let ambassador = trusting.env("SSL_CERT_FILE", file.display().to_string()).start().await;
    assert!(text_of(&ambassador.agent().ask(MODEL, "hi").await.unwrap()).starts_with("You said: hi"));
    assert_clean(&ambassador.agent().ask_streamed(MODEL, "hi").await.unwrap().read().await);
    assert_eq!(provider.seen().len(), 2);

    let ambassador = setup().start().await;
    let answer = ambassador.agent().ask(MODEL, "hi").await.unwrap();
    assert_eq!(answer.status, 502, "{}", answer.text());
    let error = error_of(&answer);
    assert!(error["message"].as_str().unwrap().contains("certificate: UnknownIssuer"), "{error}");
    assert_eq!(provider.seen().len(), 2, "it was told nothing");
}
