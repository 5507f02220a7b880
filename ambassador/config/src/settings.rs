//! Settings that hold: whatever is in here has been checked.

use std::{collections::BTreeMap, time::Duration};

use ambassador_core::{catalog::Price, failover, provider::Provider, route::Router};
use chassis::{
    config::{Environment, Problems},
    secret::Secret,
    units::Span,
};

/// Everything that the ambassador is told.
#[derive(Debug)]
pub struct Settings {
    /// Where it listens, and how long it drains.
    pub listen: Listen,
    /// The providers, by the index that the router's candidates name.
    pub upstreams: Vec<Upstream>,
    /// Which models go where.
    pub router: Router,
    /// What one request may take.
    pub limits: Limits,
    /// Prices that override the built-in table, by the model's name.
    pub prices: BTreeMap<String, Price>,
}

/// A provider that can be asked.
#[derive(Debug)]
pub struct Upstream {
    /// Its name in the configuration.
    pub name: String,
    /// How it is spoken to.
    pub provider: &'static dyn Provider,
    /// Where it is: scheme, host and path prefix, without a slash at the end.
    pub base_url: String,
    /// The keys it may be asked with, none for an engine that wants none.
    pub keys: Vec<Secret>,
    /// Whether streams are asked to tell their usage.
    pub stream_usage: bool,
}

/// What one request may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Largest request body, in bytes.
    pub max_body: usize,
    /// Largest whole answer, in bytes.
    pub max_answer: usize,
    /// Requests served at once; more wait for a slot.
    pub max_in_flight: usize,
    /// How long a request waits for a slot before it is refused. With no time at all it is refused at once.
    pub queue_timeout: Duration,
    /// Attempts that one request may cost.
    pub attempts: u32,
    /// How long a client may take to send a request's headers, and may keep a connection without sending any. The
    /// default outlasts the pools of the usual clients (90 s and less), so that it is they who close idle connections.
    pub header_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_body: 32 * 1024 * 1024,
            max_answer: 64 * 1024 * 1024,
            max_in_flight: 4_096,
            queue_timeout: Duration::from_secs(30),
            attempts: failover::DEFAULT_ATTEMPTS,
            header_timeout: Duration::from_secs(120),
        }
    }
}

/// Where to listen and how to end; from the environment alone, since the pod decides it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listen {
    /// `AMBASSADOR_LISTEN`, for the agent. The default is port 7070 of loopback.
    pub data: String,
    /// `AMBASSADOR_ADMIN_LISTEN`, for probes and metrics.
    pub admin: String,
    /// `DRAIN_TIMEOUT`: how long requests in flight may take to end after SIGTERM.
    pub drain: Duration,
}

impl Listen {
    /// Where the agent finds us unless configured.
    pub const DATA: &'static str = "127.0.0.1:7070";
    /// Where probes find us unless configured.
    pub const ADMIN: &'static str = "0.0.0.0:7071";
    /// Leaves time, within the pattern's grace period of 120 s, for what stops before a sidecar does.
    pub const DRAIN: Duration = Duration::from_secs(100);

    /// What `environment` says.
    pub(crate) fn from(environment: &Environment, problems: &mut Problems) -> Self {
        let address = |name: &str, default: &str, problems: &mut Problems| {
            let text = environment.get(name).unwrap_or(default);
            if let Err(error) = chassis::net::parse_listen(text) {
                problems.push(name, error.to_string());
            }
            text.to_owned()
        };
        let data = address("AMBASSADOR_LISTEN", Self::DATA, problems);
        let admin = address("AMBASSADOR_ADMIN_LISTEN", Self::ADMIN, problems);
        let port = |text: &str| chassis::net::parse_listen(text).map(chassis::net::Listen::port).unwrap_or_default();
        if port(&data) != 0 && port(&data) == port(&admin) {
            problems.push("AMBASSADOR_ADMIN_LISTEN", "has the port of AMBASSADOR_LISTEN; the two need one each");
        }
        let drain = match environment.get("DRAIN_TIMEOUT").map(str::parse::<Span>) {
            None => Self::DRAIN,
            Some(Ok(span)) => span.into(),
            Some(Err(error)) => {
                problems.push("DRAIN_TIMEOUT", error.to_string());
                Self::DRAIN
            }
        };
        Self { data, admin, drain }
    }
}
