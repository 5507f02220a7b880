//! Results that differ: maximal marginal relevance. The next one is that which is most relevant and least like those that
//! were picked before.

/// One of those to pick from.
#[derive(Clone, Copy)]
pub struct Candidate<'v> {
    /// How relevant it is, in the measure of a cosine: its similarity to the question.
    pub relevance: f32,
    /// What it means; without one it is like nothing.
    pub vector: Option<&'v [f32]>,
}

impl std::fmt::Debug for Candidate<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Candidate").field("relevance", &self.relevance).finish_non_exhaustive()
    }
}

/// Picks at most `most` of the candidates, and says which, in the order to show them. `lambda` is how much relevance
/// counts: with 1 nothing else does, with 0 nothing but difference. Of equals it is the first.
///
/// It is exact: each is compared with each that was picked, so that it takes `most * candidates` products of vectors.
#[must_use]
pub fn mmr(candidates: &[Candidate<'_>], lambda: f32, most: usize) -> Vec<usize> {
    let lambda = if lambda.is_nan() { 1.0 } else { lambda.clamp(0.0, 1.0) };
    let lengths: Vec<f32> =
        candidates.iter().map(|one| one.vector.map_or(0.0, |vector| dot(vector, vector).sqrt())).collect();
    let mut left: Vec<Left<'_>> = (0..)
        .zip(candidates.iter().zip(&lengths))
        .map(|(number, (candidate, length))| Left { number, candidate, length: *length, likeness: None })
        .collect();
    let mut picked = Vec::with_capacity(most.min(left.len()));
    while picked.len() < most {
        let mut best: Option<(usize, f32)> = None;
        for (place, one) in left.iter().enumerate() {
            let worth = one.worth(lambda);
            if best.is_none_or(|(_, best)| worth.total_cmp(&best).is_gt()) {
                best = Some((place, worth));
            }
        }
        let Some((place, _)) = best else { break };
        let pick = left.remove(place);
        picked.push(pick.number);
        left.iter_mut().for_each(|one| one.compare(&pick));
    }
    picked
}

/// One that is not picked yet.
struct Left<'v> {
    number: usize,
    candidate: &'v Candidate<'v>,
    length: f32,
    /// How much it is like that of the picked which it is most like.
    likeness: Option<f32>,
}

impl Left<'_> {
    fn worth(&self, lambda: f32) -> f32 {
        let relevance = if self.candidate.relevance.is_finite() { self.candidate.relevance } else { -1.0 };
        lambda * relevance - (1.0 - lambda) * self.likeness.unwrap_or(0.0)
    }

    fn compare(&mut self, picked: &Left<'_>) {
        let product = match (self.candidate.vector, picked.candidate.vector) {
            (Some(one), Some(other)) if one.len() == other.len() => dot(one, other),
            _ => 0.0,
        };
        let likeness = product / (self.length * picked.length);
        let likeness = if likeness.is_finite() { likeness } else { 0.0 };
        self.likeness = Some(self.likeness.map_or(likeness, |before| before.max(likeness)));
    }
}

/// In eight sums, which the compiler makes one instruction of.
fn dot(one: &[f32], other: &[f32]) -> f32 {
    let (ones, one_rest) = one.as_chunks::<8>();
    let (others, other_rest) = other.as_chunks::<8>();
    let mut sums = [0.0_f32; 8];
    for (one, other) in ones.iter().zip(others) {
        for (sum, (one, other)) in sums.iter_mut().zip(one.iter().zip(other)) {
            *sum += one * other;
        }
    }
    let rest: f32 = one_rest.iter().zip(other_rest).map(|(one, other)| one * other).sum();
    sums.iter().sum::<f32>() + rest
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn candidates<'v>(of: &'v [(f32, Vec<f32>)]) -> Vec<Candidate<'v>> {
        of.iter().map(|(relevance, vector)| Candidate { relevance: *relevance, vector: Some(vector) }).collect()
    }

    #[test]
    fn what_is_like_the_first_comes_last() {
        let of = [(0.9, vec![1.0, 0.0]), (0.89, vec![0.99, 0.01]), (0.5, vec![0.0, 1.0])];
        assert_eq!(mmr(&candidates(&of), 0.5, 3), [0, 2, 1]);
        assert_eq!(mmr(&candidates(&of), 1.0, 3), [0, 1, 2]);
        assert_eq!(mmr(&candidates(&of), 0.5, 2), [0, 2]);
        assert_eq!(mmr(&[], 0.5, 3), Vec::<usize>::new());
    }

    #[test]
    fn without_vectors_relevance_counts() {
        let of = [0.1, 0.9, f32::NAN, 0.5].map(|relevance| Candidate { relevance, vector: None });
        assert_eq!(mmr(&of, 0.7, 9), [1, 3, 0, 2]);
        assert_eq!(mmr(&of, f32::NAN, 1), [1]);
    }

    /// By the definition, all over again for each pick.
    fn slow(of: &[(f32, Vec<f32>)], lambda: f32) -> Vec<usize> {
        let cosine = |one: &[f32], other: &[f32]| {
            let product = dot(one, other) / (dot(one, one).sqrt() * dot(other, other).sqrt());
            if product.is_finite() { product } else { 0.0 }
        };
        let mut picked: Vec<usize> = Vec::new();
        while picked.len() < of.len() {
            let worth = |number: usize| {
                let likest = picked.iter().map(|other| cosine(&of[number].1, &of[*other].1)).reduce(f32::max);
                lambda * of[number].0 - (1.0 - lambda) * likest.unwrap_or(0.0)
            };
            let left = (0..of.len()).filter(|number| !picked.contains(number));
            picked.push(left.rev().max_by(|one, other| worth(*one).total_cmp(&worth(*other))).unwrap());
        }
        picked
    }

    proptest! {
        #[test]
        fn it_is_the_definition(of in prop::collection::vec((-1.0_f32..1.0, prop::collection::vec(-1.0_f32..1.0, 11)), 0..12), lambda in 0.0_f32..=1.0) {
            prop_assert_eq!(mmr(&candidates(&of), lambda, of.len()), slow(&of, lambda));
        }

        #[test]
        fn the_dot_product_is_one(of in prop::collection::vec((-1.0_f32..1.0, -1.0_f32..1.0), 0..40)) {
            let (one, other): (Vec<f32>, Vec<f32>) = of.iter().copied().unzip();
            let plain: f32 = of.iter().map(|(one, other)| one * other).sum();
            prop_assert!((dot(&one, &other) - plain).abs() < 1e-4);
        }
    }
}
