//! The context-sidecar: what an agent asks before it builds a prompt.

#![warn(missing_docs)]

pub mod store;
