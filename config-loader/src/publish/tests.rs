//! Publishing into real directories.

use std::{
    cell::RefCell,
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::PathBuf,
    sync::atomic::{AtomicBool, Ordering},
};

use rustix::io::Errno;
use tempfile::TempDir;

use super::{disk::Step, *};
use crate::manifest::{File, octal, sha256};

const WAIT: Duration = Duration::from_secs(30);

/// A set of these files, and its manifest.
pub(super) fn set(files: &[(&str, &str)]) -> (Vec<PublishedFile>, Manifest) {
    let files: Vec<PublishedFile> = files
        .iter()
        .map(|(target, content)| PublishedFile {
            target: (*target).to_owned(),
            bytes: Bytes::copy_from_slice(content.as_bytes()),
            mode: 0o444,
        })
        .collect();
    (files.clone(), manifest_of(&files))
}

fn manifest_of(files: &[PublishedFile]) -> Manifest {
    let told = |file: &PublishedFile| File {
        name: file.target.clone(),
        target: file.target.clone(),
        source: "inline".to_owned(),
        version: None,
        resolved: None,
        sha256: sha256(&file.bytes),
        bytes: file.bytes.len() as u64,
        mode: octal(file.mode),
        tokens: None,
        fetched: String::new(),
    };
    Manifest::new(Duration::ZERO, files.iter().map(told).collect())
}

/// Whether an agent that opens files by their names sees exactly these of `all`.
pub(super) fn agent_sees(directory: &Path, files: &[PublishedFile], manifest: &Manifest, all: &[&str]) -> bool {
    let there = fs::read(directory.join(manifest::NAME));
    there.is_ok_and(|bytes| bytes == manifest.to_bytes().unwrap())
        && all.iter().all(|target| {
            let content = fs::read(directory.join(target)).ok();
            content == files.iter().find(|file| file.target == *target).map(|file| file.bytes.to_vec())
        })
}

/// What begins with `..`, but for what is always there.
pub(super) fn versions(directory: &Path) -> Vec<String> {
    let names = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> =
        names.filter(|name| name.starts_with("..") && name != plan::DATA && name != plan::LOCK).collect();
    names.sort();
    names
}

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_set_is_published_changed_and_published_again() {
    let parent = TempDir::new().unwrap();
    let directory = parent.path().join("made/on/the/way");
    let all = ["system-prompt.txt", "tools.json", "prompts/de/a.txt", "other/x"];
    let (one, told_one) = set(&[(all[0], "be kind"), (all[1], "[]"), (all[2], "sei nett")]);
    assert_eq!(publish(&directory, &one, &told_one, WAIT).unwrap(), Published::Swapped);
    assert!(agent_sees(&directory, &one, &told_one, &all));
    assert_eq!(fs::read_link(directory.join("prompts")).unwrap(), PathBuf::from("..data/prompts"));
    let first = versions(&directory);
    assert_eq!(first.len(), 1);

    assert_eq!(publish(&directory, &one, &told_one, WAIT).unwrap(), Published::Unchanged);
    assert_eq!(versions(&directory), first);

    let (two, told_two) = set(&[(all[0], "be brief"), (all[3], "x")]);
    assert_eq!(publish(&directory, &two, &told_two, WAIT).unwrap(), Published::Swapped);
    assert!(agent_sees(&directory, &two, &told_two, &all));
    assert_eq!(versions(&directory).len(), 2, "the version before is kept for who is still in it");
    assert!(directory.join(&first[0]).join(all[1]).exists());
    assert!(fs::symlink_metadata(directory.join(all[1])).is_err(), "a link that leads nowhere is removed");

    assert_eq!(publish(&directory, &two, &told_two, WAIT).unwrap(), Published::Unchanged);
    assert_eq!(versions(&directory).len(), 1);
    let (told, files) = published(&directory).unwrap().unwrap();
    let mut sorted = two;
    sorted.sort_by(|a, b| a.target.cmp(&b.target));
    assert_eq!((told, files), (told_two, sorted));
}

