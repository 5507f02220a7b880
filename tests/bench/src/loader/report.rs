//! The table: medians, and ratios to wget and to parallel curl.

use std::fmt;

use super::programs::Program;
use super::scenes::Scene;
use crate::machine::Machine;
use crate::spread::median;

/// One start of a program.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) scene: &'static str,
    pub(crate) program: &'static str,
    pub(crate) wall_ms: f64,
    pub(crate) cpu_ms: f64,
    pub(crate) peak_mib: f64,
}

pub(crate) struct Report<'a> {
    pub(crate) machine: Machine,
    pub(crate) rounds: usize,
    pub(crate) programs: Vec<Program>,
    pub(crate) scenes: Vec<&'a Scene>,
    /// Of each program, in MiB.
    pub(crate) sizes: Vec<f64>,
    pub(crate) runs: Vec<Run>,
    /// Cores that were busy with something else.
    pub(crate) others: f64,
}

/// The yardsticks.
const BESIDE: [&str; 2] = ["wget", "curl -Z"];

impl Report<'_> {
    fn value(&self, scene: &Scene, program: &str, of: fn(&Run) -> f64) -> Option<f64> {
        let runs = self.runs.iter().filter(|run| run.scene == scene.name && run.program == program);
        median(runs.map(of).collect())
    }

    fn row(&self, f: &mut fmt::Formatter<'_>, name: &str, value: impl Fn(&str) -> Option<f64>) -> fmt::Result {
        write!(f, "| {name} |")?;
        for program in &self.programs {
            match value(program.name) {
                Some(value) => write!(f, " {value:.1} |")?,
                None => write!(f, " - |")?,
            }
        }
        for other in BESIDE {
            match (value("config-loader"), value(other)) {
                (Some(ours), Some(theirs)) if theirs > 0.0 => write!(f, " {:.2} |", ours / theirs)?,
                _ => write!(f, " - |")?,
            }
        }
        writeln!(f)
    }
}

impl fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Machine { cpu, cores, kernel } = &self.machine;
        writeln!(f, "{cpu}, {cores} cores, {kernel}; medians of {} starts.\n", self.rounds)?;
        write!(f, "|  |")?;
        for program in &self.programs {
            write!(f, " {} |", program.name)?;
        }
        for other in BESIDE {
            write!(f, " / {other} |")?;
        }
        write!(f, "\n| --- |{}\n", " ---: |".repeat(self.programs.len() + BESIDE.len()))?;
        for scene in &self.scenes {
            self.row(f, &format!("{}: ms", scene.name), |program| self.value(scene, program, |run| run.wall_ms))?;
            self.row(f, "… CPU, ms", |program| self.value(scene, program, |run| run.cpu_ms))?;
            self.row(f, "… peak memory, MiB", |program| self.value(scene, program, |run| run.peak_mib))?;
        }
        let size =
            |name: &str| self.programs.iter().zip(&self.sizes).find(|(of, _)| of.name == name).map(|(_, it)| *it);
        self.row(f, "program with its libraries, MiB", size)?;
        writeln!(f, "\nOther work on the machine meanwhile: {:.2} cores.", self.others)
    }
}
