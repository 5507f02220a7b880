//! Whole answers, asked for by the clock or as fast as they come.

use std::cell::Cell;
use std::rc::Rc;

use tokio::task::JoinSet;

use super::connection::{Ask, Connection};
use super::tally::{Outcome, Tally};
use crate::clock::{self, Alarm, MILLISECOND, SECOND};

/// Time for the last connection to be ready before the first request is due.
const HEAD_START: u64 = 20 * MILLISECOND;

/// Request number i is due at i / rate. The next free connection takes it, late if need be, and its latency counts
/// from when it was due: a gateway that stalls pays for every request that the stall held up.
pub(super) async fn open_loop(port: u16, rate: f64, seconds: f64, connections: usize) -> anyhow::Result<Outcome> {
    let total = (rate * seconds) as u64;
    let taken = Rc::new(Cell::new(0_u64));
    let open = connect(port, connections).await?;
    let start = clock::now() + HEAD_START;
    let mut at_work = JoinSet::new();
    for mut connection in open {
        let (taken, alarm) = (Rc::clone(&taken), Alarm::new()?);
        at_work.spawn_local(async move {
            let (ask, mut tally) = (Ask::whole(port), Tally::default());
            loop {
                let number = taken.replace(taken.get() + 1);
                if number >= total {
                    return Ok(tally);
                }
                let due = start + (number as f64 * SECOND as f64 / rate) as u64;
                alarm.until(due).await?;
                time_one(&mut connection, &ask, due, &mut tally).await;
            }
        });
    }
    gather(at_work, start).await
}

pub(super) async fn closed_loop(port: u16, seconds: f64, connections: usize) -> anyhow::Result<Outcome> {
    let open = connect(port, connections).await?;
    let start = clock::now();
    let end = start + (seconds * SECOND as f64) as u64;
    let mut at_work = JoinSet::new();
    for mut connection in open {
        at_work.spawn_local(async move {
            let (ask, mut tally) = (Ask::whole(port), Tally::default());
            loop {
                let now = clock::now();
                if now >= end {
                    return Ok(tally);
                }
                time_one(&mut connection, &ask, now, &mut tally).await;
            }
        });
    }
    gather(at_work, start).await
}

async fn connect(port: u16, connections: usize) -> anyhow::Result<Vec<Connection>> {
    let mut open = Vec::with_capacity(connections);
    for _ in 0..connections {
        open.push(Connection::open(port).await?);
    }
    Ok(open)
}

async fn time_one(connection: &mut Connection, ask: &Ask, since: u64, tally: &mut Tally) {
    let mut last = since;
    match connection.exchange(ask, |_, now| last = now).await {
        Ok(()) => tally.waits.push(last - since),
        Err(why) => {
            tally.fail(&why);
            // A gateway that is gone refuses at once; asking again at full speed would only heat the core.
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    }
}

async fn gather(mut at_work: JoinSet<anyhow::Result<Tally>>, start: u64) -> anyhow::Result<Outcome> {
    let mut all = Tally::default();
    while let Some(done) = at_work.join_next().await {
        all.add(done??);
    }
    Ok(all.outcome((clock::now() - start) as f64 / SECOND as f64))
}
