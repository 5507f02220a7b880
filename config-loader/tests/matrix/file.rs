//! Files and directories of the container: what a ConfigMap or a Secret is mounted as.

use std::{
    ffi::OsStr,
    fs::{self, File},
    os::unix::{
        ffi::OsStrExt as _,
        fs::{FileExt as _, PermissionsExt as _, symlink},
        net::UnixListener,
    },
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    case::{Case, Job, each, stands},
    content,
    pod::Pod,
    set::{Set, Source},
    target,
};

/// What happens to a path that is read, and the code and words that it becomes.
type Row = (&'static str, fn(&Path), i32, &'static str, &'static str);

const MOUNT: &str = "mount the ConfigMap or Secret there";
const REGULAR: &str = "only regular files are read";
const LIMIT: &str = "max_size or limits.file";

/// What happens to a file.
const FILE: [Row; 9] = [
    ("missing", |_| (), 69, "there is no such file or directory", MOUNT),
    (
        "a directory where a file is due",
        |path| fs::create_dir(path).unwrap(),
        69,
        "is a directory without files",
        "create it",
    ),
    ("a pipe", pipe, 65, "is a pipe", REGULAR),
    ("a device", |path| symlink("/dev/zero", path).unwrap(), 65, "is a device", REGULAR),
    ("a socket", |path| drop(UnixListener::bind(path).unwrap()), 65, "is a socket", REGULAR),
    ("a symlink to nothing", |path| symlink("/nowhere/canary", path).unwrap(), 69, "there is no such file", MOUNT),
    (
        "a symlink to itself",
        |path| symlink(path, path).unwrap(),
        65,
        "is a symlink that leads to itself",
        "correct the symlink",
    ),
    ("10 GiB", |path| large(path), 65, "is larger than the 16777216 bytes", LIMIT),
    ("a device of bytes without end below", |path| within_pipe(path), 65, "is a pipe", REGULAR),
];

/// What happens to a directory with two files.
const DIRECTORY: [Row; 10] = [
    ("missing", |path| fs::remove_dir_all(path).unwrap(), 69, "there is no such file or directory", MOUNT),
    ("a file where a directory is due", file_instead, 69, "there is no such file or directory", MOUNT),
    ("without files", |path| emptied(path), 69, "is a directory without files", "create it"),
    (
        "a symlink out of it",
        |path| symlink("/etc/passwd", path.join("c")).unwrap(),
        77,
        "/c: is a symlink that leads out",
        "put the file itself there",
    ),
    (
        "a symlink to above",
        |path| symlink("..", path.join("c")).unwrap(),
        77,
        "/c: is a symlink that leads out",
        "put the file itself there",
    ),
    (
        "a symlink that leads back",
        |path| symlink(".", path.join("c")).unwrap(),
        65,
        "/c: is a symlink that leads back",
        "remove the symlink",
    ),
    ("a pipe in it", |path| pipe(&path.join("c")), 65, "/c: is a pipe", REGULAR),
    (
        "a name that is no text",
        |path| fs::write(path.join(OsStr::from_bytes(b"\xff")), "canary").unwrap(),
        65,
        "its name is not UTF-8",
        "rename the file",
    ),
    ("10 GiB in many files", large_in_all, 65, "its files are larger than 64MiB in all", "limits.set"),
    ("a file of 10 GiB in it", |path| large(&path.join("c")), 65, "/c: is larger than the 16777216 bytes", LIMIT),
];

fn pipe(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

fn within_pipe(path: &Path) {
    fs::create_dir(path).unwrap();
    pipe(&path.join("c"));
}

/// With nothing in them.
fn large(path: &Path) {
    File::create(path).unwrap().write_all_at(b"canary", 10 << 30).unwrap();
}

fn emptied(path: &Path) {
    fs::remove_dir_all(path).unwrap();
    fs::create_dir(path).unwrap();
}

fn file_instead(path: &Path) {
    fs::remove_dir_all(path).unwrap();
    fs::write(path, "canary").unwrap();
}

fn source(path: &Path) -> Value {
    json!({"file": {"path": path}})
}

fn wrong(row: &'static Row, many: bool) -> Job<'static> {
    let (name, happens, code, says, hint) = *row;
    let job = move || {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tested");
        let files: Vec<PathBuf> = if many { vec![path.join("a"), path.join("b")] } else { vec![path.clone()] };
        for file in &files {
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, "canary").unwrap();
        }
        // With a slash at its end, it has to be a directory.
        let asked = if many { path.join("") } else { path.clone() };
        let fault = || {
            if !many {
                fs::remove_file(&path).unwrap();
            }
            happens(&path);
            Set::of("text", source(&asked))
        };
        let place = asked.display().to_string();
        stands(&Pod::new(), &Set::of("text", source(&asked)), fault, &Case::of(&place, code, says, hint));
    };
    (name.to_owned(), Box::new(job))
}

#[test]
fn what_is_in_place_of_a_file() {
    each(FILE.iter().map(|row| wrong(row, false)).collect());
}

#[test]
fn what_is_in_place_of_a_directory() {
    each(DIRECTORY.iter().map(|row| wrong(row, true)).collect());
}

#[test]
fn what_may_not_be_read() {
    let (pod, dir) = (Pod::unprivileged(), tempfile::tempdir().unwrap());
    let path = dir.path().join("tested");
    fs::write(&path, "canary").unwrap();
    let set = || Set::of("text", source(&path));
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let place = path.display().to_string();
    let case = Case::of(&place, 77, "may not be read by uid", "set fsGroup or runAsUser");
    for (guarded, mode) in [(&path, 0o000), (&dir.path().to_owned(), 0o600)] {
        let open = fs::metadata(guarded).unwrap().permissions();
        let fault = || {
            fs::set_permissions(guarded, fs::Permissions::from_mode(mode)).unwrap();
            set()
        };
        stands(&pod, &set(), fault, &case);
        fs::set_permissions(guarded, open).unwrap();
    }
}

struct Folder(TempDir);

impl Source for Folder {
    fn having(&self, name: &str, bytes: &[u8]) -> Value {
        let path = self.0.path().join(name);
        fs::write(&path, bytes).unwrap();
        source(&path)
    }

    fn place(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }
}

#[test]
fn what_comes_and_where_it_goes() {
    let folder = Folder(tempfile::tempdir().unwrap());
    each(content::faults(&folder).into_iter().chain(target::faults(&folder)).collect());
}

/// In files that are not too large.
fn large_in_all(path: &Path) {
    for name in 0..640 {
        File::create(path.join(name.to_string())).unwrap().write_all_at(b"canary", 15 << 20).unwrap();
    }
}

#[test]
fn a_set_that_is_too_large_though_no_file_is() {
    let [one, two] = [(); 2].map(|()| tempfile::tempdir().unwrap());
    for dir in [&one, &two] {
        for name in ["a", "b", "c"] {
            File::create(dir.path().join(name)).unwrap().write_all_at(b"canary", 200 << 10).unwrap();
        }
    }
    let set = || Set { whole: "1MiB", ..Set::of("binary", source(one.path())) };
    let fault = || Set { beside: Some(source(two.path())), ..set() };
    let case = Case {
        code: 65,
        // Which of the two is read last is for chance to decide.
        begins: String::new(),
        says: "the files of the set are larger than 1MiB in all",
        hint: "limits.set",
        place: String::new(),
    };
    stands(&Pod::new(), &set(), fault, &case);
}
