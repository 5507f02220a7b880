//! What a scrape of `/metrics` says, in the text format of Prometheus.

use std::collections::BTreeMap;

/// One sample.
#[derive(Debug, Clone)]
pub struct Sample {
    pub name: String,
    pub labels: BTreeMap<String, String>,
    pub value: f64,
}

#[derive(Debug, Clone, Default)]
pub struct Scrape(Vec<Sample>);

impl Scrape {
    /// Reads an exposition; lines that are no samples are left out.
    #[must_use]
    pub fn of(text: &str) -> Self {
        Self(text.lines().filter(|line| !line.starts_with('#')).filter_map(sample).collect())
    }

    pub fn samples(&self) -> impl Iterator<Item = &Sample> {
        self.0.iter()
    }

    /// The samples of a series.
    pub fn series<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Sample> {
        self.0.iter().filter(move |sample| sample.name == name)
    }

    /// The sum of a series over all samples that have these labels.
    #[must_use]
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let has = |sample: &&Sample| {
            labels.iter().all(|(label, value)| sample.labels.get(*label).is_some_and(|is| is == value))
        };
        self.series(name).filter(has).map(|sample| sample.value).sum()
    }
}

fn sample(line: &str) -> Option<Sample> {
    let (series, value) = match line.rfind('}') {
        Some(at) => line.split_at(at + 1),
        None => line.split_once(' ')?,
    };
    let value = value.split_whitespace().next()?.parse().ok()?;
    let (name, labels) = series.split_once('{').unwrap_or((series, ""));
    Some(Sample { name: name.into(), labels: pairs(labels.trim_end_matches('}')), value })
}

/// `a="x",b="y"`, where a value may have `\"` and `,` in it.
fn pairs(labels: &str) -> BTreeMap<String, String> {
    let mut pairs = BTreeMap::new();
    let mut rest = labels;
    while let Some((name, after)) = rest.split_once("=\"") {
        let mut value = String::new();
        let mut characters = after.char_indices();
        let mut end = after.len();
        while let Some((at, character)) = characters.next() {
            match character {
                '\\' => value.extend(characters.next().map(|(_, escaped)| if escaped == 'n' { '\n' } else { escaped })),
                '"' => {
                    end = at + 1;
                    break;
                }
                _ => value.push(character),
            }
        }
        pairs.insert(name.trim_start_matches(',').trim().to_owned(), value);
        rest = after.get(end..).unwrap_or_default();
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_labels_with_quotes_and_commas() {
        let scrape = Scrape::of(
            "# TYPE a counter\na_total{m=\"x,\\\"y\\\"\",n=\"z\"} 2\na_total{m=\"w\"} 3 1700000000\nb 0.5\n",
        );
        assert_eq!(scrape.sum("a_total", &[]), 5.0);
        assert_eq!(scrape.sum("a_total", &[("m", "x,\"y\""), ("n", "z")]), 2.0);
        assert_eq!(scrape.sum("b", &[]), 0.5);
    }
}
