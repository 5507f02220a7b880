//! The one clock that all processes of a run share, and an alarm on it.
//!
//! tokio's own timers tick in milliseconds; an open loop at 2,000 requests a second needs better, so an alarm is a
//! timerfd of its own.

use std::io;
use std::os::fd::OwnedFd;
use std::task::{Context, Poll, ready};

use rustix::time::{
    ClockId, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, clock_gettime, timerfd_create,
    timerfd_settime,
};
use tokio::io::unix::AsyncFd;

pub(crate) const SECOND: u64 = 1_000_000_000;
pub(crate) const MILLISECOND: u64 = 1_000_000;

/// Nanoseconds of the monotonic clock: the same in every process of the machine.
pub(crate) fn now() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec as u64 * SECOND + now.tv_nsec as u64
}

pub(crate) struct Alarm(AsyncFd<OwnedFd>);

impl Alarm {
    #[allow(
        deprecated,
        reason = "its successor is unsafe, which this workspace forbids; the flaw is in types that change their \
                  descriptor, and an OwnedFd never does"
    )]
    pub(crate) fn new() -> io::Result<Self> {
        let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
        Ok(Self(AsyncFd::new(timer)?))
    }

    /// Rings once, at `due`; at once when that has passed.
    pub(crate) fn set(&self, due: u64) -> io::Result<()> {
        let never = Timespec { tv_sec: 0, tv_nsec: 0 };
        let due = Timespec { tv_sec: (due / SECOND) as _, tv_nsec: (due % SECOND) as _ };
        let once = Itimerspec { it_interval: never, it_value: due };
        timerfd_settime(self.0.get_ref(), TimerfdTimerFlags::ABSTIME, &once)?;
        Ok(())
    }

    pub(crate) fn poll_rung(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let mut ready = ready!(self.0.poll_read_ready(cx))?;
            let rung = ready.try_io(|timer| Ok(rustix::io::read(timer.get_ref(), &mut [0_u8; 8])?));
            if let Ok(rung) = rung {
                return Poll::Ready(rung.map(drop));
            }
        }
    }

    pub(crate) async fn until(&self, due: u64) -> io::Result<()> {
        if due <= now() {
            return Ok(());
        }
        self.set(due)?;
        std::future::poll_fn(|cx| self.poll_rung(cx)).await
    }
}
