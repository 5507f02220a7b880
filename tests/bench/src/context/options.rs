//! What the caller may choose.

use std::path::PathBuf;

use anyhow::{Context as _, bail};

pub(crate) const USAGE: &str = "\
usage: bench context [--sidecar PATH] [--retrieval DIR] [--only WORDS] [--rounds N]

  --sidecar PATH    a release binary; without it `cargo build --release -p context-sidecar` makes one
  --retrieval DIR   where scifact, chunkeval and fake_qdrant.py are (../shared/retrieval)
  --only WORDS      only some of: quality, qdrant, contexts, speed (of it: overhead), size
  --rounds N        how often each question is asked where time is measured (5)

environment:
  MINILM_PYTHON     a Python with the model's packages (target/minilm/bin/python); see context-sidecar/tests/support/minilm.py
  QDRANT_PYTHON     a Python with qdrant-client (target/qdrant/bin/python)
  QDRANT_URL        a Qdrant to use instead of fake_qdrant.py; collections named bench-... come and stay";

#[derive(Debug, PartialEq)]
pub(crate) struct Options {
    pub(crate) sidecar: Option<PathBuf>,
    pub(crate) retrieval: PathBuf,
    pub(crate) only: Option<Vec<String>>,
    pub(crate) rounds: usize,
}

impl Options {
    pub(crate) fn read(words: &[String]) -> anyhow::Result<Self> {
        let retrieval = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/retrieval"));
        let mut options = Self { sidecar: None, retrieval, only: None, rounds: 5 };
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let mut value = || words.next().with_context(|| format!("{word} needs a value\n{USAGE}"));
            match word.as_str() {
                "--sidecar" => options.sidecar = Some(value()?.into()),
                "--retrieval" => options.retrieval = value()?.into(),
                "--only" => options.only = Some(value()?.split(',').map(str::to_owned).collect()),
                "--rounds" => options.rounds = value()?.parse::<usize>().context("--rounds takes a number")?.max(1),
                _ => bail!("unknown option {word}\n{USAGE}"),
            }
        }
        Ok(options)
    }

    pub(crate) fn wants(&self, name: &str) -> bool {
        self.only.as_ref().is_none_or(|only| only.iter().any(|wanted| wanted == name))
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
        let options = read("--sidecar a --retrieval b --only speed,size --rounds 0").unwrap();
        assert!(options.wants("size") && !options.wants("quality") && options.rounds == 1);
        assert_eq!((options.sidecar, options.retrieval), (Some("a".into()), "b".into()));
        assert!(read("--round 5").unwrap_err().to_string().contains("--round"));
        assert!(read("--only").unwrap_err().to_string().contains("--only needs a value"));
    }
}
