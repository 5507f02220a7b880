//! Which set of prompts, tools and guardrails the pod has, as a metric.
//!
//! Whatever loads a set leaves a `manifest.json` beside it, with the digest of the whole. It is read at each scrape, so
//! that the metric tells what the directory holds now, and pods with different prompts can be told apart. Where there
//! is no set, or its manifest cannot be read, there is no series, and the scrape is none the worse for it.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::info::Info;
use rustix::fs::OFlags;
use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::config::Environment;
use crate::metrics::Metrics;

/// The variable that names the directory of the set.
pub const DIRECTORY_VARIABLE: &str = "CONFIG_DIR";

/// Where the set is unless the variable says otherwise.
pub const DIRECTORY: &str = "/config";

/// A manifest has some hundred bytes for each file of the set; of more than this, in bytes, nothing is believed.
const MAX_BYTES: u64 = 4 << 20;

/// Registers `config_set_info` and `config_set_created_seconds`, which tell of the set in `CONFIG_DIR`.
pub fn register(metrics: &Metrics, environment: &Environment) {
    let directory = Path::new(environment.get(DIRECTORY_VARIABLE).unwrap_or(DIRECTORY));
    let collector = ConfigSet { manifest: directory.join("manifest.json"), broken: AtomicBool::new(false) };
    metrics.within(|registry| registry.register_collector(Box::new(collector)));
}

#[derive(Debug)]
struct ConfigSet {
    manifest: PathBuf,
    /// A manifest that makes no sense is told of once, not at every scrape.
    broken: AtomicBool,
}

/// What of a manifest is told.
#[derive(Debug, Deserialize)]
struct Manifest {
    digest: String,
    created: String,
    stale: Option<IgnoredAny>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    digest: String,
    stale: &'static str,
}

impl ConfigSet {
    fn current(&self) -> Option<Manifest> {
        match read(&self.manifest) {
            Ok(manifest) => {
                self.broken.store(false, Ordering::Relaxed);
                Some(manifest)
            }
            Err(error) => {
                let absent = matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory);
                if !self.broken.swap(!absent, Ordering::Relaxed) && !absent {
                    let path = self.manifest.display();
                    tracing::warn!(%path, %error, "the manifest of the set cannot be read; config_set_info is left out");
                }
                None
            }
        }
    }
}

impl Collector for ConfigSet {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let Some(Manifest { digest, created, stale }) = self.current() else { return Ok(()) };
        let info = Info::new(Labels { digest, stale: if stale.is_some() { "true" } else { "false" } });
        let help = "The set of prompts and tools in this pod; stale where it is the last good one and not the newest";
        info.encode(encoder.encode_descriptor("config_set", help, None, info.metric_type())?)?;
        let Some(created) = seconds(&created) else { return Ok(()) };
        let gauge = ConstGauge::new(created);
        let help = "When the set was put together, in seconds since 1970";
        gauge.encode(encoder.encode_descriptor("config_set_created_seconds", help, None, gauge.metric_type())?)
    }
}

fn read(path: &Path) -> io::Result<Manifest> {
    // A pipe in its place would be waited for until somebody writes into it.
    let flags = i32::try_from(OFlags::NONBLOCK.bits()).unwrap_or_default();
    let file: File = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    let broken = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what);
    if !file.metadata()?.is_file() {
        return Err(broken("is no file"));
    }
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(broken("is larger than 4 MiB"));
    }
    let manifest: Manifest = serde_json::from_slice(&bytes)?;
    // A label is no place for whatever a file may hold.
    if is_digest(&manifest.digest) { Ok(manifest) } else { Err(broken("`digest` is not sha256: and 64 digits")) }
}

fn is_digest(text: &str) -> bool {
    let hex = |digits: &str| digits.len() == 64 && digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    text.strip_prefix("sha256:").is_some_and(hex)
}

