//! How a process stops: what runs is finished, nothing new is begun, and nobody waits for ever.
//!
//! The kubelet sends SIGTERM and, after `terminationGracePeriodSeconds`, SIGKILL. In between, a
//! [`Drain`] tells everything that cares that the end has begun, counts what is still in flight,
//! and waits for it, but no longer than the grace the caller gives, which must be shorter than the
//! kubelet's. A second signal ends the wait at once: somebody is at the terminal and means it.

use std::future::Future;
use std::io;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::task;

/// The end of the process, as something that can be waited for. Clones are the same drain.
#[derive(Clone, Debug, Default)]
pub struct Drain {
    begun: CancellationToken,
    hurried: CancellationToken,
    in_flight: TaskTracker,
}

/// How a drain ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Drained {
    /// Everything that was in flight finished.
    Clean,
    /// The grace ran out, or a second signal came, before everything had finished.
    TimedOut {
        /// How many pieces of work were still in flight.
        left: usize,
    },
}

impl Drain {
    /// A drain that has not begun.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Begins it. Again is the same as once.
    pub fn begin(&self) {
        self.begun.cancel();
    }

    /// Ends the wait of [`Self::drain`] at once, whatever is still in flight.
    pub fn hurry(&self) {
        self.begin();
        self.hurried.cancel();
    }

    /// Whether it has begun.
    #[must_use]
    pub fn is_draining(&self) -> bool {
        self.begun.is_cancelled()
    }

    /// Returns when it begins; at once if it has.
    pub async fn draining(&self) {
        self.begun.cancelled().await;
    }

    /// Returns when the wait is cut short: work that can be broken off should be.
    pub async fn hurried(&self) {
        self.hurried.cancelled().await;
    }

    /// The same as [`Self::hurried`], for work that outlives the borrow.
    pub fn hurried_owned(&self) -> impl Future<Output = ()> + Send + use<> {
        self.hurried.clone().cancelled_owned()
    }

    /// Breaks off what is still in flight, and gives it `within` to say so to whoever waits for it.
    pub async fn cut(&self, within: Duration) -> Drained {
        self.hurry();
        self.in_flight.close();
        match timeout(within, self.in_flight.wait()).await {
            Ok(()) => Drained::Clean,
            Err(_) => self.timed_out(),
        }
    }

    /// Counts a future until it is finished or dropped, the time before it is first polled included.
    pub fn track_future<F: Future>(&self, future: F) -> impl Future<Output = F::Output> + use<F> {
        self.in_flight.track_future(future)
    }

    /// How many pieces of work are in flight.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// Begins the drain if it has not begun, and waits until nothing is in flight, at most `grace`.
    pub async fn drain(&self, grace: Duration) -> Drained {
        self.begin();
        self.in_flight.close();
        tokio::select! {
            biased;
            finished = timeout(grace, self.in_flight.wait()) => match finished {
                Ok(()) => Drained::Clean,
                Err(_) => self.timed_out(),
            },
            () = self.hurried.cancelled() => self.timed_out(),
        }
    }

    fn timed_out(&self) -> Drained {
        match self.in_flight.len() {
            0 => Drained::Clean,
            left => Drained::TimedOut { left },
        }
    }
}

/// SIGTERM and SIGINT. From its creation on they no longer kill the process.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Takes the signals over. Do it early: one that comes before kills the process.
    ///
    /// # Errors
    ///
    /// When the operating system refuses the handlers.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime, as tokio does.
    pub fn install() -> io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// The next signal, by name.
    pub async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }

    /// Watches on a task of its own: the first signal begins the drain, the second hurries it.
    pub fn watch(mut self, drain: Drain) {
        task::spawn(async move {
            let signal = self.next().await;
            tracing::info!(signal, "draining");
            drain.begin();
            let signal = self.next().await;
            tracing::warn!(signal, "stopping at once");
            drain.hurry();
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::block_on;

    use std::future::pending;

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn with_nothing_in_flight_it_is_clean() {
        let drained = block_on(async { Drain::new().drain(LONG).await }).unwrap();
        assert_eq!(drained, Drained::Clean);
    }

    #[test]
    fn it_waits_for_what_is_in_flight() {
        let drained = block_on(async {
            let drain = Drain::new();
            let work = drain.track_future(pending::<()>());
            assert_eq!(drain.in_flight(), 1);
            let worker = drain.clone();
            task::spawn(async move {
                worker.draining().await;
                assert!(worker.is_draining());
                drop(work);
            });
            drain.drain(LONG).await
        })
        .unwrap();
        assert_eq!(drained, Drained::Clean);
    }

    #[test]
    fn it_does_not_wait_for_ever() {
        let drained = block_on(async {
            let drain = Drain::new();
            let _one = drain.track_future(pending::<()>());
            let _two = drain.track_future(pending::<()>());
            drain.drain(Duration::from_millis(10)).await
        })
        .unwrap();
        assert_eq!(drained, Drained::TimedOut { left: 2 });
    }

    #[test]
    fn a_hurried_drain_does_not_wait() {
        let drained = block_on(async {
            let drain = Drain::new();
            let _work = drain.track_future(pending::<()>());
            drain.hurry();
            drain.drain(LONG).await
        })
        .unwrap();
        assert_eq!(drained, Drained::TimedOut { left: 1 });
    }

    #[test]
    fn a_tracked_future_counts_until_it_is_done() {
        block_on(async {
            let drain = Drain::new();
            let future = drain.track_future(async { 7 });
            assert_eq!(drain.in_flight(), 1);
            assert_eq!(future.await, 7);
            assert_eq!(drain.in_flight(), 0);
        })
        .unwrap();
    }
}
