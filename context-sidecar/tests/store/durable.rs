//! The embedded store when processes are killed, disks are full, and files are not what they were.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use context_core::scope::Scope;
use context_sidecar::store::{Fault, Legs, Store as _, Which, embedded::Embedded};

use crate::data::{Random, kind, point, points};
use crate::naive::{self, assert_alike};

/// Chunks of each document that a helper writes.
const CHUNKS: u32 = 5;

pub(crate) fn scope() -> Scope {
    Scope { tenant: "acme".parse().unwrap(), collection: "docs".parse().unwrap() }
}

/// This test binary again, with one of the helpers below; `line` tells it what to do.
fn helper(mut command: Command, name: &str, line: &str) -> Child {
    command.args(["--ignored", "--exact", "--nocapture", &format!("durable::{name}")]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    writeln!(child.stdin.take().unwrap(), "{line}").unwrap();
    child
}

fn this() -> Command {
    Command::new(std::env::current_exe().unwrap())
}

/// What a helper is told; nothing when a person runs it.
fn told() -> Option<String> {
    let mut line = String::new();
    io::stdin().read_line(&mut line).unwrap();
    Some(line.trim().to_owned()).filter(|line| !line.is_empty())
}

#[tokio::test]
async fn killed_while_writing_it_reopens_whole_and_nothing_acknowledged_is_lost() {
    let directory = tempfile::tempdir().unwrap();
    let (mut there, mut next, mut in_between) = (BTreeSet::new(), 0_usize, 0);
    for round in 0..25_u64 {
        let mut child = helper(this(), "helper_writes_until_killed", &format!("{} {next}", directory.path().display()));
        let stdout = child.stdout.take().unwrap();
        let heard =
            std::thread::spawn(move || BufReader::new(stdout).lines().map_while(Result::ok).collect::<Vec<_>>());
        std::thread::sleep(Duration::from_micros(60_000 + round * 7_919 % 50_000));
        if round == 0 {
            // It has the store open by now, or will not get it.
            let refused = Embedded::open(directory.path()).map(|_| ());
            assert!(refused.is_ok() || matches!(refused, Err(Fault::Refused(_))), "{refused:?}");
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let mut unsure = BTreeSet::new();
        for line in heard.join().unwrap() {
            let mut words = line.split(' ');
            let (Some(what), Some(Ok(number))) = (words.next(), words.next().map(str::parse::<usize>)) else {
                continue;
            };
            next = next.max(number + 1);
            match what {
                // What has begun may have come to its end, or not.
                "puts" | "deletes" => _ = unsure.insert(number),
                "put" => _ = (there.insert(number), unsure.remove(&number)),
                "deleted" => _ = (there.remove(&number), unsure.remove(&number)),
                _ => {}
            }
        }
        in_between += unsure.len();
        let store = Embedded::open(directory.path()).unwrap();
        if store.collection(&scope().collection).await.unwrap().is_none() {
            assert!(there.is_empty());
            continue;
        }
        let found: BTreeMap<String, u32> =
            store.documents(&scope(), None, None, 1_000_000, 0).await.unwrap().into_iter().collect();
        assert!(found.values().all(|chunks| *chunks == CHUNKS), "half a document: {found:?}");
        let found: BTreeSet<usize> =
            found.keys().map(|name| name.trim_start_matches("doc-").parse().unwrap()).collect();
        let differ: Vec<_> = found.symmetric_difference(&there).filter(|number| !unsure.contains(number)).collect();
        assert!(differ.is_empty(), "in round {round}: {differ:?}");
        there = found;
        for number in there.iter().rev().take(3) {
            let expected = document(*number);
            let ids: Vec<_> = expected.iter().map(|point| point.id).collect();
            let mut read = store.get(&scope(), &ids, true, 0).await.unwrap();
            read.sort_by_key(|point| point.chunk.chunk);
            assert!(read.iter().map(|point| &point.chunk).eq(expected.iter().map(|point| &point.chunk)));
            let legs = Legs { dense: None, lexical: Some((expected[0].lexical.clone(), 1_000)) };
            let hits = store.search(&scope(), &legs, None, 0).await.unwrap().lexical.unwrap();
            assert!(hits.iter().any(|hit| hit.id == ids[0]));
        }
    }
    assert!(there.len() > 20 && in_between > 0, "it was never killed at work: {} {in_between}", there.len());
}

fn document(number: usize) -> Vec<context_core::point::Point> {
    let mut random = Random::new(number as u64 + 1_000);
    (0..CHUNKS).map(|chunk| point(&scope(), &format!("doc-{number}"), chunk, &mut random)).collect()
}

#[test]
#[ignore = "a helper of killed_while_writing_it_reopens_whole_and_nothing_acknowledged_is_lost"]
fn helper_writes_until_killed() {
    let Some(line) = told() else { return };
    let (directory, first) = line.rsplit_once(' ').unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let store = Embedded::open(Path::new(directory)).unwrap();
        store.create(&scope().collection, &kind()).await.unwrap();
        let first: usize = first.parse().unwrap();
        for number in first.. {
            println!("puts {number}");
            store.put(&scope(), &document(number)).await.unwrap();
            println!("put {number}");
            if number % 3 == 2 && number > first {
                let gone = number - 1;
                println!("deletes {gone}");
                store.delete(&scope(), &Which::Documents(vec![format!("doc-{gone}")])).await.unwrap();
                println!("deleted {gone}");
            }
        }
    });
}

