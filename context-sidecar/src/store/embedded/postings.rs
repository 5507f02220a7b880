//! The words of a scope: for each, which slots have it and how much it weighs there.

use std::collections::HashMap;

use context_core::point::Sparse;

/// Where a word is.
#[derive(Clone, Copy)]
struct Posting {
    slot: u32,
    weight: f32,
}

/// From words to slots. The order within a list means nothing: scores are summed up by the order of the query.
#[derive(Default)]
pub(super) struct Postings {
    lists: HashMap<u32, Vec<Posting>>,
    /// How many slots have any words: Qdrant counts only those for the weight of a word.
    chunks: usize,
}

impl Postings {
    pub(super) fn add(&mut self, slot: u32, words: &Sparse) {
        for (&word, &weight) in words.indices.iter().zip(&words.values) {
            self.lists.entry(word).or_default().push(Posting { slot, weight });
        }
        self.chunks += usize::from(!words.indices.is_empty());
    }

    /// Takes out the slots for which `gone` holds, of which `worded` had words. `words` are all that they had, where that
    /// is known: then only those lists are looked at.
    pub(super) fn remove(&mut self, words: Option<&[u32]>, worded: usize, gone: impl Fn(u32) -> bool) {
        match words {
            Some(words) => {
                for word in words {
                    let Some(list) = self.lists.get_mut(word) else { continue };
                    list.retain(|posting| !gone(posting.slot));
                    if list.is_empty() {
                        self.lists.remove(word);
                    }
                }
            }
            None => self.lists.retain(|_, list| {
                list.retain(|posting| !gone(posting.slot));
                !list.is_empty()
            }),
        }
        self.chunks = self.chunks.saturating_sub(worded);
    }

    /// Gives back the room that was kept for more.
    pub(super) fn shrink(&mut self) {
        self.lists.values_mut().for_each(Vec::shrink_to_fit);
    }

    /// The score of each of `slots` slots; 0 for those that share no word.
    pub(super) fn scores(&self, words: &Sparse, slots: usize) -> Vec<f32> {
        let mut scores = vec![0.0_f32; slots];
        for (word, &wanted) in words.indices.iter().zip(&words.values) {
            let Some(list) = self.lists.get(word) else { continue };
            let weight = wanted * idf(self.chunks, list.len());
            for posting in list {
                if let Some(score) = scores.get_mut(posting.slot as usize) {
                    *score += weight * posting.weight;
                }
            }
        }
        scores
    }
}

/// What a word weighs that `with` of `all` have: Qdrant's formula, which is never negative.
fn idf(all: usize, with: usize) -> f32 {
    #[allow(clippy::cast_precision_loss, reason = "there are at most 100,000")]
    let (all, with) = (all as f32, with as f32);
    (1.0 + (all - with + 0.5) / (with + 0.5)).ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(indices: &[u32]) -> Sparse {
        Sparse { indices: indices.to_vec(), values: indices.iter().map(|_| 1.0).collect() }
    }

    #[test]
    fn what_was_removed_weighs_nothing_and_is_counted_nowhere() {
        let (mut one, mut two) = (Postings::default(), Postings::default());
        for (slot, indices) in [(0, &[1, 2][..]), (1, &[2, 3]), (2, &[])] {
            one.add(slot, &words(indices));
            two.add(slot, &words(indices));
        }
        one.remove(Some(&[2, 3]), 1, |slot| slot == 1);
        two.remove(None, 1, |slot| slot == 1);
        let mut fresh = Postings::default();
        fresh.add(0, &words(&[1, 2]));
        let asked = words(&[1, 2, 3, 4]);
        assert_eq!(one.scores(&asked, 3), two.scores(&asked, 3));
        assert_eq!(one.scores(&asked, 3)[0], fresh.scores(&asked, 1)[0]);
        assert_eq!((one.lists.len(), two.lists.len()), (2, 2));
    }

    #[test]
    fn the_formula_is_qdrants() {
        // ln(1 + (10 - 3 + 0.5) / 3.5)
        assert!((idf(10, 3) - 1.145_132_3).abs() < 1e-6);
        assert!(idf(7, 7) > 0.0);
    }
}
