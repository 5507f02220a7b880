//! What the ambassador's metrics say about the two requests.

use std::io;

use anyhow::{Result, ensure};

use super::plan::Plan;
use super::screen::Screen;
use super::set::Set;
use crate::http;
use crate::metrics::Scrape;

pub(super) struct Account {
    scrape: Scrape,
}

impl Account {
    pub(super) async fn of(plan: &Plan) -> Result<Self> {
        Ok(Self { scrape: Scrape::of(&http::get(plan.admin, "/metrics").await?.text()) })
    }

    pub(super) fn print(&self, screen: &mut Screen) -> io::Result<()> {
        let sum = |name: &str, labels: &[(&str, &str)]| self.scrape.sum(name, labels);
        let status = |status| sum("llm_requests_total", &[("status", status)]);
        screen.row("requests", &format!("{} success, {} error", status("success"), status("error")))?;
        for (reason, count) in self.failovers() {
            screen.row("failed over", &format!("{count} x {reason}"))?;
        }
        let tokens = |direction| sum("llm_tokens_total", &[("direction", direction)]);
        screen.row("tokens", &format!("{} input, {} output", tokens("input"), tokens("output")))?;
        screen.row("cost", &format!("${:.6}", sum("llm_cost_dollars_total", &[])))?;
        screen.row("set", self.digest())
    }

    pub(super) fn check(&self, plan: &Plan, set: &Set) -> Result<()> {
        let told = self.digest();
        ensure!(told == set.digest, "config_set_info tells of the set {told:?}, not {:?}", set.digest);
        let success = self.scrape.sum("llm_requests_total", &[("status", "success")]);
        ensure!(success == 2.0, "two requests were answered, but llm_requests_total says {success}");
        ensure!(self.scrape.sum("llm_tokens_total", &[]) > 0.0, "llm_tokens_total counts no token");
        ensure!(
            !plan.primary.fails || !self.failovers().is_empty(),
            "the metrics tell of no failover, although there was one"
        );
        Ok(())
    }

    /// By which set this pod can be told from another.
    fn digest(&self) -> &str {
        let info = self.scrape.samples().find(|sample| sample.name == "config_set_info");
        info.and_then(|sample| sample.labels.get("digest")).map_or("", String::as_str)
    }

    /// The series that count failovers, as `label=value` and a count.
    fn failovers(&self) -> Vec<(String, f64)> {
        let counted = self.scrape.samples().filter(|sample| sample.name.contains("failover") && sample.value > 0.0);
        counted
            .map(|sample| {
                let labels: Vec<String> = sample.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
                (labels.join(" "), sample.value)
            })
            .collect()
    }
}
