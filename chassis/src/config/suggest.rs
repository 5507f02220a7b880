//! The name somebody probably meant.

/// The candidate closest to `given`, when it is close enough to be meant.
pub(super) fn closest<'a>(given: &str, candidates: &'a [String]) -> Option<&'a str> {
    let given = given.to_lowercase();
    candidates
        .iter()
        .map(|candidate| (distance(&given, &candidate.to_lowercase()), candidate))
        .filter(|(distance, candidate)| *distance <= (candidate.chars().count() / 3).max(1))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate.as_str())
}

/// How many letters have to be added, dropped, replaced or swapped with their neighbour.
pub(super) fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    // Distances of the letters of `a` so far to each beginning of `b`: two lines back, one back.
    let mut before = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    let mut previous = None;
    for (i, letter) in a.chars().enumerate() {
        let mut line = vec![i + 1];
        for (j, other) in b.iter().enumerate() {
            let at = |line: &[usize], index: usize| line.get(index).copied().unwrap_or(usize::MAX);
            let replaced = at(&last, j) + usize::from(letter != *other);
            let mut best = replaced.min(at(&last, j + 1) + 1).min(at(&line, j) + 1);
            let swapped = j > 0 && previous == Some(*other) && b.get(j - 1) == Some(&letter);
            if swapped {
                best = best.min(at(&before, j - 1) + 1);
            }
            line.push(best);
        }
        before = std::mem::replace(&mut last, line);
        previous = Some(letter);
    }
    last.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_letters() {
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("abc", ""), 3);
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("wieght", "weight"), 1);
        assert_eq!(distance("same", "same"), 0);
    }

    #[test]
    fn suggests_only_what_is_near() {
        let names = ["targets", "model", "retry"].map(str::to_owned);
        assert_eq!(closest("tagets", &names), Some("targets"));
        assert_eq!(closest("Model", &names), Some("model"));
        assert_eq!(closest("timeout", &names), None);
    }
}
