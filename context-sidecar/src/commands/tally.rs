//! What became of everything, for people and for machines.

use std::collections::BTreeMap;

use context_sidecar::files::LeftOut;
use serde_json::{Value, json};

use super::Stopped;

/// Failures that are kept for the summary; each is told when it happens.
const KEPT: usize = 10_000;

/// Ids that are told one by one.
const TOLD: usize = 20;

/// What became of everything so far.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) files: usize,
    pub(super) created: u64,
    pub(super) unchanged: u64,
    pub(super) replaced: u64,
    pub(super) failed: u64,
    pub(super) failures: Vec<(String, String)>,
    pub(super) left_out: BTreeMap<String, LeftOut>,
    pub(super) removed: Vec<String>,
    pub(super) is_dry: bool,
    /// Documents that were read and not put in.
    pub(super) would: u64,
    pub(super) not_pruned: Option<&'static str>,
}

impl Tally {
    /// Something that is not in: where, and why.
    pub(super) fn fail(&mut self, place: &str, message: &str) {
        self.failed += 1;
        if self.failures.len() < KEPT {
            self.failures.push((place.to_owned(), message.to_owned()));
        }
    }

    /// What is left out, and why.
    pub(super) fn left_out(&self) -> Option<String> {
        let kind = |(why, LeftOut { count, examples }): (&String, &LeftOut)| {
            let more = if *count > examples.len() { ", ..." } else { "" };
            format!("{count} {why} ({}{more})", examples.join(", "))
        };
        let kinds: Vec<String> = self.left_out.iter().map(kind).collect();
        (!kinds.is_empty()).then(|| format!("left out: {}", kinds.join("; ")))
    }

    /// For people.
    pub(super) fn told(&self) -> String {
        let Self { files, created, replaced, unchanged, failed, .. } = self;
        let mut lines = vec![if self.is_dry {
            format!("{files} files: {} documents would be put in, {failed} failed", self.would)
        } else {
            format!(
                "{files} files: {created} documents created, {replaced} replaced, {unchanged} unchanged, {failed} failed"
            )
        }];
        if !self.removed.is_empty() {
            lines.push(format!(
                "{} {}",
                if self.is_dry { "would be removed:" } else { "removed:" },
                self.removed.len()
            ));
        }
        lines.extend(self.left_out());
        lines.extend(self.not_pruned.map(|why| format!("nothing was removed: {why}")));
        if self.failed > 0 {
            lines.push("mend what is told above, and run it again: what is in is not embedded again".to_owned());
        }
        lines.join("\n")
    }

    /// For machines.
    pub(super) fn json(&self, stopped: Option<&Stopped>) -> Value {
        let failures: Vec<Value> =
            self.failures.iter().map(|(place, message)| json!({"place": place, "message": message})).collect();
        let left_out: Vec<Value> = self
            .left_out
            .iter()
            .map(|(why, kind)| json!({"why": why, "count": kind.count, "examples": kind.examples}))
            .collect();
        json!({
            "files": self.files, "created": self.created, "replaced": self.replaced, "unchanged": self.unchanged,
            "failed": self.failed, "failures": failures, "left_out": left_out, "removed": self.removed,
            "dry_run": self.is_dry, "not_pruned": self.not_pruned,
            "stopped": stopped.map(|stopped| stopped.message.as_str()),
        })
    }
}

/// Some ids, and how many more there are.
pub(super) fn some(ids: &[String]) -> String {
    let mut lines: Vec<String> = ids.iter().take(TOLD).map(|id| format!("  {id}")).collect();
    if ids.len() > TOLD {
        lines.push(format!("  ... and {} more", ids.len() - TOLD));
    }
    lines.join("\n")
}