/// A real tmpfs, in a user namespace.
#[test]
fn on_a_full_disk_it_refuses_and_goes_on() {
    let mut probe = Command::new("unshare");
    let allowed = probe.args(["-Urm", "mount", "-t", "tmpfs", "x", "/tmp"]).stderr(Stdio::null()).status();
    if !allowed.is_ok_and(|status| status.success()) {
        e2e::skip!("there are no user namespaces here, to mount a small volume in");
    }
    let directory = tempfile::tempdir().unwrap();
    let mut command = Command::new("unshare");
    command.args(["-Urm", "sh", "-c", "mount -t tmpfs -o size=12m x \"$0\" && exec \"$@\""]).arg(directory.path());
    command.arg(std::env::current_exe().unwrap());
    fills_its_volume(command, directory.path());
}

#[test]
fn at_the_limit_of_a_files_size_it_refuses_and_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let mut command = Command::new("bash");
    command.args(["-c", "trap '' XFSZ; ulimit -f 12000; exec \"$@\"", "bash"]).arg(std::env::current_exe().unwrap());
    fills_its_volume(command, directory.path());
}

fn fills_its_volume(command: Command, directory: &Path) {
    let output = helper(command, "helper_fills_its_volume", directory.to_str().unwrap()).wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("it went on"), "{said}");
}

#[test]
#[ignore = "a helper of on_a_full_disk_it_refuses_and_goes_on"]
fn helper_fills_its_volume() {
    let Some(directory) = told().map(PathBuf::from) else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        let store = Embedded::open(&directory).unwrap();
        store.create(&scope().collection, &kind()).await.unwrap();
        let mut random = Random::new(50);
        let mut all = Vec::new();
        let large = |number: usize, random: &mut Random| {
            let mut point = point(&scope(), &format!("doc-{number:05}"), 0, random);
            point.chunk.text = "x".repeat(20_000);
            point
        };
        let fault = loop {
            let batch: Vec<_> = (all.len()..all.len() + 10).map(|number| large(number, &mut random)).collect();
            match store.put(&scope(), &batch).await {
                Ok(()) => all.extend(batch),
                Err(fault) => break fault,
            }
            assert!(all.len() < 10_000, "the volume has no end");
        };
        let Fault::Full(told) = &fault else { panic!("{fault:?}") };
        assert!(told.contains("chunks.redb cannot grow") && told.contains("make the volume larger"), "{told}");
        assert!(all.len() > 20, "{}", all.len());
        let legs = Legs { dense: Some((random.vector(), 50)), lexical: Some((random.words(6), 50)) };
        for round in 0..3 {
            // Whatever was acknowledged is found and read, whatever was refused is not there.
            assert_alike(&store.search(&scope(), &legs, None, 0).await.unwrap(), &naive::search(&all, &legs, None));
            let ids: Vec<_> = all.iter().map(|point| point.id).collect();
            assert_eq!(store.get(&scope(), &ids, false, 0).await.unwrap().len(), all.len());
            store.ping().await.unwrap();
            let batch: Vec<_> = (20_000..20_200).map(|number| large(number, &mut random)).collect();
            let again = store.put(&scope(), &batch).await;
            assert!(matches!(again, Err(Fault::Full(_))), "{round}: {again:?}");
        }
        // What is deleted makes room.
        let documents = all.iter().take(20).map(|point| point.chunk.document_id.clone()).collect();
        assert_eq!(store.delete(&scope(), &Which::Documents(documents)).await.unwrap(), 20);
        all.drain(..20);
        let one = large(30_000, &mut random);
        store.put(&scope(), std::slice::from_ref(&one)).await.unwrap();
        all.push(one);
        drop(store);
        let store = Embedded::open(&directory).unwrap();
        assert_alike(&store.search(&scope(), &legs, None, 0).await.unwrap(), &naive::search(&all, &legs, None));
        println!("it went on");
    });
}

