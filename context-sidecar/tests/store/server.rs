//! A Qdrant: the one that `QDRANT_URL` names, or a stand-in as a child process.

use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use chassis::config::Environment;
use chassis::tls::Roots;
use context_sidecar::store::qdrant::{Indexed, Qdrant, Settings};
use e2e::harness::free_port;

use crate::data::Names;

pub(crate) const ABSENT: &str = "there is neither QDRANT_URL nor ../shared/retrieval/fake_qdrant.py with a Python that has \
                                 qdrant-client (python3 -m venv target/qdrant; target/qdrant/bin/pip install qdrant-client)";

/// Longer than anything takes that works.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Runs the script that it is given. A head and a body are two writes of it: with Nagle's algorithm the second would wait
/// for the delayed ACK of the first, 40 ms an answer.
const WITHOUT_DELAY: &str = "import runpy, socketserver, sys
socketserver.StreamRequestHandler.disable_nagle_algorithm = True
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name='__main__')";

/// A server, killed when it is dropped if it is ours.
pub(crate) struct Server {
    child: Option<Child>,
    url: String,
    key_file: Option<PathBuf>,
}

impl Server {
    pub(crate) fn start() -> Option<Self> {
        let environment = Environment::from_process();
        if let Some(url) = environment.get("QDRANT_URL") {
            let key_file = environment.get("QDRANT_API_KEY_FILE").map(PathBuf::from);
            return Some(Self { child: None, url: url.to_owned(), key_file });
        }
        Self::stand_in(free_port(), &[])
    }

    /// The stand-in, at an address, with more arguments.
    pub(crate) fn stand_in(address: SocketAddr, arguments: &[&str]) -> Option<Self> {
        let (python, script) = (python()?, e2e::process::root().parent()?.join("shared/retrieval/fake_qdrant.py"));
        if !script.is_file() {
            return None;
        }
        let mut command = Command::new(python);
        command.args(["-c", WITHOUT_DELAY]).arg(script).arg(address.port().to_string()).args(arguments);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        for _ in 0..PATIENCE.as_millis() / 20 {
            if TcpStream::connect(address).is_ok() {
                return Some(Self { child: Some(child), url: format!("http://{address}"), key_file: None });
            }
            assert!(child.try_wait().unwrap().is_none(), "{command:?} has ended");
            thread::sleep(Duration::from_millis(20));
        }
        panic!("{command:?} does not listen on {address}");
    }

    /// A client of it.
    pub(crate) fn store(&self) -> Qdrant {
        let indexes = [("lang", Indexed::Keyword), ("year", Indexed::Number), ("draft", Indexed::Bool)];
        let settings = Settings {
            url: self.url.clone(),
            api_key_file: self.key_file.clone(),
            indexes: indexes.map(|(key, kind)| (key.to_owned(), kind)).to_vec(),
            ..Settings::default()
        };
        Qdrant::new(settings, &Roots::default()).unwrap()
    }

    pub(crate) fn url(&self) -> String {
        self.url.clone()
    }

    /// Drops what a case has made.
    pub(crate) async fn tidy(&self, names: &Names) {
        let client =
            reqwest::Client::builder().tls_backend_preconfigured(Roots::default().client(true)).build().unwrap();
        let key = self.key_file.as_ref().map(|path| std::fs::read_to_string(path).unwrap().trim().to_owned());
        for name in names.given() {
            let url = format!("{}/collections/{}", self.url.trim_end_matches('/'), name.as_str());
            let _ = client.delete(url).header("api-key", key.as_deref().unwrap_or_default()).send().await;
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// A Python with the client, where the continuous integration puts it: the test stands in target/debug/deps.
fn python() -> Option<PathBuf> {
    let python = std::env::current_exe().unwrap().ancestors().nth(3)?.join("qdrant/bin/python");
    python.is_file().then_some(python)
}
