//! What the context-sidecar decides, pure: values in, values out, `now` as an argument.
//!
//! The way of a question: [`scope`] (whose documents) -> [`query`] -> two legs of a search -> [`fuse`] -> [`threshold`] ->
//! rerank -> [`freshness`], [`mmr`] -> dedupe, expand, [`merge`] -> [`pack`] -> [`prompt`]. The way of a document:
//! [`document`] -> [`chunk`]s -> [`bm25`] -> [`point`]s.

#![warn(missing_docs)]

pub mod bm25;
pub mod chunk;
pub mod document;
pub mod filter;
pub mod freshness;
pub mod fuse;
pub mod merge;
pub mod mmr;
pub mod pack;
pub mod point;
pub mod prompt;
pub mod query;
pub mod scope;
pub mod threshold;
pub mod tokens;
