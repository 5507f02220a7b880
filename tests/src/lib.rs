//! The outside world of Outrigger: what an agent, a model provider and a kubelet are to its binaries.
//!
//! Nothing here imports a product crate. Everything is told through sockets, files, signals and processes, so that
//! the tests hold for whatever stands behind those.
#![allow(
    clippy::disallowed_methods,
    reason = "the outside world reads the clock and the environment and starts tasks by itself: it is what the products are shielded from"
)]

pub mod agent;
pub mod harness;
pub mod http;
pub mod metrics;
pub mod pod;
pub mod port;
pub mod process;
pub mod provider;
pub mod skip;
pub mod store;
