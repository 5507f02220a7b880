//! The sources against real servers, where this machine has them, and against servers that misbehave.
#![cfg(any(feature = "redis", feature = "s3"))]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests fail by panicking")]

#[path = "../support/mod.rs"]
mod support;

#[cfg(feature = "redis")]
mod redis;
#[cfg(feature = "s3")]
mod s3;
