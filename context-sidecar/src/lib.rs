//! The context-sidecar: what an agent asks before it builds a prompt.

#![warn(missing_docs)]

pub mod answer;
pub mod breaker;
pub mod cache;
pub mod embed;
pub mod failure;
pub mod http;
pub mod question;
pub mod rerank;
pub mod store;
