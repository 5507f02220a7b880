//! The five time-outs of an exchange with a model.

use std::time::Duration;

/// How long each phase may take. `None`: only the limits around it apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Timeouts {
    /// Name look-up, TCP and TLS.
    pub connect: Option<Duration>,
    /// From the request sent to the response's headers.
    pub headers: Option<Duration>,
    /// From the request sent to the first content of a stream.
    pub first_content: Option<Duration>,
    /// Between two pieces of a stream's content.
    pub idle: Option<Duration>,
    /// The whole: one attempt where it stands on a target, the request where it stands on a route.
    pub total: Option<Duration>,
}

impl Timeouts {
    /// The defaults for streams. A first token that takes a minute has, in all likelihood, been lost; reasoning models
    /// that think for longer say so by events on the way.
    pub const STREAM: Self = Self {
        connect: Some(Duration::from_secs(5)),
        headers: Some(Duration::from_secs(60)),
        first_content: Some(Duration::from_secs(120)),
        idle: Some(Duration::from_secs(60)),
        total: None,
    };

    /// The defaults for whole answers. They take minutes, and their headers come only when they are done, so that
    /// nothing but the connection and the whole is bounded unless the configuration says otherwise.
    pub const WHOLE: Self =
        Self { connect: Some(Duration::from_secs(5)), headers: None, first_content: None, idle: None, total: None };

    /// The request's deadline where no route says otherwise: what the official SDKs wait for, too.
    pub const REQUEST: Duration = Duration::from_secs(600);

    /// These, and where they are silent, `below`.
    #[must_use]
    pub fn over(self, below: Self) -> Self {
        Self {
            connect: self.connect.or(below.connect),
            headers: self.headers.or(below.headers),
            first_content: self.first_content.or(below.first_content),
            idle: self.idle.or(below.idle),
            total: self.total.or(below.total),
        }
    }
}
