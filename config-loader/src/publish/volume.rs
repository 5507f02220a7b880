//! Whether what is on a volume outlives its pod.
//!
//! An emptyDir does not: a node that loses power starts the pod anew when it is back, with its init containers, and what
//! they find there is read and compared before it is believed. So nothing has to be waited for that brings it to the disk.

use std::{fs, path::Path};

use rustix::fs::{AtFlags, CWD, StatxFlags, statx};

/// In the paths of the kubelet, the directory of a pod's emptyDirs.
const EMPTY_DIR: &str = "/kubernetes.io~empty-dir/";

/// Whether what is in a directory is still wanted after a node has lost power; true where that cannot be told.
pub(super) fn outlives_the_pod(directory: &Path) -> bool {
    let Ok(about) = statx(CWD, directory, AtFlags::empty(), StatxFlags::MNT_ID) else { return true };
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let known = StatxFlags::from_bits_retain(about.stx_mask).contains(StatxFlags::MNT_ID);
    !known || !is_empty_dir(&mounts, about.stx_mnt_id)
}

/// Whether a mount shows an emptyDir, or what is in one (`subPath`), by what `/proc/self/mountinfo` has to say: its first
/// field is the mount's number, and the fourth is what of the file system it shows.
fn is_empty_dir(mounts: &str, id: u64) -> bool {
    let root = mounts.lines().find_map(|line| {
        let mut fields = line.split(' ');
        (fields.next()?.parse() == Ok(id)).then(|| fields.nth(2))?
    });
    // The name of the volume follows.
    root.is_some_and(|root| root.contains(EMPTY_DIR))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "\
        1201 1190 0:112 / / ro,relatime - overlay overlay ro,lowerdir=/a,upperdir=/b\n\
        1210 1201 259:1 /var/lib/kubelet/pods/7f1c/volumes/kubernetes.io~empty-dir/config /config rw - ext4 /dev/root rw\n\
        1211 1201 259:1 /var/lib/kubelet/pods/7f1c/volumes/kubernetes.io~empty-dir/config/a\\040b /sub rw - ext4 /dev/root rw\n\
        1212 1201 8:16 / /claim rw,relatime - ext4 /dev/sdb rw\n\
        1213 1201 259:1 /var/lib/kubelet/pods/7f1c/volumes/kubernetes.io~configmap/prompt /prompt ro - ext4 /dev/root rw\n";

    #[test]
    fn an_empty_dir_is_known_by_what_is_mounted() {
        let known: Vec<u64> = (1190..1220).filter(|id| is_empty_dir(MOUNTS, *id)).collect();
        assert_eq!(known, [1210, 1211]);
    }

    #[test]
    fn what_is_not_understood_is_no_empty_dir() {
        for mounts in ["", "\n", "1210", "1210 1 8:1", "x y z /kubernetes.io~empty-dir/ /"] {
            assert!(!is_empty_dir(mounts, 1210), "{mounts:?}");
        }
    }

    #[test]
    fn other_directories_outlive_it() {
        assert!(outlives_the_pod(Path::new("/")) && outlives_the_pod(Path::new("/not/there")));
    }
}