#[test]
fn what_was_damaged_is_mended() {
    let directory = TempDir::new().unwrap();
    let directory = directory.path();
    let (files, told) = set(&[("a", "one"), ("b", "two")]);
    publish(directory, &files, &told, WAIT).unwrap();

    fs::remove_file(directory.join("a")).unwrap();
    symlink("..data/gone", directory.join("gone")).unwrap();
    assert_eq!(publish(directory, &files, &told, WAIT).unwrap(), Published::Unchanged);
    assert!(agent_sees(directory, &files, &told, &["a", "b"]));
    assert!(!names(directory).contains(&"gone".to_owned()));

    let inside = directory.join("..data/a");
    fs::set_permissions(&inside, fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(publish(directory, &files, &told, WAIT).unwrap(), Published::Swapped);
    fs::remove_file(&inside).unwrap();
    fs::write(&inside, "onE").unwrap();
    assert_eq!(publish(directory, &files, &told, WAIT).unwrap(), Published::Swapped);
    assert!(agent_sees(directory, &files, &told, &["a", "b"]));

    fs::remove_dir_all(directory.join(fs::read_link(directory.join("..data")).unwrap())).unwrap();
    assert_eq!(publish(directory, &files, &told, WAIT).unwrap(), Published::Swapped);
    assert!(agent_sees(directory, &files, &told, &["a", "b"]));
}

#[test]
fn a_stale_mark_is_published_though_the_files_are_the_same() {
    let directory = TempDir::new().unwrap();
    let (files, told) = set(&[("a", "one")]);
    publish(directory.path(), &files, &told, WAIT).unwrap();
    let stale = told.clone().into_stale(Duration::from_secs(9), Some(Duration::ZERO), "down");
    assert_eq!(publish(directory.path(), &files, &stale, WAIT).unwrap(), Published::Swapped);
    assert_eq!(published(directory.path()).unwrap().unwrap().0, stale);
    assert_eq!(publish(directory.path(), &files, &told, WAIT).unwrap(), Published::Swapped);
}

#[test]
fn permissions_are_those_asked_for_and_the_group_is_inherited() {
    let directory = TempDir::new().unwrap();
    fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o2775)).unwrap();
    let (mut files, _) = set(&[("d/a", "one"), ("b", "two")]);
    files[1].mode = 0o640;
    publish(directory.path(), &files, &manifest_of(&files), WAIT).unwrap();
    let mode = |path: &str| fs::metadata(directory.path().join(path)).unwrap().permissions().mode() & 0o7777;
    assert_eq!((mode("d/a"), mode("b"), mode("manifest.json")), (0o444, 0o640, 0o444));
    assert_eq!((mode("..data/"), mode("d"), mode("..lock")), (0o2755, 0o2755, 0o664));
}

#[test]
fn what_is_in_the_way_is_named_and_nothing_changes() {
    type Make = fn(&Path);
    let make: [(&str, Make); 5] = [
        ("tools.json", |path| fs::create_dir(path).unwrap()),
        ("tools.json", |path| fs::write(path, "mine").unwrap()),
        ("tools.json", |path| symlink("/etc/passwd", path).unwrap()),
        ("..data", |path| fs::create_dir(path).unwrap()),
        ("..data_tmp", |path| fs::write(path, "mine").unwrap()),
    ];
    for (name, make) in make {
        let directory = TempDir::new().unwrap();
        let directory = directory.path();
        fs::write(directory.join("..lock"), "").unwrap();
        make(&directory.join(name));
        let before = names(directory);
        let (files, told) = set(&[("tools.json", "[]"), ("a", "a")]);
        let failure = publish(directory, &files, &told, WAIT).unwrap_err();
        assert_eq!(failure.code, Code::Unavailable);
        assert!(failure.message.contains(&format!("`{}` is in the way", directory.join(name).display())), "{failure}");
        assert_eq!(names(directory), before);
    }
    let file = tempfile::NamedTempFile::new().unwrap();
    let (files, told) = set(&[("a", "a")]);
    let failure = publish(file.path(), &files, &told, WAIT).unwrap_err();
    assert!(failure.message.contains(&file.path().display().to_string()), "{failure}");
}

#[test]
fn what_is_somebody_elses_stays() {
    let directory = TempDir::new().unwrap();
    let directory = directory.path();
    fs::create_dir(directory.join("lost+found")).unwrap();
    fs::create_dir(directory.join("..2026_11_25_03_21_09.1")).unwrap();
    symlink("/etc", directory.join("..set-0123456789abcdef")).unwrap();
    for content in ["one", "two", "three"] {
        let (files, told) = set(&[("a", content)]);
        publish(directory, &files, &told, WAIT).unwrap();
    }
    for name in ["lost+found", "..2026_11_25_03_21_09.1", "..set-0123456789abcdef"] {
        assert!(names(directory).contains(&name.to_owned()), "{name}");
    }
}

#[test]
fn the_second_of_two_waits_for_the_first_and_not_for_ever() {
    let directory = TempDir::new().unwrap();
    let (files, told) = set(&[("a", "one")]);
    let lock = directory.path().join(plan::LOCK);
    let held = Disk::new().lock(&lock, chassis::clock::now()).unwrap().unwrap();
    let failure = publish(directory.path(), &files, &told, Duration::from_millis(50)).unwrap_err();
    assert_eq!(failure.code, Code::Deadline);
    assert!(failure.message.contains("..lock"), "{failure}");
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| publish(directory.path(), &files, &told, WAIT));
        drop(held);
        assert_eq!(waiting.join().unwrap().unwrap(), Published::Swapped);
    });
}

