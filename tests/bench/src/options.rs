//! What the caller may choose.

use std::path::PathBuf;

use anyhow::{Context as _, bail};

pub(crate) const USAGE: &str = "\
usage: bench [--quick] [--rounds N] [--only NAMES] [--ambassador PATH] [--json FILE]
       bench loader [--help]
       bench context [--help]

  --quick             one short round, about 20 s: does everything still run?
  --rounds N          rounds over all subjects (3)
  --only NAMES        comma-separated: nginx, ambassador, translating (direct is always measured)
  --ambassador PATH   a release binary; without it `cargo build --release -p ambassador` makes one
  --json FILE         every round's figures, for later comparison";

#[derive(Debug, Default, PartialEq)]
pub(crate) struct Options {
    pub(crate) quick: bool,
    pub(crate) rounds: Option<usize>,
    pub(crate) only: Option<Vec<String>>,
    pub(crate) ambassador: Option<PathBuf>,
    pub(crate) json: Option<PathBuf>,
}

impl Options {
    pub(crate) fn read(words: &[String]) -> anyhow::Result<Self> {
        let mut options = Self::default();
        let mut words = words.iter();
        while let Some(word) = words.next() {
            let mut value = || words.next().with_context(|| format!("{word} needs a value\n{USAGE}"));
            match word.as_str() {
                "--quick" => options.quick = true,
                "--rounds" => options.rounds = Some(value()?.parse().context("--rounds takes a number")?),
                "--only" => options.only = Some(value()?.split(',').map(str::to_owned).collect()),
                "--ambassador" => options.ambassador = Some(value()?.into()),
                "--json" => options.json = Some(value()?.into()),
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
        let options = read("--quick --rounds 5 --only nginx,ambassador --json out.json").unwrap();
        assert!(options.quick && options.wants("nginx") && !options.wants("translating"));
        assert_eq!((options.rounds, options.json), (Some(5), Some("out.json".into())));
        assert!(read("").unwrap().wants("translating"));
    }

    #[test]
    fn a_slip_is_named() {
        assert!(read("--round 5").unwrap_err().to_string().contains("--round"));
        assert!(read("--json").unwrap_err().to_string().contains("--json needs a value"));
    }
}
