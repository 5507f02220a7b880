//! Whether what was fetched is what it should be. Pure: bytes in, bytes to publish or a [`Failure`] out.
//!
//! [`Failure`]: crate::failure::Failure
