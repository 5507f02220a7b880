//! The table: medians over the rounds, what is added over `direct`, and ratios to nginx.

use std::fmt;

use serde_json::json;

use crate::figures::Figures;
use crate::machine::Machine;
use crate::plan::{self, Plan};
use crate::spread::median;
use crate::subject::Subject;

pub(crate) struct Report<'a> {
    pub(crate) machine: Machine,
    pub(crate) plan: &'a Plan,
    pub(crate) subjects: &'a [Subject],
    pub(crate) figures: Vec<Figures>,
    pub(crate) notes: Vec<String>,
}

/// How a row is read.
#[derive(Clone, Copy, PartialEq)]
enum Reading {
    /// The time itself for `direct`, what is added to it for the others.
    Added,
    /// As it is; the ratio says how it compares with nginx.
    Plain,
    /// As it is, and only of gateways.
    Gateway,
    /// As it is, and no ratio: it tells how to read the row above.
    Aside,
}

struct Row {
    name: String,
    reading: Reading,
    decimals: usize,
    value: fn(&Figures) -> Option<f64>,
}

fn rows(plan: &Plan) -> Vec<Row> {
    use Reading::{Added, Aside, Gateway, Plain};
    let row = |name: &str, reading, decimals, value| Row { name: name.to_owned(), reading, decimals, value };
    let (slow, fast) = (grouped(plan::SLOW, 0), grouped(plan::FAST, 0));
    let closed = format!("closed loop, {} connections", plan::CLOSED_CONNECTIONS);
    let streams = format!("{} streams, {} chunks, {} ms apart", plan::STREAMS, plan.chunks, plan::EVERY_MS);
    let held = format!("memory with {} streams open, MiB", grouped(plan::HELD as f64, 0));
    vec![
        row(&format!("whole answers, {slow}/s: latency p50, µs"), Added, 0, |f| Some(f.slow.outcome.waits.p50)),
        row("… p99, µs", Added, 0, |f| Some(f.slow.outcome.waits.p99)),
        row(&format!("whole answers, {fast}/s: latency p50, µs"), Added, 0, |f| Some(f.fast.outcome.waits.p50)),
        row("… p99, µs", Added, 0, |f| Some(f.fast.outcome.waits.p99)),
        row(&format!("{closed}: CPU per request, µs"), Gateway, 1, |f| Some(f.closed.cpu_us_per_answer())),
        row("… requests/s", Plain, 0, |f| Some(f.closed.per_second())),
        row("… the gateway's core busy, %", Aside, 0, |f| Some(f.closed.gateway_busy() * 100.0)),
        row(&format!("{streams}: first chunk p50, µs"), Added, 0, |f| Some(f.spread.outcome.waits.p50)),
        row("… first chunk p99, µs", Added, 0, |f| Some(f.spread.outcome.waits.p99)),
        row("… delay of a chunk p50, µs", Added, 0, |f| Some(f.spread.outcome.delays.p50)),
        row("… delay of a chunk p99, µs", Added, 0, |f| Some(f.spread.outcome.delays.p99)),
        row("… CPU per chunk, evenly spread, µs", Gateway, 1, |f| Some(f.spread.cpu_us_per_chunk())),
        row("… CPU per chunk, in bursts of ten, µs", Gateway, 1, |f| Some(f.bursts.cpu_us_per_chunk())),
        row("memory idle, MiB", Gateway, 1, |f| f.life.as_ref().map(|life| life.rss_idle_mib)),
        row(&held, Gateway, 1, |f| f.life.as_ref().and_then(|life| life.rss_held_mib)),
        row("exec to first answered request, ms", Gateway, 1, |f| f.life.as_ref().map(|life| life.start_ms)),
    ]
}

