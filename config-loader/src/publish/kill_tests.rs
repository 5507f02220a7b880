//! Publishing, killed: at each operation of the file system, and by SIGKILL whenever.

use std::{
    cell::Cell,
    fs,
    io::{self, Write as _},
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use tempfile::TempDir;

use super::{
    disk::Step,
    tests::{agent_sees, set, versions},
    *,
};

const WAIT: Duration = Duration::from_secs(30);
const ALL: [&str; 4] = ["kept", "nested/old", "nested/new", "new"];

type Set = (Vec<PublishedFile>, Manifest);

fn old_and_new() -> (Set, Set) {
    // More than one write each.
    let (old, new) = ("o".repeat(150_000), "n".repeat(150_000));
    (set(&[(ALL[0], &old), (ALL[1], &old)]), set(&[(ALL[0], &new), (ALL[2], &new), (ALL[3], "n")]))
}

/// Publishes on a disk that dies after `lives` operations; whether it lived.
fn publish_and_die(directory: &Path, (files, told): &Set, lives: usize) -> bool {
    let left = Cell::new(lives);
    let dead = Cell::new(false);
    let gate = |_: &Step| match left.get() {
        0 => {
            dead.set(true);
            Err(io::Error::other("killed"))
        }
        some => {
            left.set(some - 1);
            Ok(())
        }
    };
    let _whatever = publish_on(&Disk::gated(&gate), directory, files, told, WAIT);
    !dead.get()
}

/// Runs `after` on a directory in which publishing `set` died after each number of operations, until it lives.
fn at_each_operation(prepare: impl Fn(&Path), set: &Set, mut after: impl FnMut(&Path, usize)) -> usize {
    for lives in 0.. {
        let directory = TempDir::new().unwrap();
        prepare(directory.path());
        if publish_and_die(directory.path(), set, lives) {
            return lives;
        }
        after(directory.path(), lives);
    }
    unreachable!("it lives at last")
}

fn sees(directory: &Path, (files, told): &Set) -> bool {
    agent_sees(directory, files, told, &ALL)
}

#[test]
fn killed_anywhere_a_reader_sees_the_old_or_the_new_set_and_the_next_run_tidies_up() {
    let (old, new) = old_and_new();
    let (mut before, mut after) = (0, 0);
    let operations = at_each_operation(
        |directory| assert_eq!(publish(directory, &old.0, &old.1, WAIT).unwrap(), Published::Swapped),
        &new,
        |directory, lives| {
            match (sees(directory, &old), sees(directory, &new)) {
                (true, false) => before += 1,
                (false, true) => after += 1,
                neither => panic!("after {lives} operations: {neither:?}"),
            }
            publish(directory, &new.0, &new.1, WAIT).unwrap();
            assert!(sees(directory, &new), "after {lives} operations");
            assert!(versions(directory).len() <= 2, "after {lives} operations: {:?}", versions(directory));
            assert_eq!(publish(directory, &new.0, &new.1, WAIT).unwrap(), Published::Unchanged);
            assert_eq!(versions(directory).len(), 1);
            assert!(fs::symlink_metadata(directory.join("..data_tmp")).is_err());
        },
    );
    assert_eq!(before + after, operations);
    assert!(before > 20 && after > 0, "{before} {after}");
}

#[test]
fn killed_anywhere_in_its_first_run_nothing_or_all_is_seen_and_any_set_can_be_next() {
    let (old, new) = old_and_new();
    at_each_operation(
        |_| {},
        &new,
        |directory, lives| {
            let nothing = ALL.iter().all(|name| fs::read(directory.join(name)).is_err());
            assert!(nothing || sees(directory, &new), "after {lives} operations");
            publish(directory, &old.0, &old.1, WAIT).unwrap();
            assert!(sees(directory, &old), "after {lives} operations");
        },
    );
}

#[test]
fn killed_twice_is_no_worse_than_once() {
    let (old, new) = old_and_new();
    // Every seventh operation of the first run: with each of the second that is all there is time for.
    for first in (0..60).step_by(7) {
        at_each_operation(
            |directory| {
                publish(directory, &old.0, &old.1, WAIT).unwrap();
                publish_and_die(directory, &new, first);
            },
            &new,
            |directory, lives| {
                assert!(sees(directory, &old) || sees(directory, &new), "after {first} and {lives} operations");
                publish(directory, &old.0, &old.1, WAIT).unwrap();
                assert!(
                    sees(directory, &old) && versions(directory).len() <= 2,
                    "after {first} and {lives} operations"
                );
            },
        );
    }
}

/// This test binary again, with one of the helpers below, and where it is to work.
fn helper(mut command: Command, name: &str, directory: &Path) -> Child {
    command.args(["--ignored", "--exact", &format!("publish::kill_tests::{name}")]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    writeln!(child.stdin.take().unwrap(), "{}", directory.display()).unwrap();
    child
}

/// Where a helper is to work; nothing when a person runs it.
fn told() -> Option<PathBuf> {
    let mut line = String::new();
    io::stdin().read_line(&mut line).unwrap();
    Some(line.trim()).filter(|line| !line.is_empty()).map(PathBuf::from)
}

#[test]
fn killed_for_real_a_reader_sees_the_old_or_the_new_set() {
    let directory = TempDir::new().unwrap();
    let directory = directory.path();
    let (old, new) = old_and_new();
    publish(directory, &old.0, &old.1, WAIT).unwrap();
    let mut found = 0;
    for round in 0..60_u64 {
        let mut child =
            helper(Command::new(std::env::current_exe().unwrap()), "helper_publishes_until_killed", directory);
        std::thread::sleep(Duration::from_micros(5_000 + round * 1_237 % 30_000));
        child.kill().unwrap();
        assert_eq!(child.wait().unwrap().code(), None, "it ended before it was killed");
        found += versions(directory).len().saturating_sub(1);
        assert!(sees(directory, &old) || sees(directory, &new), "round {round}");
    }
    assert!(found > 0, "it was never killed at work");
    publish(directory, &new.0, &new.1, WAIT).unwrap();
    publish(directory, &new.0, &new.1, WAIT).unwrap();
    assert!(sees(directory, &new) && versions(directory).len() == 1);
}

#[test]
#[ignore = "a helper of killed_for_real_a_reader_sees_the_old_or_the_new_set"]
fn helper_publishes_until_killed() {
    let Some(directory) = told() else { return };
    let (old, new) = old_and_new();
    loop {
        publish(&directory, &old.0, &old.1, WAIT).unwrap();
        publish(&directory, &new.0, &new.1, WAIT).unwrap();
    }
}

/// A real tmpfs, in a user namespace: where there are none, the simulated errors have to do.
#[test]
fn a_volume_that_is_full_or_read_only_keeps_what_it_has() {
    let mut probe = Command::new("unshare");
    let allowed = probe.args(["-Urm", "mount", "-t", "tmpfs", "x", "/tmp"]).stderr(Stdio::null()).status();
    if !allowed.is_ok_and(|status| status.success()) {
        e2e::skip!("no user namespaces here: not tried on a real volume");
    }
    let directory = TempDir::new().unwrap();
    let script = "mount -t tmpfs -o size=512k x \"$0\" && exec \"$@\"";
    let mut command = Command::new("unshare");
    command.args(["-Urm", "sh", "-c", script]).arg(directory.path()).arg(std::env::current_exe().unwrap());
    assert!(helper(command, "helper_fills_its_volume", directory.path()).wait().unwrap().success());
}

#[test]
#[ignore = "a helper of a_volume_that_is_full_or_read_only_keeps_what_it_has"]
fn helper_fills_its_volume() {
    let Some(directory) = told() else { return };
    let (old, _) = old_and_new();
    let large = "x".repeat(400_000);
    let large = set(&[(ALL[0], &large)]);
    publish(&directory, &old.0, &old.1, WAIT).unwrap();
    let before = versions(&directory);

    let failure = publish(&directory, &large.0, &large.1, WAIT).unwrap_err();
    assert_eq!(failure.code, Code::Unavailable);
    assert!(failure.message.contains(ALL[0]) && failure.message.contains("the set needs 400"), "{failure}");
    assert!(sees(&directory, &old));
    assert_eq!(versions(&directory), before);

    let status = Command::new("mount").args(["-o", "remount,ro"]).arg(&directory).status().unwrap();
    assert!(status.success());
    let failure = publish(&directory, &large.0, &large.1, WAIT).unwrap_err();
    assert_eq!(failure.code, Code::Unavailable);
    assert!(failure.hint.clone().unwrap().contains("readOnly"), "{failure}");
    assert!(sees(&directory, &old));
}
