//! A fault and what is to be heard of it; and many of them at a time.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::Mutex,
    thread,
};

use crate::{
    pod::{Ended, Pod, Tree},
    set::{CANARY, Set},
};

/// What 10 GiB or a bomb may make of the process: it holds what is allowed (16 MiB) a few times over, and not more.
const PEAK: u64 = 200 << 20;

/// How many run at a time: most of them wait.
const AT_A_TIME: usize = 10;

/// How much of a termination message Kubernetes keeps.
const SUMMARY: usize = 4096;

/// What is to be heard of a fault.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) code: i32,
    /// Which file or what was done: how the line begins.
    pub(crate) begins: String,
    /// Where, somewhere in the line.
    pub(crate) place: String,
    pub(crate) says: &'static str,
    pub(crate) hint: &'static str,
}

impl Case {
    /// A fault of the file that is tested.
    pub(crate) fn of(place: &str, code: i32, says: &'static str, hint: &'static str) -> Self {
        Self { code, begins: "tested".to_owned(), place: place.to_owned(), says, hint }
    }

    pub(crate) fn check(&self, ended: &Ended) {
        let Ended { code, stderr, log, .. } = ended;
        assert_eq!(*code, Some(self.code), "{stderr}");
        assert!(log.len() <= SUMMARY && log.starts_with(&format!("failed (exit code {}, ", self.code)), "{log}");
        let (_, lines) = log.split_once('\n').unwrap();
        // Ended by a signal, other threads may have a last word at this level of the log.
        assert!(stderr.contains(lines.trim_end()), "{stderr}");
        let line =
            lines.lines().find(|line| line.starts_with(&self.begins)).unwrap_or_else(|| panic!("no line: {log}"));
        // A message that has no hint says in parentheses what to do, or what was expected.
        assert!(["; ", "(", "expected "].iter().any(|it| line.contains(it)), "it does not say what to do: {line}");
        for words in [&self.place, self.says, self.hint] {
            assert!(line.contains(words), "`{words}` is missing in: {line}");
        }
    }
}

/// A good set is published, then something happens, and the set is loaded that comes of it: it fails as it should, and
/// what was published stands.
pub(crate) fn stands(pod: &Pod, good: &Set, fault: impl FnOnce() -> Set, case: &Case) {
    let first = pod.load(good);
    assert_eq!(first.code, Some(0), "before the fault: {}", first.stderr);
    let bad = fault();
    let before = pod.tree();
    let ended = pod.load(&bad);
    case.check(&ended);
    unharmed(pod, &before, &ended);
    harmless(pod, &first);
}

/// What was published is what was there, and nothing besides.
pub(crate) fn unharmed(pod: &Pod, before: &Tree, ended: &Ended) {
    assert!(["..data", "manifest.json"].iter().all(|name| before.contains_key(Path::new(name))), "{before:?}");
    assert_eq!(&pod.tree(), before);
    harmless(pod, ended);
}

/// It told no secret, and did not take much.
pub(crate) fn harmless(pod: &Pod, ended: &Ended) {
    let Ended { stdout, stderr, log, peak, .. } = ended;
    let manifest = std::fs::read_to_string(pod.published().join("manifest.json")).unwrap();
    for said in [stdout, stderr, log, &manifest] {
        assert!(!said.contains(CANARY), "it tells a secret: {said}");
    }
    assert!(*peak < PEAK, "it took {peak} bytes");
}

/// A set is loaded, and the tested file has these bytes then.
pub(crate) fn succeeds(pod: &Pod, set: &Set, expected: &[u8]) {
    let ended = pod.load(set);
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert_eq!(std::fs::read(pod.published().join(set.target)).unwrap(), expected);
    assert!(ended.log.starts_with("ok (exit code 0): published: 1 file"), "{}", ended.log);
    assert!(ended.stdout.ends_with(&ended.log), "{}", ended.stdout);
    // It can be seen, unless the process ends at once.
    assert!(ended.peak > 0);
    harmless(pod, &ended);
}

/// Something to be tried, and what it is called.
pub(crate) type Job<'a> = (String, Box<dyn FnOnce() + Send + 'a>);

/// Tries all, some at a time, and tells of all that failed.
pub(crate) fn each(jobs: Vec<Job<'_>>) {
    assert!(!jobs.is_empty());
    let (jobs, failed) = (Mutex::new(jobs), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(|| {
                loop {
                    let Some((name, job)) = jobs.lock().unwrap().pop() else { break };
                    if let Err(panic) = catch_unwind(AssertUnwindSafe(job)) {
                        let why = panic.downcast_ref::<String>().cloned();
                        let why = why.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
                        failed.lock().unwrap().push(format!("{name}: {}", why.unwrap_or_default()));
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap();
    assert!(failed.is_empty(), "{} failed:\n{}", failed.len(), failed.join("\n\n"));
}
