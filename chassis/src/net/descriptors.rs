//! File descriptors: every connection takes one, and the admin port and the data plane share the process's.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Kept for what is no connection of an agent or to a provider: probes, logs, files, the runtime.
const RESERVED: u64 = 192;

/// Raises the soft limit on open files to the hard one. Gives back how many connections may be open at the same time, so
/// that probes are still answered when there are as many.
#[must_use]
pub fn raise() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    let open = if raised.is_ok() { limit.maximum } else { limit.current };
    usize::try_from(connections(open.unwrap_or(u64::MAX))).unwrap_or(usize::MAX)
}

/// How many connections fit into so many descriptors. A small limit is shared, too.
fn connections(descriptors: u64) -> u64 {
    descriptors - RESERVED.min(descriptors / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn something_is_always_left_over() {
        for (descriptors, free) in [(1_048_576, 1_048_384), (1_024, 832), (256, 128), (64, 32), (0, 0)] {
            assert_eq!(connections(descriptors), free);
        }
    }
}
