//! What the caller may choose.

use std::path::PathBuf;

use anyhow::{Context as _, bail};

pub(crate) const USAGE: &str = "\
usage: bench loader [--loader PATH] [--rounds N] [--only WORDS] [--folder PATH]

  --loader PATH   a release binary; without it `cargo build --release -p config-loader` makes one
  --rounds N      how often each program is started in each scene (21)
  --only WORDS    only scenes with this in their name: https, for instance
  --folder PATH   where the files go (the folder for temporary files); /dev/shm is memory, as an emptyDir can be";

#[derive(Debug, PartialEq)]
pub(crate) struct Options {
    pub(crate) loader: Option<PathBuf>,
    pub(crate) rounds: usize,
    pub(crate) only: Option<String>,
    pub(crate) folder: Option<PathBuf>,
}

impl Options {
    pub(crate) fn read(words: &[String]) -> anyhow::Result<Self> {
        let mut options = Self { loader: None, rounds: 21, only: None, folder: None };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let mut value = || words.next().with_context(|| format!("{word} needs a value\n{USAGE}"));
            match word.as_str() {
                "--loader" => options.loader = Some(value()?.into()),
                "--rounds" => options.rounds = value()?.parse::<usize>().context("--rounds takes a number")?.max(1),
                "--only" => options.only = Some(value()?.clone()),
                "--folder" => options.folder = Some(value()?.into()),
                _ => bail!("unknown option {word}\n{USAGE}"),
            }
        }
        Ok(options)
    }

    pub(crate) fn wants(&self, scene: &str) -> bool {
        self.only.as_ref().is_none_or(|only| scene.contains(only))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> anyhow::Result<Options> {
        Options::read(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn every_option_is_understood() {
        let options = read("--loader a --rounds 5 --only https --folder /dev/shm").unwrap();
        assert_eq!((options.loader, options.rounds, options.folder), (Some("a".into()), 5, Some("/dev/shm".into())));
        let options = read("--only https").unwrap();
        assert!(options.wants("2 files, https") && !options.wants("2 files, http"));
    }

    #[test]
    fn a_slip_is_named() {
        assert!(read("--round 5").unwrap_err().to_string().contains("--round"));
        assert!(read("--only").unwrap_err().to_string().contains("--only needs a value"));
    }
}
