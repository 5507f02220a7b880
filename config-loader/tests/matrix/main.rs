//! Each source and each fault, as the binary tells it: the number it ends with, the line that says what, where and what
//! to do, and that what was published before stands. A file here is a source; `content` and `target` go wrong in the
//! same way whatever the source is.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test may fail by panicking, and stands outside"
)]

mod bare;
mod case;
mod confined;
mod content;
mod drop_in;
mod file;
mod http;
mod https;
mod inline;
mod pod;
#[cfg(feature = "redis")]
mod redis;
#[cfg(feature = "s3")]
mod s3;
mod set;
mod site;
#[path = "../support/mod.rs"]
mod support;
mod target;
mod web;
