//! What the context-sidecar decides, pure: values in, values out, `now` as an argument.
//!
//! The way of a question: [`scope`] (whose documents) -> a query -> two legs of a search -> fuse -> threshold -> rerank ->
//! freshness -> dedupe, merge, expand -> pack. The way of a document: [`document`] -> chunks -> [`point`]s.

#![warn(missing_docs)]

pub mod bm25;
pub mod chunk;
pub mod document;
pub mod filter;
pub mod fuse;
pub mod point;
pub mod scope;
pub mod tokens;