/// Each operation, failing once with each of these errors; what follows works, so that cleaning up can.
#[test]
fn whatever_fails_the_old_set_stands_and_nothing_is_left() {
    for errno in [Errno::NOSPC, Errno::ROFS, Errno::ACCESS, Errno::IO] {
        for failing in 0.. {
            let directory = TempDir::new().unwrap();
            let directory = directory.path();
            let (old, told_old) = set(&[("a", "old"), ("b/c", "old")]);
            let (new, told_new) = set(&[("a", "new"), ("d/e", "new")]);
            publish(directory, &old, &told_old, WAIT).unwrap();
            let before = names(directory);
            let count = RefCell::new(0);
            let failed = RefCell::new(None);
            let gate = |step: &Step| {
                let number = count.replace_with(|count| *count + 1);
                if number == failing {
                    failed.replace(Some(step.clone()));
                    return Err(errno.into());
                }
                Ok(())
            };
            let result = publish_on(&Disk::gated(&gate), directory, &new, &told_new, WAIT);
            let Some(step) = failed.take() else { break };
            let all = ["a", "b/c", "d/e"];
            match result {
                Ok(Published::Swapped) => assert!(agent_sees(directory, &new, &told_new, &all), "{step:?}"),
                Ok(Published::Unchanged) => panic!("{step:?}"),
                Err(failure) => {
                    let wanted = if errno == Errno::ACCESS { Code::Denied } else { Code::Unavailable };
                    assert_eq!(failure.code, wanted, "{step:?}");
                    assert!(failure.message.contains(&step.path.display().to_string()), "{failure}");
                    assert!(failure.hint.is_some());
                    assert!(errno != Errno::NOSPC || failure.message.contains("needs"), "{failure}");
                    assert!(agent_sees(directory, &old, &told_old, &all), "{step:?}");
                    assert_eq!(names(directory), before, "{step:?}");
                }
            }
        }
    }
}

#[test]
fn all_that_is_made_visible_is_on_the_disk_before() {
    let directory = TempDir::new().unwrap();
    let (files, told) = set(&[("a", "x"), ("b/c", "y")]);
    let steps = RefCell::new(Vec::new());
    let gate = |step: &Step| {
        steps.borrow_mut().push(step.clone());
        Ok(())
    };
    publish_on(&Disk::gated(&gate), directory.path(), &files, &told, WAIT).unwrap();
    let steps = steps.into_inner();
    let swap = steps.iter().position(|step| step.what == "replace").unwrap();
    for (at, step) in
        steps[..swap].iter().enumerate().filter(|(_, step)| ["make", "write", "link"].contains(&step.what))
    {
        let synced = |path: &Path| steps[at..swap].iter().any(|later| later.what == "sync" && later.path == path);
        if step.path == directory.path() {
            continue;
        }
        assert!(step.what == "link" || synced(&step.path), "{step:?}");
        assert!(synced(step.path.parent().unwrap()), "the name of {step:?}");
    }
    assert_eq!(steps.last().unwrap(), &Step { what: "sync", path: directory.path().to_owned() });
    // Each file by itself would be waited for by itself.
    let last = steps.iter().rposition(|step| step.what == "write").unwrap();
    assert!(steps[..last].iter().all(|step| step.what != "sync"), "{steps:?}");
}

#[test]
fn readers_see_whole_sets_while_they_change() {
    let directory = TempDir::new().unwrap();
    let directory = directory.path();
    let sets: Vec<_> = ["a".repeat(200_000), "b".repeat(100_000)]
        .iter()
        .map(|content| set(&[("x", content.as_str()), ("d/y", content.as_str())]))
        .collect();
    publish(directory, &sets[0].0, &sets[0].1, WAIT).unwrap();
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let reader = || {
            let mut seen = [0_usize; 2];
            while !over.load(Ordering::Relaxed) || seen.contains(&0) {
                // By its own name, a file is always there and always whole.
                let x = fs::read(directory.join("x")).unwrap();
                assert!(sets.iter().any(|(files, _)| files[0].bytes == x));
                // A reader that stays in one version sees one set, unless two more were published meanwhile.
                let version = directory.join(fs::read_link(directory.join("..data")).unwrap());
                let all = (
                    fs::read(version.join("x")),
                    fs::read(version.join("d/y")),
                    fs::read(version.join("manifest.json")),
                );
                if let (Ok(x), Ok(y), Ok(told)) = all {
                    let which = sets.iter().position(|(files, manifest)| {
                        files[0].bytes == x && files[1].bytes == y && manifest.to_bytes().unwrap() == told
                    });
                    seen[which.expect("one of the sets")] += 1;
                }
            }
        };
        let readers = [scope.spawn(reader), scope.spawn(reader)];
        let mut turn = 0;
        while turn < 100 || readers.iter().any(|reader| !reader.is_finished()) {
            over.store(turn >= 100, Ordering::Relaxed);
            turn += 1;
            let (files, told) = &sets[turn % 2];
            publish(directory, files, told, WAIT).unwrap();
        }
    });
}
