//! The part `load CORE JOB`: asks, and measures the answers.
//!
//! One thread and one event loop, sockets written and read without an HTTP library: what the load costs is missing
//! for the upstream, which shares its core.

mod connection;
mod job;
mod reply;
mod streamed;
mod tally;
mod whole;

use std::io::Write as _;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::task::LocalSet;

pub(crate) use self::connection::{Ask, SAYS_HELLO};
pub(crate) use self::job::{Job, Pace, Shape};
pub(crate) use self::reply::Reply;
pub(crate) use self::tally::Outcome;
use crate::{child, cores};

pub(crate) fn play(words: &[String]) -> anyhow::Result<()> {
    let [core, job] = words else { bail!("load CORE JOB") };
    cores::settle_on(core)?;
    let Job { port, shape } = serde_json::from_str(job).context("a job is JSON")?;
    child::give_up_after(Duration::from_secs_f64(shape.seconds() + 20.0));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let work = async {
        match shape {
            Shape::Open { rate, seconds, connections } => whole::open_loop(port, rate, seconds, connections).await,
            Shape::Closed { seconds, connections } => whole::closed_loop(port, seconds, connections).await,
            Shape::Streams { streams, waves, chunks, every_ms, pace } => {
                streamed::timed(port, streamed::Waves { streams, waves, chunks, every_ms, pace }).await
            }
            Shape::Held { streams } => streamed::held(port, streams).await,
        }
    };
    let outcome = LocalSet::new().block_on(&runtime, work)?;
    Ok(writeln!(std::io::stdout(), "{}", serde_json::to_string(&outcome)?)?)
}
