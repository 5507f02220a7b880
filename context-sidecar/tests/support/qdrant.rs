//! A stand-in for Qdrant, made of the official client's local mode, as a child process.

use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

/// Runs the script that it is given. A head and a body are two writes of it: with Nagle's algorithm the second would wait
/// for the delayed ACK of the first, 40 ms an answer.
const WITHOUT_DELAY: &str = "import runpy, socketserver, sys
socketserver.StreamRequestHandler.disable_nagle_algorithm = True
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name='__main__')";

/// Longer than it takes to start.
const PATIENCE: Duration = Duration::from_secs(60);

/// A stand-in, killed when it is dropped.
pub(crate) struct StandIn(Child);

impl StandIn {
    /// One at an address, with more arguments; `None` where there is no Python with the client, or no script.
    pub(crate) fn start(address: SocketAddr, arguments: &[&str]) -> Option<Self> {
        let (python, script) = (python()?, e2e::process::root().parent()?.join("shared/retrieval/fake_qdrant.py"));
        if !script.is_file() {
            return None;
        }
        let mut command = Command::new(python);
        command.args(["-c", WITHOUT_DELAY]).arg(script).arg(address.port().to_string()).args(arguments);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        for _ in 0..PATIENCE.as_millis() / 20 {
            if TcpStream::connect(address).is_ok() {
                return Some(Self(child));
            }
            assert!(child.try_wait().unwrap().is_none(), "{command:?} has ended");
            thread::sleep(Duration::from_millis(20));
        }
        panic!("{command:?} does not listen on {address}");
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A Python with the client, where the continuous integration puts it: the test stands in target/debug/deps.
fn python() -> Option<PathBuf> {
    let python = std::env::current_exe().unwrap().ancestors().nth(3)?.join("qdrant/bin/python");
    python.is_file().then_some(python)
}
