//! What an operation that failed means for whoever runs the pod, and what to do about it. Pure.

use std::{io, path::Path};

use chassis::exit::Code;
use rustix::io::Errno;

use super::disk::{Trouble, is};
use crate::failure::Failure;

/// The failure of publishing `needed` bytes on a volume with `free` ones. It is not tried again: no volume grows by that.
pub(crate) fn failure(Trouble { step, error }: Trouble, needed: u64, free: Option<u64>) -> Failure {
    let failed = format!("cannot {} `{}`: {error}", step.what, step.path.display());
    let kind = error.kind();
    if is(&error, &[Errno::NOSPC, Errno::DQUOT]) {
        let free = free.map(|free| format!(", {free} are free")).unwrap_or_default();
        return Failure::new(Code::Unavailable, format!("{failed}; the set needs {needed} bytes{free}")).with_hint(
            "give the volume more room (the emptyDir's sizeLimit, the PVC's size), or make the set smaller",
        );
    }
    if is(&error, &[Errno::ROFS]) {
        return Failure::new(Code::Unavailable, failed)
            .with_hint("mount the volume into this container without `readOnly`; the agent's mount may have it");
    }
    if step.what == "link" && is(&error, &[Errno::PERM, Errno::NOTSUP, Errno::NOSYS]) {
        return Failure::new(Code::Unavailable, failed)
            .with_hint("this volume may not know symbolic links, which publishing needs; an emptyDir does");
    }
    if kind == io::ErrorKind::PermissionDenied {
        return Failure::new(Code::Denied, failed)
            .with_hint("let the volume be writable by this process's group (`securityContext.fsGroup`) or its user");
    }
    if step.what == "lock" && kind == io::ErrorKind::WouldBlock {
        let held = format!("another config-loader holds `{}`", step.path.display());
        return Failure::new(Code::Deadline, held).with_hint("let only one at a time publish into a directory");
    }
    if matches!(kind, io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists | io::ErrorKind::IsADirectory)
        || is(&error, &[Errno::LOOP])
    {
        return Failure::new(Code::Unavailable, failed)
            .with_hint("something that is not the config-loader's is there; move it away or publish elsewhere");
    }
    Failure::new(Code::Unavailable, failed).with_hint("look at the volume")
}

/// The failure of a directory in which there is something that we did not make.
pub(crate) fn in_the_way(directory: &Path, names: &[String]) -> Failure {
    let paths: Vec<String> = names.iter().map(|name| format!("`{}`", directory.join(name).display())).collect();
    let (what, it) = if names.len() == 1 { ("is", "it") } else { ("are", "them") };
    Failure::new(Code::Unavailable, format!("{} {what} in the way: not made by a config-loader", paths.join(", ")))
        .with_hint(format!("move {it} away, or publish into a directory of its own"))
}
