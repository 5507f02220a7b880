//! As a careful cluster runs it: not root, without a capability, on a root file system that is read-only.

use std::{fs, os::unix::fs::MetadataExt as _};

use crate::{
    case::{Case, stands, succeeds},
    pod::Pod,
    set::Set,
    set::Source as _,
    site::Files,
};

#[test]
fn it_needs_nothing_but_its_directory() {
    let root = rustix::process::geteuid().is_root();
    let Some(pod) = Pod::confined().filter(|_| root) else {
        e2e::skip!("only root can mount a read-only root file system and become nobody (setpriv, unshare)")
    };
    // It is confined indeed.
    let status = pod.run(&["cat", "/proc/self/status"]).unwrap();
    let has = |line: &str| status.lines().any(|it| it.trim_end() == line);
    for set in ["CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"] {
        assert!(has(&format!("{set}:\t0000000000000000")), "{status}");
    }
    assert!(has("Uid:\t65532\t65532\t65532\t65532") && has("NoNewPrivs:\t1") && has("Groups:"), "{status}");
    assert_eq!(pod.run(&["touch", pod.path("anything").to_str().unwrap()]), None);

    let files = Files::new(true);
    let set = |bytes| Set::of("prompt", files.having("confined", bytes));
    succeeds(&pod, &set(b"canary"), b"canary");
    let about = fs::metadata(pod.published().join("tested")).unwrap();
    assert_eq!((about.uid(), about.gid(), about.mode() & 0o7777), (65532, 65532, 0o444));
    let case = Case::of(&files.place("confined"), 65, "is empty", "write one");
    stands(&pod, &set(b"canary two"), || set(b""), &case);
}
