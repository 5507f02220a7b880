//! What the command lines of our binaries have in common.
//!
//! The images have no shell and no `curl`, so a probe that has to be a command is the binary
//! itself: `ambassador healthcheck`.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{Parser, ValueEnum};

use crate::exit::Code;
use crate::net::parse_listen;
use crate::{clock, output};

/// All of a health check: connecting, asking, and the first line of the answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// Long enough for any status line.
const STATUS_LINE: usize = 256;

/// The probes of the admin port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Probe {
    /// The process turns.
    Live,
    /// It takes requests.
    Ready,
    /// It has started.
    Startup,
}

impl Probe {
    /// Where the probe is asked.
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Self::Live => "/health/live",
            Self::Ready => "/health/ready",
            Self::Startup => "/health/startup",
        }
    }
}

/// The command line of this process, or how to exit instead. What there is to say about it is printed.
///
/// # Errors
/// [`Code::Usage`] when it makes no sense, [`Code::Ok`] when help or the version was asked for.
pub fn parse<C: Parser>() -> Result<C, Code> {
    C::try_parse().map_err(|error| {
        let text = error.to_string();
        // Help and the version come as errors, too, but they are what was asked for.
        if error.use_stderr() {
            output::complain(text.trim_end());
            Code::Usage
        } else {
            output::line(text.trim_end());
            Code::Ok
        }
    })
}

/// Asks `path` of the process that listens on `address`, and prints one line about the answer.
///
/// `address` is written as for [`parse_listen`]; "every address" is asked through the loopback. The
/// exit code is 0 when the answer is 200, 1 when it is anything else or none comes within 2
/// seconds, and [`Code::Usage`] when `address` cannot be read.
#[must_use]
pub fn healthcheck(address: &str, path: &str) -> ExitCode {
    let listen = match parse_listen(address) {
        Ok(listen) => listen,
        Err(error) => {
            output::complain(error);
            return Code::Usage.into();
        }
    };
    let deadline = clock::now() + PATIENCE;
    match ask_any(&listen.reachable_at(), path, deadline) {
        Ok(200) => {
            output::line(format_args!("{address}{path}: ok"));
            Code::Ok.into()
        }
        Ok(status) => {
            output::complain(format_args!("{address}{path}: status {status}"));
            ExitCode::FAILURE
        }
        Err(error) => {
            output::complain(format_args!("{address}{path}: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// The status of the first address that answers.
fn ask_any(addresses: &[SocketAddr], path: &str, deadline: Instant) -> io::Result<u16> {
    let mut first_error = None;
    for address in addresses {
        match ask(*address, path, deadline) {
            Ok(status) => return Ok(status),
            Err(error) => first_error = first_error.or(Some(error)),
        }
    }
    Err(first_error.unwrap_or_else(|| io::ErrorKind::AddrNotAvailable.into()))
}

fn ask(address: SocketAddr, path: &str, deadline: Instant) -> io::Result<u16> {
    let mut stream = TcpStream::connect_timeout(&address, left(deadline)?)?;
    stream.set_write_timeout(Some(left(deadline)?))?;
    write!(stream, "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n")?;
    let mut answer = Vec::new();
    while !answer.contains(&b'\n') && answer.len() < STATUS_LINE {
        stream.set_read_timeout(Some(left(deadline)?))?;
        let mut chunk = [0; STATUS_LINE];
        let read = stream.read(&mut chunk).map_err(readable)?;
        if read == 0 {
            break;
        }
        answer.extend(chunk.iter().take(read));
    }
    status(&answer).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "the answer is not HTTP"))
}

fn status(answer: &[u8]) -> Option<u16> {
    let line = String::from_utf8_lossy(answer);
    let mut words = line.lines().next()?.split(' ');
    words.next().filter(|version| version.starts_with("HTTP/1."))?;
    words.next()?.parse().ok()
}

fn left(deadline: Instant) -> io::Result<Duration> {
    match deadline.saturating_duration_since(clock::now()) {
        Duration::ZERO => Err(too_late()),
        left => Ok(left),
    }
}

/// A read that runs into its timeout says "resource temporarily unavailable", which helps nobody.
fn readable(error: io::Error) -> io::Error {
    if error.kind() == io::ErrorKind::WouldBlock { too_late() } else { error }
}

fn too_late() -> io::Error {
    io::Error::new(io::ErrorKind::TimedOut, "no answer in time")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_status_line() {
        assert_eq!(status(b"HTTP/1.1 200 OK\r\n"), Some(200));
        assert_eq!(status(b"HTTP/1.1 503\r\nx"), Some(503));
        assert_eq!(status(b"SSH-2.0-OpenSSH\r\n"), None);
        assert_eq!(status(b""), None);
    }
}
