//! What stands on the other side in these tests: servers that misbehave as they are told, real ones, and TLS.
#![allow(dead_code, reason = "each of the tests that share it uses a part of it")]

pub(crate) mod http;
pub(crate) mod process;
pub(crate) mod scripted;
pub(crate) mod tls;
