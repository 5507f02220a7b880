//! The ambassador: one localhost endpoint for every model provider.
//!
//! The way of a request, always downward: `chassis::http` -> [`server`] -> [`api`] -> [`dispatch`] -> [`upstream`], and back through
//! [`stream`] where the answer is streamed. What is decided on the way is decided in `ambassador-core`; here it is
//! carried out.

pub mod api;
mod attempt;
pub mod body;
pub mod conversations;
pub mod dispatch;
pub mod failure;
pub mod gateway;
mod heard;
mod hops;
pub mod metrics;
pub mod outcome;
pub mod pool;
pub mod server;
pub mod stream;
mod trace;
pub mod upstream;
