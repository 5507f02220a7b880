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

/// Where the downward API is mounted by habit.
pub const FILES: &str = "/etc/podinfo";

/// How much of a file a template may read, in bytes.
const MAX_FILE: u64 = 1024 * 1024;

/// Words of a variable's name that make a secret of its value.
const SECRET: [&str; 9] =
    ["KEY", "TOKEN", "SECRET", "PASSWORD", "PASSWD", "CREDENTIAL", "CREDENTIALS", "AUTHORIZATION", "AUTH"];

/// What the templates of a set may use.
#[must_use]
pub fn context(settings: &Settings, environment: &Environment) -> Context {
    let allowed = settings.template_env.as_deref();
    let env = environment.iter().filter(|(name, _)| is_allowed(name, allowed));
    let directories = settings.template_files.clone();
    Context {
        env: env.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        values: settings.values.clone(),
        file: Arc::new(move |path| read(path, &directories)),
    }
}

/// Whether templates may have a variable: those that are named, else all that do not sound like a secret.
fn is_allowed(name: &str, allowed: Option<&[String]>) -> bool {
    match allowed {
        Some(allowed) => allowed.iter().any(|entry| match entry.strip_suffix('*') {
            Some(beginning) => name.starts_with(beginning),
            None => name == entry,
        }),
        // A URL may have a password in it, and a query that is one.
        None => !name.ends_with("_URL") && !name.ends_with("_HEADERS") && !name.split('_').any(is_secret),
    }
}

fn is_secret(word: &str) -> bool {
    SECRET.iter().any(|secret| word.eq_ignore_ascii_case(secret))
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
    fn what_sounds_like_a_secret_has_to_be_named() {
        for name in ["REGION", "POD_NAME", "MONKEY", "KEYBOARD", "OTEL_SERVICE_NAME"] {
            assert!(is_allowed(name, None), "{name}");
        }
        for name in [
            "OPENAI_API_KEY",
            "AWS_SECRET_ACCESS_KEY",
            "AWS_SESSION_TOKEN",
            "AWS_ACCESS_KEY_ID",
            "REDIS_PASSWORD",
            "DATABASE_URL",
            "HTTPS_PROXY_AUTH",
            "github_token",
            "OTEL_EXPORTER_OTLP_HEADERS",
        ] {
            assert!(!is_allowed(name, None), "{name}");
        }
        let named = ["POD_*".to_owned(), "LICENCE_KEY".to_owned()];
        for (name, allowed) in [("POD_NAME", true), ("LICENCE_KEY", true), ("REGION", false), ("LICENCE_KEYS", false)] {
            assert_eq!(is_allowed(name, Some(&named)), allowed, "{name}");
        }
        assert!(!is_allowed("REGION", Some(&[])));
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
