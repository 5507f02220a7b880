//! Streams: their chunks timed, or only held open.

use std::cell::Cell;
use std::io::Write as _;
use std::rc::Rc;

use anyhow::{Context as _, bail};
use tokio::task::JoinSet;

use super::connection::{Ask, Connection};
use super::job::Pace;
use super::tally::{Outcome, Tally};
use crate::clock::{self, Alarm, MILLISECOND, SECOND};
use crate::stamp::Stamps;

#[derive(Clone, Copy)]
pub(super) struct Waves {
    pub(super) streams: usize,
    pub(super) waves: usize,
    pub(super) chunks: u32,
    pub(super) every_ms: u64,
    pub(super) pace: Pace,
}

impl Waves {
    /// From the start of one stream to the start of the next: a tenth of the time between two chunks, so that every
    /// tenth is in step; to spread them evenly, so much more that no two are.
    fn stagger(self) -> u64 {
        let every = self.every_ms * MILLISECOND;
        match self.pace {
            Pace::Bursts => every / 10,
            Pace::Spread => every / 10 + every / self.streams.max(1) as u64,
        }
    }

    /// From the start of one wave to the start of the next.
    fn length(self) -> u64 {
        (u64::from(self.chunks) * self.every_ms + 100) * MILLISECOND
    }
}

/// All streams side by side, wave after wave.
pub(super) async fn timed(port: u16, plan: Waves) -> anyhow::Result<Outcome> {
    let mut open = Vec::with_capacity(plan.streams);
    for _ in 0..plan.streams {
        open.push((Connection::open(port).await?, Alarm::new()?));
    }
    let start = clock::now() + 20 * MILLISECOND;
    let mut at_work = JoinSet::new();
    for (number, (mut connection, alarm)) in open.into_iter().enumerate() {
        at_work.spawn_local(async move {
            let (ask, mut tally) = (Ask::stream(port, plan.chunks, plan.every_ms, plan.pace), Tally::default());
            for wave in 0..plan.waves {
                alarm.until(start + number as u64 * plan.stagger() + wave as u64 * plan.length()).await?;
                if let Err(why) = follow(&mut connection, &ask, plan.chunks, &mut tally).await {
                    tally.fail(&why);
                }
            }
            anyhow::Ok(tally)
        });
    }
    let mut all = Tally::default();
    while let Some(done) = at_work.join_next().await {
        all.add(done??);
    }
    Ok(all.outcome((clock::now() - start) as f64 / SECOND as f64))
}

async fn follow(connection: &mut Connection, ask: &Ask, chunks: u32, tally: &mut Tally) -> anyhow::Result<()> {
    let (mut stamps, mut seen) = (Stamps::default(), 0);
    let asked = clock::now();
    let heard = |piece: &[u8], now: u64| {
        stamps.read(piece, |made| {
            if seen == 0 {
                tally.waits.push(now - asked);
            }
            seen += 1;
            tally.delays.push(now.saturating_sub(made));
        });
    };
    connection.exchange(ask, heard).await?;
    if seen != chunks {
        bail!("{seen} chunks of {chunks}");
    }
    Ok(())
}

/// Opens the streams, says so in one line once each has its first chunk, and keeps them until this process is ended.
pub(super) async fn held(port: u16, streams: usize) -> anyhow::Result<Outcome> {
    let started = Rc::new(Cell::new(0_usize));
    let alarm = Alarm::new()?;
    let mut open = JoinSet::new();
    let start = clock::now();
    for number in 0..streams {
        alarm.until(start + number as u64 * MILLISECOND).await?;
        let started = Rc::clone(&started);
        open.spawn_local(async move {
            let mut connection = Connection::open(port).await?;
            let mut first = true;
            let heard = |_: &[u8], _| {
                if std::mem::take(&mut first) {
                    started.set(started.get() + 1);
                    if started.get() == streams {
                        let _ = writeln!(std::io::stdout(), "open");
                    }
                }
            };
            connection.exchange(&Ask::stream(port, 120, 500, Pace::Spread), heard).await
        });
    }
    open.join_next().await.context("no stream was asked for")??.context("a stream that should stay open")?;
    bail!("a stream that should stay open ended")
}
