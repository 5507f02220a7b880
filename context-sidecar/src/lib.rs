//! The context-sidecar: what an agent asks before it builds a prompt.

#![warn(missing_docs)]

pub mod answer;
pub mod api;
pub mod assemble;
mod body;
pub mod breaker;
pub mod cache;
pub mod config;
pub mod conversations;
mod doors;
pub mod embed;
pub mod failure;
pub mod files;
pub mod health;
pub mod http;
pub mod ingest;
pub mod metrics;
mod object;
pub mod pipeline;
pub mod question;
pub mod rerank;
pub mod scope;
pub mod server;
pub mod store;
mod trace;
pub mod wishes;
