//! The config-loader: an init container that brings an agent's prompt, tools and guardrails into a directory, whole and
//! checked, or says why not.
//!
//! The way of a set, always downward: [`settings`] (what is wanted) -> [`gather`] (from each [`source`], in parallel) ->
//! [`assemble`] (pure: every [`check`], bytes in, bytes or a reason out) -> [`publish`] (all of it at once). Where a
//! source is down, [`cache`] gives what it gave the last time, and the rest of the way is the same ([`run`]).

pub mod assemble;
pub mod cache;
pub mod check;
pub mod diff;
pub mod failure;
pub mod fetch;
pub mod file;
pub mod gather;
pub mod manifest;
pub mod progress;
pub mod publish;
pub mod reach;
pub mod report;
pub mod run;
pub mod settings;
pub mod source;
pub mod sources;
pub mod stage;
