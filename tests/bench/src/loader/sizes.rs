//! How large a program is, with what it cannot start without.

use std::fs;
use std::path::Path;
use std::process::Command;

/// The program and the shared libraries that it is linked to.
pub(crate) fn mib(program: &Path) -> f64 {
    // It fails for what is linked statically.
    let libraries = Command::new("ldd").arg(program).output().map(|ldd| ldd.stdout).unwrap_or_default();
    let libraries = String::from_utf8_lossy(&libraries);
    let paths = libraries.split_whitespace().filter(|word| word.starts_with('/')).map(Path::new);
    let size = |path: &Path| fs::metadata(path).map_or(0, |about| about.len());
    (size(program) + paths.map(size).sum::<u64>()) as f64 / f64::from(1 << 20)
}
