//! What need not be looked up twice: [`Results`] of questions, valid until somebody writes to their scope
//! ([`Epochs`]), and [`Chunks`], which never change. All of it bounded, none of it across tenants.

mod chunks;
mod epochs;
mod results;

pub use chunks::{Chunks, Kept};
pub use epochs::{Epoch, Epochs};
pub use results::{Question, Results, Stale};
