use std::os::unix::fs::{FileExt as _, PermissionsExt as _, symlink};
use std::os::unix::net::UnixListener;
use std::process::Command;

use chassis::exit::Code;
use tempfile::TempDir;

use super::*;
use crate::source::Budget;

const LIMITS: Limits = Limits { file: 16, files: 4, set: 40, budget: Budget::NONE };

async fn fetched(path: impl AsRef<Path>) -> Result<Fetched, Failure> {
    File::new(Settings { path: path.as_ref().to_owned() }).fetch(LIMITS).await
}

async fn refusal(path: impl AsRef<Path>) -> Failure {
    fetched(path).await.unwrap_err()
}

fn names(fetched: &Fetched) -> Vec<(&str, &[u8])> {
    match &fetched.content {
        Content::File(_) => panic!("a directory was due"),
        Content::Directory(files) => files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_ref())).collect(),
    }
}

fn pipe(path: &Path) {
    assert!(Command::new("mkfifo").arg(path).status().unwrap().success());
}

/// As the kubelet mounts a ConfigMap that has an item with the path `nested/c`.
fn mount() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let version = dir.path().join("..2026_01_02");
    fs::create_dir_all(version.join("nested")).unwrap();
    for (name, content) in [("b", "bee"), ("a", "ay"), ("nested/c", "sea")] {
        fs::write(version.join(name), content).unwrap();
    }
    symlink("..2026_01_02", dir.path().join("..data")).unwrap();
    for name in ["b", "a", "nested"] {
        symlink(Path::new("..data").join(name), dir.path().join(name)).unwrap();
    }
    dir
}

#[tokio::test]
async fn a_mount_is_read_through_its_symlinks_sorted_and_has_its_version() {
    let dir = mount();
    let all = fetched(dir.path()).await.unwrap();
    assert_eq!(names(&all), [("a", &b"ay"[..]), ("b", b"bee"), ("nested/c", b"sea")]);
    assert_eq!(all.version.as_deref(), Some("..2026_01_02"));
    let one = fetched(dir.path().join("a")).await.unwrap();
    assert_eq!(one.content, Content::File(Bytes::from_static(b"ay")));
    assert_eq!(one.version.as_deref(), Some("..2026_01_02"));
}

#[tokio::test]
async fn elsewhere_the_version_is_the_time_of_the_newest_change() {
    let dir = tempfile::tempdir().unwrap();
    for (name, seconds) in [("old", 1_000), ("new", 2_000)] {
        let file = fs::File::create(dir.path().join(name)).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)).unwrap();
    }
    let version = async |path: PathBuf| fetched(path).await.unwrap().version.unwrap();
    assert_eq!(version(dir.path().join("old")).await, "modified-1000.000000000");
    assert_eq!(version(dir.path().to_owned()).await, "modified-2000.000000000");
    // A file that only lies beside a mount's is not of its version.
    symlink("nowhere", dir.path().join("..data")).unwrap();
    assert_eq!(version(dir.path().join("old")).await, "modified-1000.000000000");
}

#[tokio::test]
async fn what_is_missing_stays_missing() {
    let dir = mount();
    for path in [dir.path().join("d"), dir.path().join("a/b")] {
        let failure = refusal(&path).await;
        assert_eq!((failure.code, failure.retry), (Code::Unavailable, Retry::Never), "{failure}");
        assert!(failure.to_string().contains("there is no such file or directory; mount the ConfigMap"), "{failure}");
    }
    fs::remove_file(dir.path().join("..2026_01_02/a")).unwrap();
    assert_eq!(refusal(dir.path()).await.code, Code::Unavailable);
    let empty = refusal(tempfile::tempdir().unwrap().path()).await;
    assert_eq!((empty.code, empty.retry), (Code::Unavailable, Retry::Never), "{empty}");
}

#[tokio::test]
async fn what_may_not_be_read_says_by_whom() {
    let failure = read::refused(Path::new("/etc/prompts/a"), &std::io::ErrorKind::PermissionDenied.into());
    assert_eq!((failure.code, failure.retry), (Code::Denied, Retry::Never));
    let user = rustix::process::geteuid().as_raw();
    let message = format!("/etc/prompts/a: may not be read by uid {user}, which this process runs as");
    assert_eq!(failure.message, message);
    assert!(failure.hint.unwrap().contains("fsGroup or runAsUser"));
    // Nothing is forbidden to root.
    if user != 0 {
        let dir = mount();
        let file = dir.path().join("..2026_01_02/a");
        fs::set_permissions(file, fs::Permissions::from_mode(0o000)).unwrap();
        assert_eq!(refusal(dir.path()).await.code, Code::Denied);
    }
}

#[tokio::test]
async fn more_than_is_allowed_is_not_read() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a");
    fs::write(&path, [b'x'; 16]).unwrap();
    assert!(fetched(&path).await.is_ok());
    // 10 GiB with nothing in them.
    fs::File::create(&path).unwrap().write_all_at(b"x", 10 << 30).unwrap();
    let large = refusal(&path).await;
    assert_eq!(large.code, Code::Data, "{large}");
    assert!(large.message.ends_with("is larger than the 16 bytes that are allowed"), "{large}");
    assert_eq!(refusal(dir.path()).await, large);
    // It says that it has no bytes, and has some hundred.
    let lying = refusal("/proc/self/status").await;
    assert!(lying.message.ends_with("is larger than the 16 bytes that are allowed"), "{lying}");
}

