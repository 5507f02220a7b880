//! The conductor: who is measured, round by round, and what is said of it.

use std::io::Write as _;
use std::time::Duration;

use anyhow::{Context as _, bail};

use crate::child::{Part, give_up_after};
use crate::cores::{self, Cores};
use crate::figures::Figures;
use crate::machine::Machine;
use crate::measure::{Stage, measure};
use crate::options::Options;
use crate::plan::{self, Plan};
use crate::report::Report;
use crate::scratch::Scratch;
use crate::subject::Subject;
use crate::{ambassador, nginx};

pub(crate) fn conduct(options: &Options) -> anyhow::Result<()> {
    let (plan, cores) = (Plan::of(options), Cores::choose()?);
    let program = if options.wants("ambassador") || options.wants("translating") {
        Some(ambassador::find(options)?)
    } else {
        None
    };
    cores::stay_on(cores.load)?;

    let scratch = Scratch::new().context("a folder for configurations and logs")?;
    let mut upstream = Part::ours("upstream", cores.load, &[])?;
    let port: u16 = upstream.line()?.parse().context("the upstream's port")?;
    let stage = Stage { cores, upstream };

    let mut notes = Vec::new();
    if cores.is_shared() {
        notes.push("Only one core may be used: the load, the upstream and the gateway share it.".to_owned());
    }
    if !cores::may_hold(plan::HELD) {
        notes.push(format!("Too few files may be open (ulimit -n) to hold {} streams.", plan::HELD));
    }
    let mut subjects = vec![Subject::direct(port)];
    if options.wants("nginx") {
        match nginx::subject(&scratch, port) {
            Ok(nginx) => subjects.push(nginx),
            Err(why) => notes.push(format!("nginx is left out: {why}.")),
        }
    }
    if let Some(program) = &program {
        if options.wants("ambassador") {
            subjects.push(ambassador::passing(program, &scratch, port)?);
        }
        if options.wants("translating") {
            subjects.push(ambassador::translating(program, &scratch, port)?);
        }
    }

    give_up_after(Duration::from_secs_f64(plan.limit_s() * (plan.rounds * subjects.len()) as f64));
    let figures = rounds(&stage, &plan, &subjects)?;
    let report = Report { machine: Machine::look(), plan: &plan, subjects: &subjects, figures, notes };
    writeln!(std::io::stdout(), "{report}")?;
    if let Some(file) = &options.json {
        std::fs::write(file, report.json()?).with_context(|| format!("writing {}", file.display()))?;
    }
    match report.failures() {
        0 => Ok(()),
        failures => bail!("{failures} requests were not answered as they should be; see the notes"),
    }
}

/// All subjects one after the other, and again: what drifts on the machine drifts for all of them.
fn rounds(stage: &Stage, plan: &Plan, subjects: &[Subject]) -> anyhow::Result<Vec<Figures>> {
    let mut figures = Vec::new();
    for round in 1..=plan.rounds {
        for subject in subjects {
            writeln!(std::io::stderr(), "round {round} of {}: {}", plan.rounds, subject.name)?;
            figures.push(measure(stage, plan, subject, round).with_context(|| subject.name)?);
        }
    }
    Ok(figures)
}
