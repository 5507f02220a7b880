//! The JSON of each published API, as far as it is read here.

pub mod anthropic;
pub mod envelope;
pub mod openai;
pub mod reason;
