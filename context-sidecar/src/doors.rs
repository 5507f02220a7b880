//! Doors for clients that speak another language already: the same pipeline with the same rankings, in their words. A door
//! is one file, with its routes in it.

pub(crate) mod mcp;
pub(crate) mod openai;
