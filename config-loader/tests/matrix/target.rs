//! What goes wrong where the set is published, or while it is fetched, whatever the source.

use std::{fs, thread, time::Duration};

use serde_json::json;

use crate::{
    case::{Case, Job, harmless, stands, unharmed},
    pod::Pod,
    set::{Set, Source},
    support::http::{Reply, Then},
    web::serve,
};

const NO_NAMESPACES: &str = "no user namespaces are allowed here, in which a volume could be mounted";

/// Everything of it, with this source.
pub(crate) fn faults(source: &dyn Source) -> Vec<Job<'_>> {
    vec![
        ("a volume that is full".to_owned(), Box::new(|| full(source))),
        ("a volume that is read-only".to_owned(), Box::new(|| read_only(source))),
        ("a directory in the way".to_owned(), Box::new(|| in_the_way(source))),
        ("SIGTERM half way".to_owned(), Box::new(|| terminated(source))),
    ]
}

fn set(source: &dyn Source, name: &str, bytes: &[u8]) -> Set {
    Set::of("text", source.having(name, bytes)).with(source.environment())
}

/// Told of publishing, and of what in the directory.
fn case(place: String, says: &'static str, hint: &'static str) -> Case {
    Case { code: 69, begins: place, says, hint, place: String::new() }
}

fn full(source: &dyn Source) {
    let Some(pod) = Pod::on_volume("64k") else { e2e::skip!("{NO_NAMESPACES}") };
    let case = case("publishing: cannot write `".to_owned(), "No space left on device", "the emptyDir's sizeLimit");
    stands(&pod, &set(source, "full", b"canary"), || set(source, "full", &b"canary".repeat(20_000)), &case);
    // There is room for as much as before.
    assert_eq!(pod.load(&set(source, "full", b"canaries")).code, Some(0));
}

fn read_only(source: &dyn Source) {
    let Some(pod) = Pod::on_volume("64k") else { e2e::skip!("{NO_NAMESPACES}") };
    let directory = pod.directory();
    let place = format!("publishing: cannot lock `{}", directory.display());
    let case = case(place, "Read-only file system", "without `readOnly`");
    let fault = || {
        pod.run(&["mount", "-o", "remount,bind,ro", directory.to_str().unwrap()]).unwrap();
        set(source, "read-only", b"canary two")
    };
    stands(&pod, &set(source, "read-only", b"canary"), fault, &case);
}

fn in_the_way(source: &dyn Source) {
    let pod = Pod::new();
    let place = format!("publishing: `{}/other`", pod.directory().display());
    let fault = || {
        fs::create_dir(pod.directory().join("other")).unwrap();
        Set { target: "other", ..set(source, "way", b"canary two") }
    };
    let case = case(place, "is in the way: not made by a config-loader", "move it away");
    stands(&pod, &set(source, "way", b"canary"), fault, &case);
}

/// The tested file has come, another one never does.
fn terminated(source: &dyn Source) {
    let pod = Pod::new();
    let first = pod.load(&set(source, "half", b"canary"));
    assert_eq!(first.code, Some(0), "{}", first.stderr);
    let before = pod.tree();
    let hanging = serve(|_| Reply::raw("").then(Then::Hang));
    let beside = json!({"http": {"url": hanging.url("/never?token=canary")}});
    let running = pod.start(&Set { beside: Some(beside), ..set(source, "half", b"canary two") });
    while hanging.asked().is_empty() {
        thread::sleep(Duration::from_millis(5));
    }
    running.terminate();
    let ended = running.wait();
    let place = "the set: stopped by SIGTERM".to_owned();
    Case { code: 75, begins: place, says: "while the sources were asked", hint: "run it again", place: String::new() }
        .check(&ended);
    unharmed(&pod, &before, &ended);
    harmless(&pod, &first);
}
