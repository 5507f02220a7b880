//! A model's name to the ordered candidates that may answer for it.
//!
//! Here is what goes in and what comes out; [`Router`] knows the ways, and the order within a tier is drawn.

mod draw;
mod router;

use std::time::Duration;

use crate::{provider::Provider, timeouts::Timeouts};

pub use self::{
    draw::mix,
    router::{NoRoute, Router},
};

/// A configured provider, as far as routing cares.
#[derive(Debug, Clone)]
pub struct Upstream {
    /// Its name in the configuration.
    pub name: String,
    /// How it is spoken to.
    pub provider: &'static dyn Provider,
    /// What it is asked for when the request's model is not one it serves.
    pub model: Option<String>,
}

/// One way to an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Index of the [`Upstream`].
    pub upstream: usize,
    /// The model to ask it for.
    pub model: String,
    /// The target's own time-outs; its `total` bounds one attempt.
    pub timeouts: Timeouts,
}

/// The ways to an answer, best first. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The candidates, in the order in which they are tried.
    pub candidates: Vec<Candidate>,
    /// The route's time-outs without `total`.
    pub timeouts: Timeouts,
    /// The request's deadline, from its arrival.
    pub total: Duration,
}

/// A model's route.
#[derive(Debug, Clone, PartialEq)]
pub struct Route {
    /// A model's name, or a prefix that ends in `*`.
    pub model: String,
    /// Tiers in the order of preference; within one, targets share the load by weight.
    pub tiers: Vec<Vec<Target>>,
    /// Time-outs for every target that says nothing else; `total` bounds the request.
    pub timeouts: Timeouts,
}

/// A member of a tier.
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    /// Index of the [`Upstream`].
    pub upstream: usize,
    /// The model to ask it for; `None` sends the request's.
    pub model: Option<String>,
    /// Its share of the tier's load; finite and not negative.
    pub weight: f64,
    /// Its own time-outs.
    pub timeouts: Timeouts,
}

/// Which models go where.
#[derive(Debug, Clone, PartialEq)]
pub enum Rules {
    /// Without a file: every upstream in turn, each asked for what it serves.
    Families,
    /// By the file's routes. A model that none names is unknown.
    Table(Vec<Route>),
}
