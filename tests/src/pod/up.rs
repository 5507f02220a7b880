//! The pod in the foreground, until somebody ends it.

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail};

use super::demo::MODEL;
use super::interrupted;
use super::launch::{Pod, started};
use super::plan::{Environment, Plan};
use super::screen::Screen;
use super::set::Set;
use super::spec::Role;
use crate::provider::RECIPES;

pub async fn up(environment: &Environment, screen: &mut Screen) -> Result<()> {
    let plan = Plan::of(environment)?;
    screen.title("The agent's pod on localhost. Ctrl-C ends it.")?;
    for note in &plan.notes {
        screen.text(&format!("  {note}"))?;
    }
    let hear = |name: &'static str| -> crate::process::Hear {
        Arc::new(move |line| {
            // The row of its start says so already.
            if line.starts_with("listening on ") {
                return;
            }
            // Nobody to read it is no reason to stop.
            let _ = writeln!(std::io::stdout(), "  {name:<21} {line}");
        })
    };
    let mut pod = started(&plan, hear, screen).await?;
    let set = Set::read(&plan.config)?;
    screen.title(&format!("The agent's set, in {}", plan.config.display()))?;
    set.print(screen)?;
    screen.title("Try next, in another terminal")?;
    screen.try_next(plan.port.at, plan.library.port.at, MODEL)?;
    failures(&plan, screen)?;

    let lost = tokio::select! {
        end = interrupted() => { end?; None }
        lost = lost(&mut pod, screen) => Some(lost),
    };
    screen.text("\n  Stopping.")?;
    let stopped = pod.stop().await;
    match lost {
        Some(lost) => bail!("{lost}"),
        None => stopped,
    }
}

/// How to have the simulated providers fail, and fail otherwise.
fn failures(plan: &Plan, screen: &mut Screen) -> Result<()> {
    let Some(address) = plan.primary.simulated else { return Ok(()) };
    screen.text(&format!("  The simulated {}, as you want to see it:\n", plan.primary.name))?;
    for (script, what) in RECIPES {
        screen.text(&format!("  curl http://{address}/_control -d '{script}'    # {what}"))?;
    }
    screen.text(&format!(
        "\n  While it hangs, a stream fails over after 60 s; a whole answer may take 10 minutes and is waited for as long.\n  A stream, also to see one cut:\n\n  curl -N http://{}/v1/chat/completions -H 'content-type: application/json' -d '{{\"model\": \"{MODEL}\", \"stream\": true, \"messages\": [{{\"role\": \"user\", \"content\": \"Hello\"}}]}}'\n",
        plan.port.at
    ))?;
    if let Some(address) = plan.fallback.simulated {
        screen
            .text(&format!("  The simulated {} takes the same at http://{address}/_control.\n", plan.fallback.name))?;
    }
    Ok(())
}

/// Returns when the pod has lost a process of its own. A simulated provider is none: that one ends is what an
/// ambassador is for.
async fn lost(pod: &mut Pod, screen: &mut Screen) -> String {
    loop {
        for ended in pod.ended() {
            match ended.role {
                Role::World => {
                    // Nobody to read it is no reason to stop here either.
                    let _ =
                        screen.text(&format!("  {}; the pod goes on. To have it back:\n  {}", ended.what, ended.line));
                }
                Role::Init | Role::Sidecar => return format!("{}:\n{}", ended.what, ended.last_words),
            }
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
