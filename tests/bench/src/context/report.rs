//! The table: what was measured, beside what we set out for.

use std::fmt;

use crate::machine::Machine;

#[derive(Debug)]
pub(super) struct Row {
    pub(super) what: String,
    pub(super) value: String,
    /// What it should be, and whether it is.
    pub(super) aim: Option<(String, bool)>,
}

#[derive(Debug, Default)]
pub(super) struct Report {
    rows: Vec<Row>,
    notes: Vec<String>,
}

impl Report {
    pub(super) fn say(&mut self, what: impl Into<String>, value: impl Into<String>) {
        self.push(what, value, None);
    }

    pub(super) fn at_least(&mut self, what: impl Into<String>, value: f64, aim: f64, digits: usize) {
        self.push(what, format!("{value:.digits$}"), Some((format!("≥ {aim}"), value >= aim)));
    }

    pub(super) fn below(&mut self, what: impl Into<String>, value: f64, unit: &str, aim: f64) {
        self.push(what, format!("{value:.2} {unit}"), Some((format!("< {aim} {unit}"), value < aim)));
    }

    pub(super) fn note(&mut self, text: impl Into<String>) {
        let text = text.into();
        eprint(&text);
        self.notes.push(text);
    }

    fn push(&mut self, what: impl Into<String>, value: impl Into<String>, aim: Option<(String, bool)>) {
        let row = Row { what: what.into(), value: value.into(), aim };
        eprint(&format!("{}: {}", row.what, row.value));
        self.rows.push(row);
    }

    pub(super) fn show(&self, others: f64) -> String {
        let Machine { cpu, cores, kernel } = Machine::look();
        let mut text = format!("{cpu}, {cores} cores, {kernel}.\n\n{self}");
        for note in &self.notes {
            text.push_str(&format!("\nNot measured: {note}."));
        }
        text.push_str(&format!("\nOther work on the machine meanwhile: {others:.2} cores."));
        text
    }
}

/// As it comes: all of it takes minutes.
fn eprint(line: &str) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stderr(), "  {line}");
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "|  | measured | aim | |\n| --- | ---: | ---: | --- |")?;
        for Row { what, value, aim } in &self.rows {
            match aim {
                Some((aim, true)) => writeln!(f, "| {what} | {value} | {aim} | met |")?,
                Some((aim, false)) => writeln!(f, "| {what} | {value} | {aim} | **missed** |")?,
                None => writeln!(f, "| {what} | {value} |  |  |")?,
            }
        }
        Ok(())
    }
}
