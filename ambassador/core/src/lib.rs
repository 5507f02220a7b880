//! What the ambassador decides: translation between the published LLM APIs, routing, and failover.
//!
//! Nothing here opens a socket, reads a clock or draws global randomness; the manifest holds no crate that could.
//! Time arrives as an argument and decisions leave as values.
#![warn(missing_docs)]
#![cfg_attr(not(test), warn(clippy::indexing_slicing))]

pub mod catalog;
pub mod chat;
pub mod dialect;
pub mod exchange;
pub mod failover;
pub mod provider;
pub mod relay;
pub mod route;
pub mod sse;
pub mod timeouts;
pub mod wire;