/// A time in RFC 3339 as seconds since 1970.
fn seconds(created: &str) -> Option<i64> {
    let time = humantime::parse_rfc3339(created).ok()?;
    i64::try_from(time.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_secs()).ok()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::thread;

    use super::*;

    fn digest(digit: char) -> String {
        format!("sha256:{}", String::from_iter([digit; 64]))
    }

    fn manifest(digit: char, rest: &str) -> String {
        format!(
            r#"{{"version": 1, "digest": "{}", "created": "2023-11-14T22:13:20Z"{rest}, "files": []}}"#,
            digest(digit)
        )
    }

    fn metrics(directory: &Path) -> Metrics {
        let metrics = Metrics::new();
        register(&metrics, &Environment::from_pairs([(DIRECTORY_VARIABLE, directory.to_str().unwrap())]));
        metrics
    }

    #[test]
    fn a_set_is_told_by_its_digest_and_its_time() {
        let folder = tempfile::tempdir().unwrap();
        let metrics = metrics(folder.path());
        assert_eq!(metrics.encode(), "# EOF\n", "there is no set yet");
        fs::write(folder.path().join("manifest.json"), manifest('a', "")).unwrap();
        let text = metrics.encode();
        let info = format!("config_set_info{{digest=\"{}\",stale=\"false\"}} 1\n", digest('a'));
        assert!(text.contains(&info), "{text}");
        assert!(text.contains("\nconfig_set_created_seconds 1700000000\n"), "{text}");

        let stale = r#", "stale": {"since": "2023-11-14T22:13:20Z", "reason": "HTTP 503"}"#;
        fs::write(folder.path().join("manifest.json"), manifest('b', stale)).unwrap();
        let text = metrics.encode();
        let info = format!("config_set_info{{digest=\"{}\",stale=\"true\"}} 1\n", digest('b'));
        assert!(text.contains(&info) && !text.contains(&digest('a')), "{text}");
    }

    #[test]
    fn what_is_no_manifest_has_no_series_and_harms_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("manifest.json");
        let metrics = metrics(folder.path());
        let large = manifest('a', &format!(r#", "x": "{}""#, "y".repeat(4 << 20)));
        let tampered = manifest('a', "").replace("sha256:", "sha512:");
        let quoting = manifest('a', "").replace("sha256:a", r#"sha256:\""#);
        for broken in ["", "<html>", "[]", r#"{"digest": 1}"#, "\u{0}", &large, &tampered, &quoting] {
            fs::write(&path, broken).unwrap();
            let text = metrics.encode();
            assert!(!text.contains("config_set") && text.ends_with("# EOF\n"), "{text}");
        }
        fs::write(&path, manifest('a', "").replace("2023-11-14", "yesterday")).unwrap();
        let text = metrics.encode();
        assert!(text.contains("config_set_info{") && !text.contains("config_set_created"), "{text}");

        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert_eq!(metrics.encode(), "# EOF\n");
        fs::remove_dir(&path).unwrap();
        rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0).unwrap();
        assert_eq!(metrics.encode(), "# EOF\n", "nobody writes into the pipe");
    }

    #[test]
    fn a_set_that_is_swapped_while_it_is_scraped_is_the_old_one_or_the_new_one() {
        let folder = tempfile::tempdir().unwrap();
        let place = |name: &str| folder.path().join(name);
        for name in ['a', 'b'] {
            fs::create_dir(place(&name.to_string())).unwrap();
            fs::write(place(&format!("{name}/manifest.json")), manifest(name, "")).unwrap();
        }
        symlink("a", place("config")).unwrap();
        let metrics = metrics(&place("config"));
        let swapping = thread::spawn({
            let folder = folder.path().to_owned();
            move || {
                for round in 0..400 {
                    symlink(if round % 2 == 0 { "b" } else { "a" }, folder.join("next")).unwrap();
                    fs::rename(folder.join("next"), folder.join("config")).unwrap();
                }
            }
        });
        while !swapping.is_finished() {
            let text = metrics.encode();
            let has = ['a', 'b'].map(|digit| text.contains(&digest(digit)));
            assert!(has[0] != has[1], "{text}");
        }
        swapping.join().unwrap();
        assert!(metrics.encode().contains(&digest('a')), "the last one stays");
    }
}
