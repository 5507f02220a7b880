//! The end of what cannot be given up by itself: at the deadline, or when somebody says so.
//!
//! It may come anywhere: whatever was done by then, readers see the old set or the new one.

use std::{
    io,
    path::PathBuf,
    sync::{Arc, mpsc},
    thread,
    time::Instant,
};

use chassis::{exit::Code, output, shutdown::Signals};
use config_loader::{
    failure::Failure,
    report::{self, Failed, Outcome},
    stage::Progressing,
};
use tokio::{runtime::Builder, sync::oneshot};

/// Ends the process at a deadline or at a signal, unless it is dropped before.
#[derive(Debug)]
pub(crate) struct Watch(#[expect(dead_code, reason = "what counts is when it is dropped")] oneshot::Sender<()>);

/// How the end is told.
#[derive(Debug)]
pub(crate) struct End {
    /// Where the summary is left, if anywhere.
    pub(crate) log: Option<PathBuf>,
    /// Whether people read what is said.
    pub(crate) people: bool,
}

impl Watch {
    /// Watches from now on, on a thread of its own: the others may all be busy.
    ///
    /// # Errors
    /// There is no thread to be had, or no signals.
    pub(crate) fn until(until: Instant, stage: Arc<Progressing>, how: End) -> io::Result<Self> {
        let (alive, over) = oneshot::channel();
        let (ready, watching) = mpsc::sync_channel(1);
        thread::Builder::new().name("watch".to_owned()).spawn(move || {
            let runtime = match Builder::new_current_thread().enable_all().build() {
                Ok(runtime) => runtime,
                Err(error) => return drop(ready.send(Err(error))),
            };
            let why = runtime.block_on(async {
                let mut signals = match Signals::install() {
                    Ok(signals) => signals,
                    Err(error) => {
                        let _nobody_waits = ready.send(Err(error));
                        return None;
                    }
                };
                let _nobody_waits = ready.send(Ok(()));
                tokio::select! {
                    biased;
                    _dropped = over => None,
                    signal = signals.next() => Some(stopped(signal, &stage)),
                    () = tokio::time::sleep_until(until.into()) => Some(late(&stage)),
                }
            });
            if let Some(failure) = why {
                end(failure, how);
            }
        })?;
        watching.recv().map_err(io::Error::other)??;
        Ok(Self(alive))
    }
}

fn stopped(signal: &str, stage: &Progressing) -> Failure {
    Failure::new(Code::Deadline, format!("stopped by {signal} while {}", stage.now().doing()))
        .with_hint("nothing is wrong with it: run it again")
}

fn late(stage: &Progressing) -> Failure {
    let stage = stage.now();
    Failure::new(Code::Deadline, format!("the deadline came while {}", stage.doing())).with_hint(stage.remedy())
}

#[expect(clippy::disallowed_methods, reason = "main is what is busy: it cannot return")]
fn end(failure: Failure, End { log, people }: End) -> ! {
    let failed = [Failed { name: "the set".to_owned(), source: None, failure }];
    let text = Outcome::Failed(&failed).text();
    if people {
        output::complain(text.trim_end());
    } else {
        failed.iter().for_each(report::log);
    }
    if let Some(log) = log {
        report::leave(&log, &text);
    }
    std::process::exit(Code::Deadline as i32)
}