impl Report<'_> {
    pub(crate) fn json(&self) -> serde_json::Result<String> {
        serde_json::to_string_pretty(&json!({ "machine": self.machine, "notes": self.notes, "figures": self.figures }))
    }

    pub(crate) fn failures(&self) -> u64 {
        self.figures.iter().flat_map(Figures::spans).map(|(_, span)| span.outcome.failed).sum()
    }

    /// The median over the rounds; what is added is taken within each round.
    fn value(&self, row: &Row, subject: &Subject) -> Option<f64> {
        if subject.gateway.is_none() && matches!(row.reading, Reading::Gateway | Reading::Aside) {
            return None;
        }
        let of_subject = self.figures.iter().filter(|figures| figures.subject == subject.name);
        let values = of_subject.filter_map(|figures| {
            let value = (row.value)(figures)?;
            if row.reading == Reading::Added && subject.gateway.is_some() {
                return Some(value - (row.value)(self.direct(figures.round)?)?);
            }
            Some(value)
        });
        median(values.collect())
    }

    fn direct(&self, round: usize) -> Option<&Figures> {
        self.figures.iter().find(|figures| figures.subject == "direct" && figures.round == round)
    }

    fn cell(&self, row: &Row, subject: &Subject) -> String {
        let Some(value) = self.value(row, subject) else {
            return "-".to_owned();
        };
        let sign = if row.reading == Reading::Added && subject.gateway.is_some() && value >= 0.0 { "+" } else { "" };
        format!("{sign}{}", grouped(value, row.decimals))
    }

    fn ratio(&self, row: &Row, subject: &Subject) -> String {
        let nginx = self.subjects.iter().find(|other| other.name == "nginx").and_then(|nginx| self.value(row, nginx));
        match (row.reading, self.value(row, subject), nginx) {
            (Reading::Aside, ..) | (_, None, _) | (_, _, None) => "-".to_owned(),
            (_, Some(value), Some(nginx)) if nginx > 0.0 => format!("{:.2}", value / nginx),
            (_, Some(_), Some(_)) => "-".to_owned(),
        }
    }

    /// The subjects that are compared with nginx.
    fn compared(&self) -> impl Iterator<Item = &Subject> {
        self.subjects.iter().filter(|subject| subject.gateway.is_some() && subject.name != "nginx")
    }

    fn worst_others(&self) -> f64 {
        self.figures.iter().flat_map(Figures::spans).map(|(_, span)| span.others).fold(0.0, f64::max)
    }
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Machine { cpu, cores, kernel } = &self.machine;
        writeln!(f, "{cpu}, {cores} cores, {kernel}; medians of {} round(s).\n", self.plan.rounds)?;
        write!(f, "|  |")?;
        for subject in self.subjects {
            write!(f, " {} |", subject.title)?;
        }
        for subject in self.compared() {
            write!(f, " {} / nginx |", subject.name)?;
        }
        write!(f, "\n| --- |")?;
        for _ in self.subjects.iter().chain(self.compared()) {
            write!(f, " ---: |")?;
        }
        for row in rows(self.plan) {
            write!(f, "\n| {} |", row.name)?;
            for subject in self.subjects {
                write!(f, " {} |", self.cell(&row, subject))?;
            }
            for subject in self.compared() {
                write!(f, " {} |", self.ratio(&row, subject))?;
            }
        }
        writeln!(f, "\n\nOther work on the machine meanwhile, at worst: {:.2} cores.", self.worst_others())?;
        for note in &self.notes {
            writeln!(f, "{note}")?;
        }
        for figures in &self.figures {
            for (name, span) in figures.spans().into_iter().filter(|(_, span)| span.outcome.failed > 0) {
                let why = span.outcome.why.as_deref().unwrap_or_default();
                writeln!(
                    f,
                    "{} round {}, {name}: {} failed, the first with: {why}",
                    figures.subject, figures.round, span.outcome.failed
                )?;
            }
        }
        Ok(())
    }
}

/// 12,345.6
fn grouped(value: f64, decimals: usize) -> String {
    let text = format!("{:.decimals$}", value.abs());
    let (whole, fraction) = text.split_once('.').map_or((text.as_str(), None), |(whole, rest)| (whole, Some(rest)));
    let mut grouped = String::new();
    for (at, digit) in whole.char_indices() {
        if at > 0 && (whole.len() - at) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    let sign = if value < 0.0 { "-" } else { "" };
    fraction.map_or_else(|| format!("{sign}{grouped}"), |fraction| format!("{sign}{grouped}.{fraction}"))
}

#[cfg(test)]
mod tests {
    use super::grouped;

    #[test]
    fn numbers_are_readable() {
        assert_eq!(grouped(1_234_567.0, 0), "1,234,567");
        assert_eq!(grouped(-999.96, 1), "-1,000.0");
        assert_eq!(grouped(12.3, 1), "12.3");
    }
}
