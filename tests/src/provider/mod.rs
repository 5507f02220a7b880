//! A simulated model provider: OpenAI's and Anthropic's APIs on one port, with failures on demand.
//!
//! Written by hand over TCP, since what it is for cannot be said to an HTTP library: half an event and then a reset,
//! one byte a chunk, a content length that lies.
//!
//! - `script`: the failures that can be asked for, and the rules that say whom they befall
//! - `request`: bytes -> one HTTP/1.1 request
//! - `prompt`, `reply`: what is asked, in no dialect, and what such a model says to it
//! - `openai`, `anthropic`: both in the two dialects
//! - `connection`: one connection, request after request
//! - `delivery`: an answer onto the wire, with the failure that was asked for
//! - `journal`: what was received and what became of it
//! - `recipes`: scripts to send by hand

mod anthropic;
mod connection;
mod delivery;
mod journal;
mod openai;
mod prompt;
mod recipes;
mod reply;
mod request;
mod script;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};

pub use journal::{Journal, Seen};
pub use recipes::RECIPES;
pub use script::{Ending, Fault, Rule, Script, Step};

/// A provider that listens until it is dropped.
pub struct Provider {
    address: SocketAddr,
    world: Arc<World>,
    listening: JoinHandle<()>,
}

/// What all connections of a provider share.
struct World {
    script: Mutex<Script>,
    journal: Journal,
}

impl World {
    fn next_step(&self, key: &str, model: &str) -> Step {
        self.script.lock().unwrap_or_else(PoisonError::into_inner).next(key, model)
    }
}

impl Provider {
    /// Listens on a free port of loopback.
    pub async fn start() -> io::Result<Self> {
        Self::listen((Ipv4Addr::LOCALHOST, 0).into()).await
    }

    /// Listens on `address`.
    pub async fn listen(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let world = Arc::new(World { script: Mutex::default(), journal: Journal::default() });
        let listening = tokio::spawn(accept(listener, Arc::clone(&world)));
        Ok(Self { address, world, listening })
    }

    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// The base URL as Anthropic's SDK wants it.
    #[must_use]
    pub fn anthropic_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The base URL as OpenAI's SDK wants it.
    #[must_use]
    pub fn openai_url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// Puts a rule after those that there are.
    pub fn on(&self, rule: Rule) {
        self.world.script.lock().unwrap_or_else(PoisonError::into_inner).push(rule);
    }

    /// From here on every request is treated so.
    pub fn always(&self, step: impl Into<Step>) {
        self.on(Rule::always(step));
    }

    /// The next request is treated so, those after it are answered.
    pub fn once(&self, step: impl Into<Step>) {
        self.on(Rule::once(step));
    }

    /// What agents asked so far, in the order of arrival.
    #[must_use]
    pub fn seen(&self) -> Vec<Seen> {
        self.world.journal.seen()
    }

    /// Waits until the requests received so far satisfy `wanted`; after ten seconds gives back what there is.
    pub async fn seen_when(&self, wanted: impl Fn(&[Seen]) -> bool) -> Vec<Seen> {
        let patience = Instant::now() + Duration::from_secs(10);
        loop {
            let seen = self.seen();
            if wanted(&seen) || Instant::now() > patience {
                return seen;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

/// Takes connections; they live in the set and so end with it.
async fn accept(listener: TcpListener, world: Arc<World>) {
    let mut connections = JoinSet::new();
    let mut number = 0;
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                // A connection that was gone before it was taken, or no descriptor left: the next may do better.
                let Ok((stream, _)) = accepted else { continue };
                number += 1;
                connections.spawn(connection::serve(stream, number, Arc::clone(&world)));
            }
            Some(_) = connections.join_next() => {}
        }
    }
}
