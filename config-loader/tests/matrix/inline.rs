//! Content that stands in the file itself.

use std::{
    fs::{self, File},
    os::unix::fs::PermissionsExt as _,
};

use serde_json::{Value, json};

use crate::{
    case::{Case, each, stands},
    content,
    pod::Pod,
    set::{Set, Source},
    target,
};

struct Inline;

impl Source for Inline {
    fn having(&self, _: &str, bytes: &[u8]) -> Value {
        json!({ "inline": String::from_utf8_lossy(bytes) })
    }

    fn place(&self, _: &str) -> String {
        "inline".to_owned()
    }

    fn signature(&self, name: &str, bytes: &[u8]) -> Value {
        self.having(name, bytes)
    }
}

#[test]
fn what_comes_and_where_it_goes() {
    // What is in a file of text is text.
    let of_text = |name: &str| !name.contains("UTF");
    let jobs = content::faults(&Inline).into_iter().chain(target::faults(&Inline));
    each(jobs.filter(|(name, _)| of_text(name)).collect());
}

#[test]
fn a_file_that_cannot_be_read_is_78() {
    let good = Set::of("text", Inline.having("", b"canary"));
    let pod = Pod::new();
    for (source, place, says, hint) in [
        (json!({ "inline": ["canary"] }), "files[0].source.inline: ", "expected", ""),
        (json!({ "inlined": "canary" }), "files[0].source.inlined: ", "unknown key", "did you mean `inline`?"),
        (
            json!({ "inline": "canary", "file": {"path": "/canary"} }),
            "files[0].source: ",
            "several sources",
            "exactly one of",
        ),
        (json!({}), "files[0].source: ", "names no source", "exactly one of"),
    ] {
        let case = Case { code: 78, begins: place.to_owned(), says, hint, place: String::new() };
        stands(&pod, &good, || Set::of("text", source), &case);
    }
}

#[test]
fn a_directory_that_may_not_be_written_to() {
    let pod = Pod::unprivileged();
    let set = |text: &str| Set::of("text", Inline.having("", text.as_bytes()));
    let fault = || {
        fs::set_permissions(pod.directory(), fs::Permissions::from_mode(0o555)).unwrap();
        set("canary two")
    };
    let place = format!("publishing: cannot make `{}/..set-", pod.directory().display());
    let case = Case {
        code: 77,
        begins: place,
        says: "Permission denied",
        hint: "securityContext.fsGroup",
        place: String::new(),
    };
    stands(&pod, &set("canary"), fault, &case);
    // Else it could not be removed.
    fs::set_permissions(pod.directory(), fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn a_directory_that_another_one_is_publishing_into() {
    let pod = Pod::new();
    let set = |text: &str| Set::of("text", Inline.having("", text.as_bytes()));
    let mut lock = None;
    let fault = || {
        let held = lock.insert(File::open(pod.directory().join("..lock")).unwrap());
        held.lock().unwrap();
        set("canary two").within("1s")
    };
    let place = "publishing: another config-loader holds `".to_owned();
    let case = Case {
        code: 75,
        begins: place,
        says: "/config/..lock",
        hint: "let only one at a time publish",
        place: String::new(),
    };
    stands(&pod, &set("canary"), fault, &case);
}
