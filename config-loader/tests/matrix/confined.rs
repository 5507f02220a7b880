//! As a careful cluster runs it: not root, without a capability, on a root file system that is read-only and has no shell
//! in it, into an emptyDir.

use std::{
    fs::{self, File},
    os::unix::fs::MetadataExt as _,
    path::Path,
    thread,
    time::Duration,
};

use rustix::io::Errno;
use serde_json::json;

use crate::{
    bare,
    case::{Case, harmless, stands, succeeds, unharmed},
    pod::Pod,
    set::Set,
    support::http::{Reply, Then},
    web::serve,
};

const ONLY_ROOT: &str =
    "only root can make a root file system of its own and become nobody in it (unshare, nsenter, setpriv)";

fn pod() -> Option<Pod> {
    Pod::confined().filter(|_| rustix::process::geteuid().is_root())
}

fn prompt(bytes: &str) -> Set {
    Set::of("prompt", json!({ "inline": bytes }))
}

#[test]
fn it_needs_nothing_but_its_directory() {
    let Some(pod) = pod() else { e2e::skip!("{ONLY_ROOT}") };
    succeeds(&pod, &prompt("canary"), b"canary");
    let about = fs::metadata(pod.published().join("tested")).unwrap();
    assert_eq!((about.uid(), about.gid(), about.mode() & 0o7777), (65532, 65532, 0o444));
    let case = Case { place: "inline".to_owned(), ..Case::of("", 65, "is empty", "write one") };
    stands(&pod, &prompt("canary two"), || prompt(""), &case);
}

/// Looked at from outside while it runs: nothing in there could look.
#[test]
fn it_is_confined_indeed() {
    let Some(pod) = pod() else { e2e::skip!("{ONLY_ROOT}") };
    let first = pod.load(&prompt("canary"));
    let before = pod.tree();
    let hanging = serve(|_| Reply::raw("").then(Then::Hang));
    let running = pod.start(&Set { beside: Some(json!({"http": {"url": hanging.url("/never")}})), ..prompt("canary") });
    while hanging.asked().is_empty() {
        thread::sleep(Duration::from_millis(5));
    }

    let status = fs::read_to_string(running.known("status")).unwrap();
    let has = |line: &str| status.lines().any(|it| it.trim_end() == line);
    for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        assert!(has(&format!("{set}:\t0000000000000000")), "{status}");
    }
    assert!(has("Uid:\t65532\t65532\t65532\t65532") && has("NoNewPrivs:\t1") && has("Groups:"), "{status}");

    // Its root is what it needs, and whoever became it; there is no shell, and nothing can be put there.
    let root = running.known("root");
    let programs = ["config-loader", "usr/bin/setpriv"];
    let own = pod.path("").strip_prefix("/").unwrap().to_owned();
    for file in bare::files(&root) {
        let file = file.strip_prefix(&root).unwrap();
        let library = file.starts_with("lib") || file.starts_with("lib64") || file.starts_with("usr/lib");
        assert!(library || file.starts_with(&own) || programs.iter().any(|it| file == Path::new(it)), "{file:?}");
    }
    for shell in ["bin/sh", "usr/bin/sh", "bin/busybox", "bin/bash", "usr/bin/bash"] {
        assert!(!root.join(shell).exists(), "{shell}");
    }
    let read_only = |name: &str| File::create(root.join(name)).unwrap_err().raw_os_error();
    assert_eq!(read_only("anything"), Some(Errno::ROFS.raw_os_error()));
    assert_eq!(read_only(pod.path("anything").strip_prefix("/").unwrap().to_str().unwrap()), read_only("anything"));

    running.terminate();
    let ended = running.wait();
    assert_eq!(ended.code, Some(75), "{}", ended.stderr);
    unharmed(&pod, &before, &ended);
    harmless(&pod, &first);
}

#[test]
fn into_an_empty_dir_nothing_is_waited_for_that_nobody_will_miss() {
    let Some(confined) = pod() else { e2e::skip!("{ONLY_ROOT}") };
    let says = "nothing of it is synced";
    let ended = confined.load(&prompt("canary"));
    assert!(ended.code == Some(0) && ended.stderr.contains(says), "{}", ended.stderr);
    let ended = Pod::new().load(&prompt("canary"));
    assert!(ended.code == Some(0) && !ended.stderr.contains(says), "{}", ended.stderr);
}
