//! The config-loader: an init container that brings an agent's prompt, tools and guardrails into a directory, whole and
//! checked, or says why not.
//!
//! The way of a set, always downward: [`settings`] (what is wanted) -> [`source`] (fetched, in parallel) -> [`check`]
//! (pure: bytes in, bytes or a reason out) -> `publish` (all of it at once). What is decided is decided without IO.

pub mod assemble;
pub mod check;
pub mod diff;
pub mod failure;
pub mod fetch;
pub mod file;
pub mod manifest;
pub mod publish;
pub mod report;
pub mod settings;
pub mod source;
pub mod sources;
