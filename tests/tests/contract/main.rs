//! The contract of the binaries, held from outside: real processes, real sockets, real signals.
//!
//! One crate, so that it is linked once; one file a theme.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and it stands outside, where clocks are read and tasks started"
)]

mod admin;
mod collector;
mod config;
mod disconnect;
mod exhausted;
mod failover;
mod hostile;
mod input;
mod keys;
mod library;
mod lifecycle;
mod metrics;
mod nodelay;
mod pod;
mod secrecy;
mod set;
mod simulated;
mod start;
mod streams;
mod support;
mod timeouts;
mod tls;
mod told;
mod traces;
mod translation;
