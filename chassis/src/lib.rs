//! How any of our processes lives.
//!
//! Four binaries share one way of being started, configured, watched and stopped. This crate is
//! that way, and nothing else: it knows no language model, no Qdrant and no Redis. A process built
//! on it tells its life in order:
//!
//! 1. [`config::Environment::from_process`] takes the environment, once;
//! 2. [`telemetry::init`] starts the logs, and the traces where a collector is named;
//! 3. [`config::parse_yaml`] turns the file into a value, or into every problem with it at once;
//! 4. [`net::Listen`] binds the sockets, before anything claims to be healthy;
//! 5. [`admin::Admin`] answers the probes and the scrapes, on a thread of its own;
//! 6. [`task::runtime`] runs the data plane until [`shutdown::Signals`] begins the
//!    [`shutdown::Drain`];
//! 7. [`exit::Code`] says how it ended.
//!
//! What the process would otherwise read from the world (the environment, the time) is read here
//! and passed on as an argument, so that the crates above can be pure.

#![warn(missing_docs)]

pub mod admin;
pub mod causes;
pub mod cli;
pub mod clock;
pub mod config;
pub mod config_set;
pub mod excerpt;
pub mod exit;
pub mod metrics;
pub mod net;
pub mod output;
pub mod secret;
pub mod shutdown;
pub mod task;
pub mod telemetry;
pub mod tls;
pub mod units;
