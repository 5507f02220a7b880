//! Where futures run: the runtime of a process, and the only `tokio::spawn` of the workspace.
//!
//! A spawned task that panics is easy to lose, because nobody has to look at its handle. Here the
//! panic is logged with the place that spawned the task, and only then handed on.

use std::future::{Future, poll_fn};
use std::io;
use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};
use std::pin::pin;
use std::thread;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

/// More workers than this do not make a sidecar faster; they only make it heavier.
const MAX_WORKERS: usize = 4;

/// How long what was left running may take to notice that it is over.
const LEFTOVERS: Duration = Duration::from_millis(100);

/// The runtime for the data plane of a process.
///
/// With one CPU (the cgroup quota counts) everything runs on the calling thread, which spares the
/// hand-over between threads; otherwise there are as many workers as CPUs, at most 4.
///
/// # Errors
///
/// When the operating system refuses a thread or an epoll instance.
pub fn runtime() -> io::Result<Runtime> {
    let cpus = thread::available_parallelism().map_or(1, usize::from);
    if cpus == 1 {
        return Builder::new_current_thread().enable_all().build();
    }
    Builder::new_multi_thread().worker_threads(cpus.min(MAX_WORKERS)).enable_all().build()
}

/// Spawns `future` on the current runtime. A panic inside is logged, then visible in the handle as
/// usual.
///
/// The task runs on when the handle is dropped.
///
/// # Panics
///
/// Outside of a tokio runtime, as `tokio::spawn` does.
#[track_caller]
pub fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let spawner = Location::caller();
    #[allow(clippy::disallowed_methods, reason = "the one place that spawns")]
    tokio::spawn(watched(future, spawner))
}

async fn watched<F: Future>(future: F, spawner: &'static Location<'static>) -> F::Output {
    let mut future = pin!(future);
    poll_fn(move |context| {
        // The future is never polled again after a panic, so no broken invariant of it can be seen.
        match catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(context))) {
            Ok(poll) => poll,
            Err(panic) => {
                tracing::error!(spawned_at = %spawner, "a task panicked");
                resume_unwind(panic)
            }
        }
    })
    .await
}

/// Runs `future` to its end on a fresh [`runtime`], on the calling thread. What it has spawned is dropped then; a call
/// that blocks a thread (a name look-up) is not waited for.
///
/// # Errors
///
/// When the runtime cannot be built.
pub fn block_on<F: Future>(future: F) -> io::Result<F::Output> {
    run(runtime()?, future)
}

/// The same on this thread alone, for a process that lives for some milliseconds, of which threads would be a part.
///
/// # Errors
///
/// When the runtime cannot be built.
pub fn block_on_this_thread<F: Future>(future: F) -> io::Result<F::Output> {
    run(Builder::new_current_thread().enable_all().build()?, future)
}

fn run<F: Future>(runtime: Runtime, future: F) -> io::Result<F::Output> {
    let output = runtime.block_on(future);
    runtime.shutdown_timeout(LEFTOVERS);
    Ok(output)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_returns_its_value() {
        let value = block_on(async { spawn(async { 7 }).await }).unwrap();
        assert_eq!(value.unwrap(), 7);
        let here = thread::current().id();
        let there = block_on_this_thread(async { spawn(async { thread::current().id() }).await }).unwrap();
        assert_eq!(there.unwrap(), here);
    }

    #[test]
    fn the_end_does_not_wait_for_a_thread_that_is_blocked() {
        let (hold, held) = std::sync::mpsc::channel::<()>();
        block_on(async {
            drop(tokio::task::spawn_blocking(move || held.recv()));
        })
        .unwrap();
        // Only now may the thread go on: an end that waited for it would never have come.
        drop(hold);
    }

    #[test]
    fn a_panic_stays_in_its_task() {
        let result = block_on(async { spawn(async { panic!("oh no") }).await }).unwrap();
        assert!(result.unwrap_err().is_panic());
    }
}
