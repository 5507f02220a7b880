//! The context-sidecar: what an agent asks before it builds a prompt.

#![warn(missing_docs)]

pub mod breaker;
pub mod cache;
pub mod embed;
pub mod http;
pub mod rerank;
pub mod store;
