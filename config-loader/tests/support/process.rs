//! A real server as a child process, its certificate, and a fetch that is given up.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use chassis::config::Environment;
use chassis::tls::Roots;
use config_loader::source::{Limits, Source};
use rcgen::{CertificateParams, KeyPair};
use rustix::process::{Pid, Signal, kill_process};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use tempfile::TempDir;
use tokio::time::timeout;

/// Longer than anything takes that works.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Killed when it is dropped.
pub(crate) struct Server(Child);

impl Server {
    /// Starts a server and waits until it listens.
    pub(crate) fn start(command: &mut Command, address: SocketAddr) -> Self {
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let mut server = Self(child);
        for _ in 0..PATIENCE.as_millis() / 20 {
            if TcpStream::connect(address).is_ok() {
                return server;
            }
            assert!(server.0.try_wait().unwrap().is_none(), "{command:?} has ended");
            thread::sleep(Duration::from_millis(20));
        }
        panic!("{command:?} does not listen on {address}");
    }

    /// It does nothing more, and its connections stand.
    pub(crate) fn pause(&self) {
        kill_process(Pid::from_child(&self.0), Signal::STOP).unwrap();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A program in the target folder's `moto/bin`, where the continuous integration puts it, or on the `PATH`.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    // The test stands in target/debug/deps.
    let target = std::env::current_exe().unwrap().ancestors().nth(3).unwrap().join("moto/bin");
    let path = Environment::from_process().get("PATH").unwrap_or_default().to_owned();
    let mut all = std::iter::once(target).chain(std::env::split_paths(&path));
    all.find_map(|folder| Some(folder.join(name)).filter(|program| program.is_file()))
}

/// Sends all of it, and reads until the other side closes.
pub(crate) fn say(address: SocketAddr, text: &(impl AsRef<[u8]> + ?Sized)) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(text.as_ref()).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

/// A certificate for `localhost` that has signed itself, and its key.
pub(crate) struct Certificate {
    dir: TempDir,
}

impl Certificate {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(["localhost".to_owned()]).unwrap().self_signed(&key).unwrap();
        fs::write(dir.path().join("certificate.pem"), certificate.pem()).unwrap();
        fs::write(dir.path().join("key.pem"), key.serialize_pem()).unwrap();
        Self { dir }
    }

    pub(crate) fn certificate(&self) -> String {
        self.dir.path().join("certificate.pem").to_str().unwrap().to_owned()
    }

    pub(crate) fn key(&self) -> String {
        self.dir.path().join("key.pem").to_str().unwrap().to_owned()
    }

    pub(crate) fn for_servers(&self) -> (CertificateDer<'static>, PrivateKeyDer<'static>) {
        let chain = CertificateDer::from_pem_file(self.certificate()).unwrap();
        (chain, PrivateKeyDer::from_pem_file(self.key()).unwrap())
    }

    /// Nobody else is trusted.
    pub(crate) fn roots(&self) -> Roots {
        Roots::of(&Environment::from_pairs([("SSL_CERT_FILE", self.certificate())]))
    }
}

/// Gives up on a source whose server never answers: the server sees the connection close.
pub(crate) async fn given_up(source: &dyn Source, limits: Limits, server: JoinHandle<String>) {
    let fetch = timeout(Duration::from_millis(300), source.fetch(limits)).await;
    assert!(fetch.is_err(), "it has not waited");
    let closed = tokio::task::spawn_blocking(|| server.join().unwrap());
    timeout(PATIENCE, closed).await.unwrap().unwrap();
}
