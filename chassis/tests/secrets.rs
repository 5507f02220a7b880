//! Keys from files, and from a directory as the kubelet mounts a Secret.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use chassis::secret::{KeyFileError, Secret, read_keys};
use tempfile::TempDir;

fn texts(path: &Path) -> Vec<String> {
    read_keys(path).unwrap().iter().map(|key| key.expose().to_owned()).collect()
}

fn file(bytes: impl AsRef<[u8]>) -> (TempDir, std::path::PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("keys");
    fs::write(&path, bytes).unwrap();
    (directory, path)
}

/// Writes a Secret the way the kubelet does: dated directory, `..data`, stable names through it.
fn mount(directory: &Path, version: &str, entries: &[(&str, &str)]) {
    let dated = directory.join(version);
    fs::create_dir(&dated).unwrap();
    for (name, text) in entries {
        fs::write(dated.join(name), text).unwrap();
        let stable = directory.join(name);
        if !stable.is_symlink() {
            symlink(Path::new("..data").join(name), stable).unwrap();
        }
    }
    let next = directory.join("..data_tmp");
    symlink(version, &next).unwrap();
    fs::rename(next, directory.join("..data")).unwrap();
}

#[test]
fn a_file_holds_one_key_a_line() {
    let (_directory, path) = file("# ours\nsk-one\n\n  sk-two  \r\nsk-one\nsk-three");
    assert_eq!(texts(&path), ["sk-one", "sk-two", "sk-three"]);
}

#[test]
fn a_mounted_secret_is_read_through_its_symlinks() {
    let directory = tempfile::tempdir().unwrap();
    mount(directory.path(), "..2026_01_01", &[("b", "sk-b\n"), ("a", "sk-a1\nsk-a2\n")]);
    assert_eq!(texts(directory.path()), ["sk-a1", "sk-a2", "sk-b"]);

    mount(directory.path(), "..2026_01_02", &[("b", "sk-b-new"), ("a", "sk-a1")]);
    assert_eq!(texts(directory.path()), ["sk-a1", "sk-b-new"]);
}

#[test]
fn every_refusal_names_the_path_and_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("nowhere");
    let (_a, empty) = file("# none yet\n\n");
    let (_b, binary) = file([0xff, 0xfe, 0x00]);
    let (_c, large) = file(vec![b'x'; (1 << 20) + 1]);
    let (_d, sentence) = file("sk-one\nsk two\n");

    // It has no size and no end.
    let endless = Path::new("/dev/zero").to_owned();

    let refusal = |path: &Path| read_keys(path).unwrap_err();
    assert!(matches!(refusal(&missing), KeyFileError::Missing { .. }));
    assert!(matches!(refusal(directory.path()), KeyFileError::Empty { .. }));
    assert!(matches!(refusal(&empty), KeyFileError::Empty { .. }));
    assert!(matches!(refusal(&binary), KeyFileError::NotText { .. }));
    assert!(matches!(refusal(&large), KeyFileError::TooLarge { .. }));
    assert!(matches!(refusal(&sentence), KeyFileError::NotAKey { line: 2, .. }));
    assert!(matches!(refusal(&endless), KeyFileError::NotAFile { .. }));
    for path in [&missing, &endless, &empty, &binary, &large, &sentence] {
        let text = refusal(path).to_string();
        assert!(text.starts_with(path.to_str().unwrap()), "{text}");
        assert!(text.contains(';'), "{text}");
    }
    let text = refusal(&sentence).to_string();
    assert!(!text.contains("sk two"), "{text}");
}

#[test]
fn a_loop_of_symlinks_is_unreadable() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("loop");
    symlink(&path, &path).unwrap();
    assert!(matches!(read_keys(&path), Err(KeyFileError::Unreadable { .. })));
}

#[test]
fn a_secret_inside_anything_is_not_shown() {
    #[derive(Debug)]
    #[allow(dead_code, reason = "only its Debug is of interest")]
    struct Pool {
        keys: Vec<Secret>,
    }
    let (_directory, path) = file("sk-live-4711\n");
    let shown = format!("{:?}", Pool { keys: read_keys(&path).unwrap() });
    assert!(!shown.contains("4711"), "{shown}");
    assert!(shown.contains("Secret(fp:"), "{shown}");
}
