//! A server of one connection that says what it was told to say, whatever it hears.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::process::Certificate;

/// What comes after the last answer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    Close,
    /// Nothing more is said, until the other side closes.
    Hold,
}

/// Answers what it hears, read by read, with one of `answers`. The thread ends with the connection and all that was
/// heard.
pub(crate) fn scripted(answers: &[&str], then: Then) -> (SocketAddr, JoinHandle<String>) {
    let answers: Vec<String> = answers.iter().map(ToString::to_string).collect();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let heard = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut heard = Vec::new();
        let mut buffer = [0; 16 << 10];
        for answer in answers {
            let read = stream.read(&mut buffer).unwrap();
            heard.extend_from_slice(&buffer[..read]);
            stream.write_all(answer.as_bytes()).unwrap();
        }
        if then == Then::Hold {
            let _ = stream.read_to_end(&mut heard);
        }
        String::from_utf8_lossy(&heard).into_owned()
    });
    (address, heard)
}

/// Answers each connection in the same way, read by read, and goes on with the last piece, again and again with `pause`
/// between, until the other side has enough.
pub(crate) fn endless(answers: &[&str], piece: &'static [u8], pause: Duration) -> SocketAddr {
    each_connection(answers, move |stream| {
        while stream.write_all(piece).is_ok() {
            thread::sleep(pause);
        }
    })
}

/// Answers each connection in the same way, read by read, and closes it.
pub(crate) fn short(answers: &[&str]) -> SocketAddr {
    each_connection(answers, |_| ())
}

/// The thread that accepts ends with the process.
fn each_connection(answers: &[&str], after: impl Fn(&mut TcpStream) + Send + 'static) -> SocketAddr {
    let answers: Vec<String> = answers.iter().map(ToString::to_string).collect();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let heard = |stream: &mut TcpStream| stream.read(&mut [0; 16 << 10]).is_ok_and(|read| read > 0);
            if answers.iter().all(|answer| heard(&mut stream) && stream.write_all(answer.as_bytes()).is_ok()) {
                after(&mut stream);
            }
        }
    });
    address
}

/// Says one answer to one connection, over TLS.
pub(crate) fn scripted_over_tls(certificate: &Certificate, answer: String) -> (SocketAddr, JoinHandle<String>) {
    let (chain, key) = certificate.for_servers();
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(vec![chain], key).unwrap();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let address = listener.local_addr().unwrap();
    let heard = thread::spawn(move || {
        let (tcp, _) = listener.accept().unwrap();
        let mut stream = StreamOwned::new(ServerConnection::new(Arc::new(config)).unwrap(), tcp);
        let mut buffer = [0; 16 << 10];
        let read = stream.read(&mut buffer).unwrap();
        stream.write_all(answer.as_bytes()).unwrap();
        stream.flush().unwrap();
        String::from_utf8_lossy(&buffer[..read]).into_owned()
    });
    (address, heard)
}