#[tokio::test]
async fn a_directory_has_so_many_entries_and_no_more() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["a", "b", "c", "d", ".hidden", "..more"] {
        fs::write(dir.path().join(name), name).unwrap();
    }
    assert_eq!(names(&fetched(dir.path()).await.unwrap()).len(), 4);
    fs::create_dir(dir.path().join("e")).unwrap();
    let failure = refusal(dir.path()).await;
    assert_eq!(failure.code, Code::Data);
    assert!(failure.message.ends_with("has more than 4 files and directories, which is the limit"), "{failure}");
}

#[tokio::test]
async fn a_directory_has_so_much_in_it_and_no_more() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["a", "b"] {
        fs::write(dir.path().join(name), [b'x'; 16]).unwrap();
    }
    fs::write(dir.path().join("c"), [b'x'; 8]).unwrap();
    assert_eq!(names(&fetched(dir.path()).await.unwrap()).len(), 3);
    fs::write(dir.path().join("c"), [b'x'; 9]).unwrap();
    let failure = refusal(dir.path()).await;
    assert_eq!((failure.code, failure.retry), (Code::Data, Retry::Never));
    assert!(failure.message.ends_with(": its files are larger than 40 in all"), "{failure}");
}

#[tokio::test]
async fn pipes_sockets_and_devices_are_refused_and_not_opened() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name);
    // To open it would block, and to read it would, too.
    pipe(&path("pipe"));
    let _socket = UnixListener::bind(path("socket")).unwrap();
    for (name, what) in [("pipe", "a pipe"), ("socket", "a socket")] {
        let failure = refusal(path(name)).await;
        assert_eq!(failure.code, Code::Data);
        assert_eq!(failure.message, format!("{}: is {what}", path(name).display()));
    }
    assert_eq!(refusal("/dev/zero").await.message, "/dev/zero: is a device");
    assert_eq!(refusal(dir.path()).await.code, Code::Data);
}

#[tokio::test]
async fn no_symlink_leads_out_of_a_directory() {
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("password"), "secret").unwrap();
    let dir = mount();
    let link = dir.path().join("link");
    for target in [outside.path().to_owned(), outside.path().join("password"), "../".into(), "/dev/zero".into()] {
        symlink(&target, &link).unwrap();
        let failure = refusal(dir.path()).await;
        assert_eq!(failure.code, Code::Denied, "{failure}");
        assert!(failure.message.ends_with("link: is a symlink that leads out of the directory"), "{failure}");
        fs::remove_file(&link).unwrap();
    }
    // A directory whose name only begins like that of the directory is outside.
    let twin = PathBuf::from(format!("{}-twin", dir.path().display()));
    fs::create_dir(&twin).unwrap();
    symlink(&twin, &link).unwrap();
    assert_eq!(refusal(dir.path()).await.code, Code::Denied);
    fs::remove_dir(twin).unwrap();
}

#[tokio::test]
async fn symlinks_in_a_circle_come_to_an_end() {
    let dir = mount();
    symlink("../nested", dir.path().join("..2026_01_02/nested/again")).unwrap();
    let failure = refusal(dir.path()).await;
    assert_eq!(failure.code, Code::Data, "{failure}");
    assert!(
        failure.message.ends_with("nested/again: is a symlink that leads back to a directory above it"),
        "{failure}"
    );
    let dir = tempfile::tempdir().unwrap();
    symlink("self", dir.path().join("self")).unwrap();
    assert_eq!(refusal(dir.path()).await.code, Code::Data);
}

/// Replaces all of a mount, as the kubelet does.
fn replace(mount: &Path, version: usize) {
    let (new, link) = (format!("..{version}"), mount.join("..data_tmp"));
    fs::create_dir(mount.join(&new)).unwrap();
    for name in ["a", "b"] {
        fs::write(mount.join(&new).join(name), version.to_string()).unwrap();
    }
    symlink(&new, &link).unwrap();
    fs::rename(&link, mount.join("..data")).unwrap();
    if let Some(old) = version.checked_sub(1) {
        fs::remove_dir_all(mount.join(format!("..{old}"))).unwrap();
    }
}

#[tokio::test]
async fn a_mount_that_is_replaced_meanwhile_is_read_again_and_never_mixed() {
    let dir = tempfile::tempdir().unwrap();
    replace(dir.path(), 0);
    for name in ["a", "b"] {
        symlink(Path::new("..data").join(name), dir.path().join(name)).unwrap();
    }
    let mount = dir.path().to_owned();
    let kubelet = std::thread::spawn(move || (1..2000).for_each(|version| replace(&mount, version)));
    let mut caught = 0;
    while !kubelet.is_finished() {
        match fetched(dir.path()).await {
            Ok(all) => {
                let files = names(&all);
                assert_eq!(files[0].1, files[1].1);
                assert_eq!(all.version, Some(format!("..{}", str::from_utf8(files[0].1).unwrap())));
            }
            Err(failure) => {
                assert_eq!(failure.retry, Retry::Soon, "{failure}");
                assert!(failure.message.ends_with("was replaced while it was read"), "{failure}");
                caught += 1;
            }
        }
    }
    kubelet.join().unwrap();
    assert!(caught > 0, "nothing was read while it changed");
}

#[cfg(feature = "redis")]
#[tokio::test]
async fn a_secret_is_its_file_without_the_end_of_the_line() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("password");
    fs::write(&path, " two words \r\n").unwrap();
    assert_eq!(secret(&path).await.unwrap(), Secret::new(" two words ".to_owned()));
    fs::write(&path, [0xff, 0xfe]).unwrap();
    assert_eq!(secret(&path).await.unwrap_err().code, Code::Data);
    fs::remove_file(&path).unwrap();
    pipe(&path);
    assert_eq!(secret(&path).await.unwrap_err().code, Code::Data);
}
