//! Which texts go together: servers bound the number and the bytes of a request.

use std::ops::Range;

/// Cuts a list of texts of these lengths into runs of at most `items` texts and `bytes` bytes. A text that is longer than
/// that goes alone.
pub(super) fn cut(lengths: &[usize], items: usize, bytes: usize) -> Vec<Range<usize>> {
    let mut runs = Vec::new();
    let (mut start, mut sum) = (0, 0_usize);
    for (index, length) in lengths.iter().enumerate() {
        if index > start && (index - start >= items || sum.saturating_add(*length) > bytes) {
            runs.push(start..index);
            (start, sum) = (index, 0);
        }
        sum = sum.saturating_add(*length);
    }
    if start < lengths.len() {
        runs.push(start..lengths.len());
    }
    runs
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn every_text_once_in_order_within_the_bounds(
            lengths in prop::collection::vec(0..50_usize, 0..60), items in 1..10_usize, bytes in 1..100_usize,
        ) {
            let runs = cut(&lengths, items, bytes);
            let all: Vec<usize> = runs.iter().cloned().flatten().collect();
            prop_assert_eq!(all, (0..lengths.len()).collect::<Vec<_>>());
            for run in &runs {
                let sum: usize = lengths[run.clone()].iter().sum();
                prop_assert!(run.len() <= items && !run.is_empty());
                prop_assert!(sum <= bytes || run.len() == 1);
            }
            // No two neighbours would have fitted into one: there are not more requests than must be.
            for pair in runs.windows(2) {
                let with_next = pair[0].start..=pair[1].start;
                let sum: usize = lengths[with_next.clone()].iter().sum();
                prop_assert!(with_next.count() > items || sum > bytes);
            }
        }
    }
}
