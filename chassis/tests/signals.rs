//! Real signals, in a test binary of its own because they go to the whole process.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::future::pending;
use std::process::{self, Command};
use std::time::Duration;

use chassis::shutdown::{Drain, Drained, Signals};
use chassis::task::block_on;

fn send(signal: &str) {
    let sent = Command::new("sh").args(["-c", &format!("kill -{signal} {}", process::id())]).status();
    assert!(sent.unwrap().success());
}

#[test]
fn the_first_signal_drains_and_the_second_does_not_wait() {
    let drained = block_on(async {
        let drain = Drain::new();
        Signals::install().unwrap().watch(drain.clone());
        let _stuck = drain.track_future(pending::<()>());
        assert!(!drain.is_draining());

        send("TERM");
        drain.draining().await;

        send("INT");
        drain.drain(Duration::from_secs(60)).await
    });
    assert_eq!(drained.unwrap(), Drained::TimedOut { left: 1 });
}
