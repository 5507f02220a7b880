//! Whether what was fetched is what it should be. Pure: bytes in, bytes to publish or a [`Failure`] out.
//!
//! [`Failure`]: crate::failure::Failure

pub mod ambassador;
pub mod digest;
pub mod json;
mod problems;
pub mod signature;
pub mod target;
pub mod template;
pub mod text;
pub mod tokens;
pub mod tools;
pub mod yaml;