#[tokio::test]
async fn a_store_is_one_processs_alone_and_the_next_ones_as_it_was() {
    let directory = tempfile::tempdir().unwrap();
    let mut random = Random::new(51);
    let store = Embedded::open(directory.path()).unwrap();
    store.create(&scope().collection, &kind()).await.unwrap();
    let all = points(&scope(), 90, &mut random);
    store.put(&scope(), &all).await.unwrap();
    let Err(Fault::Refused(told)) = Embedded::open(directory.path()) else { panic!("two have it") };
    assert!(told.contains("in use by another process") && told.contains("CONTEXT_DATA_DIR"), "{told}");
    let legs = Legs { dense: Some((random.vector(), 50)), lexical: Some((random.words(6), 50)) };
    let before = store.search(&scope(), &legs, None, 0).await.unwrap();
    drop(store);
    let store = Embedded::open(directory.path()).unwrap();
    assert_eq!(store.collection(&scope().collection).await.unwrap(), Some(kind()));
    assert_eq!(store.search(&scope(), &legs, None, 0).await.unwrap(), before);
    assert_eq!(store.describe(), format!("embedded {}", directory.path().display()));
}

#[tokio::test]
async fn what_is_damaged_or_of_a_newer_version_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chunks.redb");
    let store = Embedded::open(directory.path()).unwrap();
    store.create(&scope().collection, &kind()).await.unwrap();
    store.put(&scope(), &points(&scope(), 60, &mut Random::new(52))).await.unwrap();
    drop(store);
    let whole = fs::read(&path).unwrap();
    let corrupt = |bytes: &[u8], says: &str| {
        fs::write(&path, bytes).unwrap();
        match Embedded::open(directory.path()) {
            Err(Fault::Corrupt(told)) => assert!(told.contains("chunks.redb") && told.contains(says), "{told}"),
            other => panic!("{:?}", other.map(|_| ())),
        }
    };
    corrupt(b"this is no store", "is damaged, or is no store");
    corrupt(&[0; 100_000], "is damaged, or is no store");
    corrupt(&whole[..whole.len() / 2], "is damaged, or is no store");
    // A bit anywhere: it is noticed, or it stands where nothing is.
    let mut noticed = 0;
    for at in (0..whole.len()).step_by(whole.len() / 150) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x10;
        fs::write(&path, &bytes).unwrap();
        match Embedded::open(directory.path()) {
            Ok(store) => assert_eq!(store.documents(&scope(), None, None, 99, 0).await.unwrap().len(), 20, "{at}"),
            Err(Fault::Corrupt(_)) => noticed += 1,
            Err(other) => panic!("{at}: {other:?}"),
        }
    }
    assert!(noticed > 3, "{noticed}");
    fs::write(&path, &whole).unwrap();
    let database = redb::Database::open(&path).unwrap();
    let write = database.begin_write().unwrap();
    let numbers: redb::TableDefinition<'_, &str, u64> = redb::TableDefinition::new("numbers");
    write.open_table(numbers).unwrap().insert("format", 2).unwrap();
    write.commit().unwrap();
    drop(database);
    let newer = fs::read(&path).unwrap();
    corrupt(&newer, "has format 2");
}

#[test]
fn where_nothing_can_be_written_it_says_what_it_needs() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let Err(Fault::Refused(told)) = Embedded::open(&file.path().join("store")) else { panic!("it is below a file") };
    assert!(told.contains("CONTEXT_DATA_DIR must be a directory"), "{told}");
}
