//! The admin port: probes for the kubelet, numbers for Prometheus.
//!
//! It runs in an operating system thread of its own, with a runtime of its own, so that a probe
//! never waits behind a request: a busy data plane is not an unhealthy one. What tells the two
//! apart is the [`Heartbeat`], which only a data plane that still turns can beat.
//!
//! | path | 200 when | 503 when |
//! | --- | --- | --- |
//! | `/health/startup` | started once | not yet |
//! | `/health/live` | the data plane's heart beats | it has not for 10 seconds |
//! | `/health/ready`, `/ready`, `/health` | work can be taken | starting, draining, or with a reason |
//! | `/metrics` | always | |
//!
//! The port answers until the process ends, also while it drains: a liveness probe that failed then
//! would have the kubelet cut short what is being finished.

mod health;
mod server;

pub use health::{Heartbeat, Readiness, Verdict};

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread;

use http::StatusCode;
use serde_json::{Map, Value};
use tokio::runtime::Builder;

use crate::metrics::Metrics;
use crate::net::Incoming;

/// An answer of an added route: status, content type, body.
pub type Reply = (StatusCode, &'static str, String);

type Details = dyn Fn() -> Map<String, Value> + Send + Sync;
type Route = dyn Fn() -> Reply + Send + Sync;

/// What the admin port answers from.
pub struct Admin {
    readiness: Readiness,
    heartbeat: Heartbeat,
    metrics: Metrics,
    details: Option<Box<Details>>,
    routes: BTreeMap<String, Box<Route>>,
}

impl Admin {
    /// An admin port with the paths above.
    #[must_use]
    pub fn new(readiness: Readiness, heartbeat: Heartbeat, metrics: Metrics) -> Self {
        Self { readiness, heartbeat, metrics, details: None, routes: BTreeMap::new() }
    }

    /// Adds fields to the body of every readiness answer, beside `status` and `reason`. It is
    /// called for each probe, so it must only read what is at hand.
    #[must_use]
    pub fn details(mut self, details: impl Fn() -> Map<String, Value> + Send + Sync + 'static) -> Self {
        self.details = Some(Box::new(details));
        self
    }

    /// Adds a path that answers GET and HEAD. A path of ours cannot be replaced.
    #[must_use]
    pub fn route(mut self, path: impl Into<String>, reply: impl Fn() -> Reply + Send + Sync + 'static) -> Self {
        self.routes.insert(path.into(), Box::new(reply));
        self
    }

    /// Answers on these listeners (see [`crate::net::Listen::bind`]) from now until the process
    /// ends.
    ///
    /// # Errors
    ///
    /// When the operating system refuses the thread or what its runtime needs.
    pub fn serve(self, listeners: Vec<TcpListener>) -> io::Result<Serving> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let incoming = {
            let _entered = runtime.enter();
            Incoming::new(listeners)?
        };
        let addresses = incoming.addresses();
        thread::Builder::new()
            .name("admin".to_owned())
            .spawn(move || runtime.block_on(server::serve(Arc::new(self), incoming)))?;
        Ok(Serving { addresses })
    }
}

impl fmt::Debug for Admin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admin")
            .field("readiness", &self.readiness)
            .field("routes", &self.routes.keys())
            .finish_non_exhaustive()
    }
}

/// An admin port that answers. Dropping this does not stop it.
#[derive(Clone, Debug)]
pub struct Serving {
    addresses: Vec<SocketAddr>,
}

impl Serving {
    /// Where it answers, with the ports the kernel picked.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }
}
