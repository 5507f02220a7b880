//! What a template may reach. It may come from another machine, and its text goes to a model: so it reaches neither the
//! credentials of this container nor any file that nobody has named.

use std::{
    fs,
    io::Read as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use chassis::config::Environment;

use crate::{check::template::Context, settings::Settings};

/// How much of a file a template may read, in bytes.
const MAX_FILE: u64 = 1024 * 1024;

/// What the templates of a set may use.
#[must_use]
pub fn context(settings: &Settings, environment: &Environment) -> Context {
    let env = environment.iter().filter(|(name, _)| is_allowed(name, &settings.template_env));
    let directories = settings.template_files.clone();
    Context {
        env: env.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        values: settings.values.clone(),
        file: Arc::new(move |path| read(path, &directories)),
    }
}

/// Whether templates may have a variable.
fn is_allowed(name: &str, allowed: &[String]) -> bool {
    allowed.iter().any(|entry| match entry.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => name == entry,
    })
}

/// A small text file in one of these directories, wherever its name leads inside of them.
fn read(path: &str, directories: &[PathBuf]) -> Result<String, String> {
    let unreadable = |error: std::io::Error| format!("cannot be read: {error}");
    let found = fs::canonicalize(path).map_err(unreadable)?;
    let within = |directory: &PathBuf| fs::canonicalize(directory).is_ok_and(|directory| found.starts_with(directory));
    if !Path::new(path).is_absolute() || !directories.iter().any(within) {
        return Err("is not below a directory that templates may read; name one in templates.files".to_owned());
    }
    if !fs::metadata(&found).map_err(unreadable)?.is_file() {
        return Err("is no ordinary file".to_owned());
    }
    let mut text = String::new();
    let file = fs::File::open(&found).map_err(unreadable)?;
    file.take(MAX_FILE + 1).read_to_string(&mut text).map_err(unreadable)?;
    if text.len() as u64 > MAX_FILE { Err("is larger than 1 MiB".to_owned()) } else { Ok(text) }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_variable_has_to_be_named() {
        let named = ["POD_*".to_owned(), "REGION".to_owned()];
        for (name, allowed) in [("POD_NAME", true), ("REGION", true), ("REGIONS", false), ("OPENAI_API_KEY", false)] {
            assert_eq!(is_allowed(name, &named), allowed, "{name}");
        }
        assert!(!is_allowed("REGION", &[]));
    }

    #[test]
    fn a_file_is_read_only_below_what_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
        fs::create_dir(path("podinfo")).unwrap();
        fs::write(path("podinfo/labels"), "app=\"agent\"").unwrap();
        fs::write(path("token"), "hunter2").unwrap();
        // As the kubelet mounts: a link that stays inside. And one that does not.
        symlink("labels", path("podinfo/link")).unwrap();
        symlink("../token", path("podinfo/out")).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, path("podinfo/fifo"), rustix::fs::Mode::RWXU).unwrap();
        fs::write(path("podinfo/large"), vec![b'x'; 1 + (1 << 20)]).unwrap();
        let directories = [path("nowhere").into(), path("podinfo").into()];
        let read = |name: &str| read(&path(name), &directories);
        for name in ["podinfo/labels", "podinfo/link", "podinfo/../podinfo/labels"] {
            assert_eq!(read(name).unwrap(), "app=\"agent\"", "{name}");
        }
        for (name, says) in [
            ("token", "is not below a directory that templates may read"),
            ("podinfo/out", "is not below"),
            ("podinfo/../token", "is not below"),
            ("podinfo/fifo", "is no ordinary file"),
            ("podinfo/large", "is larger than 1 MiB"),
            ("podinfo/gone", "cannot be read"),
        ] {
            let told = read(name).unwrap_err();
            assert!(told.contains(says), "{name}: {told}");
        }
    }
}
