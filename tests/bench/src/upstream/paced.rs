//! A streamed answer: the first chunk at once, the others on a fixed schedule, each stamped when it is made.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::body::{Body, Frame};

use super::answer::Dialect;
use crate::clock::{self, Alarm, MILLISECOND};

/// How many chunks, nanoseconds from one to the next, and the grid on which they fall.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Pace {
    chunks: u32,
    every: u64,
    grid: u64,
}

impl Pace {
    pub(super) fn of_model(name: &str) -> Option<Self> {
        let (kind, (chunks, every)) =
            name.split_once('-').and_then(|(kind, pace)| Some((kind, pace.split_once('x')?)))?;
        let grid = match kind {
            "spread" => 1,
            "bursts" => MILLISECOND,
            _ => return None,
        };
        Some(Self { chunks: chunks.parse().ok()?, every: every.parse::<u64>().ok()? * MILLISECOND, grid })
    }
}

pub(super) struct Paced {
    dialect: Dialect,
    pace: Pace,
    with_usage: bool,
    sent: u32,
    due: u64,
    alarm: Alarm,
}

impl Paced {
    pub(super) fn new(dialect: Dialect, pace: Pace, with_usage: bool) -> Option<Self> {
        let due = clock::now().next_multiple_of(pace.grid);
        Some(Self { dialect, pace, with_usage, sent: 0, due, alarm: Alarm::new().ok()? })
    }

    fn next_frame(&mut self) -> String {
        let mut frame = if self.sent == 0 { self.dialect.opening() } else { String::new() };
        self.sent += 1;
        frame.push_str(&self.dialect.chunk(clock::now()));
        if self.sent >= self.pace.chunks {
            frame.push_str(&self.dialect.closing(self.sent, self.with_usage));
        }
        frame
    }
}

impl Body for Paced {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let paced = self.get_mut();
        if paced.sent >= paced.pace.chunks {
            return Poll::Ready(None);
        }
        if paced.sent > 0 {
            ready!(paced.alarm.poll_rung(cx))?;
        }
        let frame = paced.next_frame();
        paced.due += paced.pace.every;
        paced.alarm.set(paced.due)?;
        Poll::Ready(Some(Ok(Frame::data(frame.into()))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_names_its_pace() {
        let bursts = Pace { chunks: 200, every: 10 * MILLISECOND, grid: MILLISECOND };
        assert_eq!(Pace::of_model("bursts-200x10"), Some(bursts));
        assert_eq!(Pace::of_model("spread-200x10"), Some(Pace { grid: 1, ..bursts }));
        assert_eq!(Pace::of_model("bench"), None);
        assert_eq!(Pace::of_model("gpt-4o"), None);
    }
}
