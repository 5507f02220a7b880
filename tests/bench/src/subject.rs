//! What is measured: a way to the upstream, straight or through a gateway.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::thread;
use std::time::Duration;

use anyhow::bail;

use crate::child::Part;
use crate::clock::{self, MILLISECOND, SECOND};
use crate::load::{Ask, SAYS_HELLO};

pub(crate) struct Subject {
    pub(crate) name: &'static str,
    pub(crate) title: String,
    /// Where to ask.
    pub(crate) port: u16,
    /// How to start it; nothing for the upstream itself, which runs already.
    pub(crate) gateway: Option<Gateway>,
}

pub(crate) struct Gateway {
    pub(crate) command: Command,
    pub(crate) log: PathBuf,
}

impl Subject {
    pub(crate) fn direct(upstream: u16) -> Self {
        Self { name: "direct", title: "direct".to_owned(), port: upstream, gateway: None }
    }
}

impl Gateway {
    /// Starts it on `core`; the second value is milliseconds from its exec to its first answered request.
    pub(crate) fn start(&self, core: usize, port: u16) -> anyhow::Result<(Part, f64)> {
        let (mut part, exec_at) = Part::theirs(&self.command, core, &self.log)?;
        let patience = exec_at + 10 * SECOND;
        while !answers(port) {
            if part.has_ended() || clock::now() > patience {
                let log = std::fs::read_to_string(&self.log).unwrap_or_default();
                bail!("{:?} does not answer; it said: {}", self.command.get_program(), log.trim());
            }
            thread::sleep(Duration::from_micros(100));
        }
        let took = clock::now() - exec_at;
        Ok((part, took as f64 / MILLISECOND as f64))
    }
}

/// Whether a whole request gets the upstream's own answer.
fn answers(port: u16) -> bool {
    let Ok(mut stream) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) else {
        return false;
    };
    let asked =
        stream.set_read_timeout(Some(Duration::from_secs(1))).and_then(|()| stream.write_all(&Ask::whole(port).0));
    let (mut answer, mut piece) = (Vec::new(), [0; 4_096]);
    while asked.is_ok()
        && let Ok(count @ 1..) = stream.read(&mut piece)
    {
        answer.extend_from_slice(&piece[..count]);
        if answer.windows(SAYS_HELLO.len()).any(|window| window == SAYS_HELLO.as_bytes()) {
            return true;
        }
    }
    false
}

/// A port that nobody listens on.
pub(crate) fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}
