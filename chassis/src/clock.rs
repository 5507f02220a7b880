//! The only clock reads in the workspace.
//!
//! Everything that decides takes `now` as an argument; the shells around it take it from here.
//! `clippy.toml` forbids the standard library's own functions everywhere else, so a hidden clock
//! cannot creep into a policy.

use std::time::{Duration, Instant, SystemTime};

/// The monotonic time: for timeouts, ages and deadlines.
#[must_use]
#[allow(clippy::disallowed_methods, reason = "the one place that reads the monotonic clock")]
pub fn now() -> Instant {
    Instant::now()
}

/// The wall clock, as the time since 1970-01-01T00:00:00Z: for timestamps that leave the process.
///
/// A clock set before 1970 reads as zero.
#[must_use]
#[allow(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
pub fn unix() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_moves_forward_and_we_are_past_2020() {
        let earlier = now();
        assert!(now() >= earlier);
        assert!(unix() > Duration::from_secs(1_577_836_800));
    }
}
