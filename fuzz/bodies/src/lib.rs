//! What the fuzzer asks of the code, one function a target: it takes any bytes and panics where a promise is broken.
//!
//! They are here, apart from the fuzzer that wants a nightly compiler, so that an ordinary test can ask the same of the
//! seeds. What the fuzzer finds becomes a seed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a fuzz target tells what it found by panicking"
)]

mod configuration;
mod provider_roundtrip;
mod sse_decode;

pub use self::{configuration::configuration, provider_roundtrip::provider_roundtrip, sse_decode::sse_decode};
