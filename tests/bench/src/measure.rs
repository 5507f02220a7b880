//! One round over one subject.

use std::thread;
use std::time::Duration;

use anyhow::Context as _;

use crate::child::Part;
use crate::clock::{self, SECOND};
use crate::cores::{self, Cores};
use crate::figures::{Figures, Life, Span};
use crate::load::{Job, Outcome, Pace, Shape};
use crate::plan::{self, Plan};
use crate::procfs;
use crate::spread::median;
use crate::subject::{Gateway, Subject};

/// What stands ready for every subject.
pub(crate) struct Stage {
    pub(crate) cores: Cores,
    pub(crate) upstream: Part,
}

/// Starts the subject, looks at it idle, holds streams open, warms it, loads it, ends it.
pub(crate) fn measure(stage: &Stage, plan: &Plan, subject: &Subject, round: usize) -> anyhow::Result<Figures> {
    let running = subject.gateway.as_ref().map(|gateway| start(stage, plan, gateway, subject.port)).transpose()?;
    let group = running.as_ref().map(|(part, _)| part.group());
    let life =
        running.as_ref().map(|(part, start_ms)| look_after(stage, plan, part, *start_ms, subject.port)).transpose()?;

    let load = |shape| span(stage, group, subject.port, shape);
    load(Shape::Closed { seconds: plan.warm_s, connections: 8 })?;
    let streams =
        |streams, waves, chunks, pace| load(Shape::Streams { streams, waves, chunks, every_ms: plan::EVERY_MS, pace });
    streams(4, 1, 10, Pace::Spread)?;

    let connections = plan::OPEN_CONNECTIONS;
    let slow = load(Shape::Open { rate: plan::SLOW, seconds: plan.slow_s, connections })?;
    let fast = load(Shape::Open { rate: plan::FAST, seconds: plan.fast_s, connections })?;
    let closed = load(Shape::Closed { seconds: plan.closed_s, connections: plan::CLOSED_CONNECTIONS })?;
    // Under a real-time policy the kernel makes up for a core that was full: let it, before chunks are timed.
    thread::sleep(Duration::from_secs_f64(plan.settle_s));
    let spread = streams(plan::STREAMS, plan.waves, plan.chunks, Pace::Spread)?;
    let bursts = streams(plan::STREAMS, plan.waves, plan.chunks, Pace::Bursts)?;
    Ok(Figures { subject: subject.name, round, life, slow, fast, closed, spread, bursts })
}

/// A few starts, of which the last stays.
fn start(stage: &Stage, plan: &Plan, gateway: &Gateway, port: u16) -> anyhow::Result<(Part, f64)> {
    let mut starts = Vec::with_capacity(plan.starts);
    loop {
        let (part, took_ms) = gateway.start(stage.cores.gateway, port)?;
        starts.push(took_ms);
        if starts.len() >= plan.starts {
            return Ok((part, median(starts).unwrap_or(took_ms)));
        }
    }
}

fn look_after(stage: &Stage, plan: &Plan, gateway: &Part, start_ms: f64, port: u16) -> anyhow::Result<Life> {
    thread::sleep(Duration::from_secs_f64(plan.settle_s));
    let rss_idle_mib = procfs::group_rss_mib(gateway.group());
    let rss_held_mib = if cores::may_hold(plan::HELD) {
        let mut load = send(stage, port, Shape::Held { streams: plan::HELD })?;
        load.line().context("opening the streams that are held")?;
        thread::sleep(Duration::from_secs_f64(plan.settle_s));
        Some(procfs::group_rss_mib(gateway.group()))
    } else {
        None
    };
    Ok(Life { start_ms, rss_idle_mib, rss_held_mib })
}

fn send(stage: &Stage, port: u16, shape: Shape) -> anyhow::Result<Part> {
    Part::ours("load", stage.cores.load, &[serde_json::to_string(&Job { port, shape })?])
}

fn span(stage: &Stage, gateway: Option<u32>, port: u16, shape: Shape) -> anyhow::Result<Span> {
    let gateway_cpu = || gateway.map_or(0.0, procfs::group_cpu_s);
    let upstream_cpu = || procfs::group_cpu_s(stage.upstream.group());
    let (began, gateway_before, upstream_before) = (clock::now(), gateway_cpu(), upstream_cpu());
    let machine_before = procfs::machine_busy_s();

    let said = send(stage, port, shape)?.rest().with_context(|| format!("{shape:?}"))?;
    let outcome: Outcome = serde_json::from_str(&said).context("what the load says")?;

    let gateway_cpu_s = gateway_cpu() - gateway_before;
    let ours = gateway_cpu_s + (upstream_cpu() - upstream_before) + outcome.own_cpu_s;
    let lasted = (clock::now() - began) as f64 / SECOND as f64;
    let others = ((procfs::machine_busy_s() - machine_before - ours) / lasted).max(0.0);
    Ok(Span { outcome, gateway_cpu_s, others })
}
