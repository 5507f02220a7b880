//! The pod in the foreground, until somebody ends it.

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail};

use super::demo::MODEL;
use super::interrupted;
use super::launch::Pod;
use super::plan::{Environment, Plan};
use super::screen::Screen;

pub async fn up(environment: &Environment, screen: &mut Screen) -> Result<()> {
    let plan = Plan::of(environment)?;
    screen.title("The agent's pod on localhost. Ctrl-C ends it.")?;
    for note in &plan.notes {
        screen.text(&format!("  {note}"))?;
    }
    let hear = |name: &'static str| -> crate::process::Hear {
        Arc::new(move |line| {
            // Nobody to read it is no reason to stop.
            let _ = writeln!(std::io::stdout(), "  {name:<21} {line}");
        })
    };
    let mut pod = Pod::start(&plan.specs, hear, screen).await?;
    screen.title("Try next, in another terminal")?;
    screen.try_next(plan.listen, MODEL)?;
    if let Some(address) = plan.primary.simulated {
        screen.text(&format!(
            "  curl http://{address}/_control -d '{{\"rules\": []}}'    # mends {}\n",
            plan.primary.name
        ))?;
    }

    let lost = tokio::select! {
        end = interrupted() => { end?; None }
        lost = lost(&mut pod) => Some(lost),
    };
    screen.text("\n  Stopping.")?;
    let stopped = pod.stop().await;
    match lost {
        Some(lost) => bail!("{lost}"),
        None => stopped,
    }
}

async fn lost(pod: &mut Pod) -> String {
    loop {
        if let Some(lost) = pod.lost() {
            return lost;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
