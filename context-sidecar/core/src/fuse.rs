//! Two legs of a search become one ranking.
//!
//! Their scores are of different kinds: cosines, and sums of weights. Distribution-based score fusion says of each score
//! where it stands among those of its leg: `(score - (mean - 3 sigma)) / (6 sigma)`, with the standard deviation of a
//! sample, as Qdrant has it, but not clamped to 0..=1, since what is far out is just what should be first. Where a leg has
//! no distribution, because it has too few hits or all of them score the same, the ranks are fused: reciprocal rank
//! fusion, `1 / (k + rank)` with ranks from 1 and k = 60, as in the paper.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};

use crate::point::{Hit, PointId};

/// The k of the paper on reciprocal rank fusion.
pub const RRF_K: f32 = 60.0;
/// A leg with fewer hits has no distribution: of two hits one is always 0.7 sigma above the mean, the other below.
pub const FEWEST: usize = 3;

/// How legs are fused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// By where a score stands among those of its leg.
    Dbsf,
    /// By ranks.
    Rrf,
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fusion {
    /// By scores where that can be, or by ranks always.
    pub method: Method,
    /// The weight of the dense leg.
    pub dense: f32,
    /// The weight of the lexical leg.
    pub lexical: f32,
    /// The k of the fusion by ranks.
    pub k: f32,
}

impl Default for Fusion {
    fn default() -> Self {
        Self { method: Method::Dbsf, dense: 1.0, lexical: 1.0, k: RRF_K }
    }
}

/// A point, what it is worth, and what each leg makes of it; `None` where that leg has not found it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fused {
    /// Which.
    pub id: PointId,
    /// Higher is better; can be below 0.
    pub score: f32,
    /// Its cosine similarity.
    pub dense: Option<f32>,
    /// Its BM25.
    pub lexical: Option<f32>,
}

/// One ranking of both legs, best first, ties by id, and how it was made. A leg that has nothing is an empty one. Where one
/// of them was not asked (`None`), there is nothing to fuse: the other one's scores are what they are.
#[must_use]
pub fn fuse(dense: Option<&[Hit]>, lexical: Option<&[Hit]>, how: &Fusion) -> (Vec<Fused>, Option<Method>) {
    let (dense, lexical) = match (dense, lexical) {
        (Some(dense), Some(lexical)) => (in_order(dense), in_order(lexical)),
        (Some(dense), None) => return (alone(dense, |score| (Some(score), None)), None),
        (None, Some(lexical)) => return (alone(lexical, |score| (None, Some(score))), None),
        (None, None) => return (Vec::new(), None),
    };
    let legs = [&dense, &lexical];
    let spreads = legs.map(|leg| Spread::of(leg));
    let [of_dense, of_lexical] = spreads;
    let have_one = legs.iter().zip(spreads).all(|(leg, spread)| leg.is_empty() || spread.is_some());
    let method = if have_one { how.method } else { Method::Rrf };

    let of = |number: usize, rank: u32, hit: &Hit| {
        let (spread, weight) = if number == 0 { (of_dense, how.dense) } else { (of_lexical, how.lexical) };
        let worth = match (method, spread) {
            (Method::Dbsf, Some(spread)) => spread.place(hit.score),
            _ => 1.0 / (f64::from(how.k) + f64::from(rank)),
        };
        f64::from(weight) * worth
    };
    let mut worth: Vec<(f64, Fused)> = Vec::with_capacity(dense.len() + lexical.len());
    let mut places: HashMap<PointId, usize, BuildHasherDefault<IdHasher>> = HashMap::default();
    places.reserve(dense.len());
    for (rank, hit) in (1..).zip(dense.iter()) {
        places.insert(hit.id, worth.len());
        worth.push((of(0, rank, hit), Fused { id: hit.id, score: 0.0, dense: Some(hit.score), lexical: None }));
    }
    for (rank, hit) in (1..).zip(lexical.iter()) {
        let value = of(1, rank, hit);
        match places.get(&hit.id).and_then(|place| worth.get_mut(*place)) {
            Some((sum, both)) => {
                *sum += value;
                both.lexical = Some(hit.score);
            }
            None => worth.push((value, Fused { id: hit.id, score: 0.0, dense: None, lexical: Some(hit.score) })),
        }
    }
    // Those that one leg has found are in order, and take little; this sort makes use of that.
    worth.sort_by(|(one, of_one), (other, of_other)| other.total_cmp(one).then_with(|| of_one.id.cmp(&of_other.id)));
    (worth.into_iter().map(|(score, hit)| Fused { score: score as f32, ..hit }).collect(), Some(method))
}

/// An id is a hash already.
#[derive(Default)]
struct IdHasher(u64);

impl Hasher for IdHasher {
    fn write(&mut self, bytes: &[u8]) {
        for eight in bytes.chunks(8) {
            let number = eight.iter().fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
            self.0 = (self.0.rotate_left(29) ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        }
    }

    fn write_usize(&mut self, _length: usize) {}

    fn finish(&self) -> u64 {
        self.0 ^ self.0 >> 32
    }
}

fn alone(leg: &[Hit], scores: fn(f32) -> (Option<f32>, Option<f32>)) -> Vec<Fused> {
    let fused = |hit: &Hit| {
        let (dense, lexical) = scores(hit.score);
        Fused { id: hit.id, score: hit.score, dense, lexical }
    };
    in_order(leg).iter().map(fused).collect()
}

/// Best first, ties by id; each point once, and none whose score is no number. Stores answer so: then nothing is copied.
fn in_order(leg: &[Hit]) -> Cow<'_, [Hit]> {
    let order = |one: &Hit, other: &Hit| other.score.total_cmp(&one.score).then(one.id.cmp(&other.id));
    let is_sorted =
        leg.is_sorted_by(|one, other| order(one, other).is_lt()) && leg.iter().all(|hit| hit.score.is_finite());
    let mut seen: HashSet<PointId, BuildHasherDefault<IdHasher>> = HashSet::default();
    seen.reserve(leg.len());
    if is_sorted && leg.iter().all(|hit| seen.insert(hit.id)) {
        return Cow::Borrowed(leg);
    }
    let mut leg: Vec<Hit> = leg.iter().copied().filter(|hit| hit.score.is_finite()).collect();
    leg.sort_by(order);
    seen.clear();
    leg.retain(|hit| seen.insert(hit.id));
    Cow::Owned(leg)
}

/// How the scores of a leg are spread.
#[derive(Debug, Clone, Copy)]
struct Spread {
    mean: f64,
    sigma: f64,
}

impl Spread {
    #[allow(clippy::cast_precision_loss, reason = "nobody has 2^52 hits")]
    fn of(leg: &[Hit]) -> Option<Self> {
        if leg.len() < FEWEST {
            return None;
        }
        let count = leg.len() as f64;
        let mean = leg.iter().map(|hit| f64::from(hit.score)).sum::<f64>() / count;
        let squares = leg.iter().map(|hit| (f64::from(hit.score) - mean).powi(2)).sum::<f64>();
        let sigma = (squares / (count - 1.0)).sqrt();
        // Less than this is what is left of rounding.
        (sigma > 1e-6 * mean.abs().max(1e-6)).then_some(Self { mean, sigma })
    }

    fn place(self, score: f32) -> f64 {
        (f64::from(score) - (self.mean - 3.0 * self.sigma)) / (6.0 * self.sigma)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    fn id(number: u128) -> PointId {
        Uuid::from_u128(number).into()
    }

    fn leg(scores: &[f32]) -> Vec<Hit> {
        (1..).zip(scores).map(|(number, score)| Hit { id: id(number), score: *score }).collect()
    }

    fn ids(fused: &[Fused]) -> Vec<PointId> {
        fused.iter().map(|fused| fused.id).collect()
    }

    #[test]
    fn the_formula() {
        let (fused, method) = fuse(Some(&leg(&[3.0, 2.0, 1.0])), Some(&[]), &Fusion::default());
        assert_eq!(method, Some(Method::Dbsf));
        // The mean is 2, sigma is 1: from -1 to 5.
        let scores: Vec<f32> = fused.iter().map(|fused| fused.score).collect();
        for (score, expected) in scores.iter().zip([4.0 / 6.0, 0.5, 2.0 / 6.0]) {
            assert!((score - expected).abs() < 1e-6, "{scores:?}");
        }
        // Qdrant would have clamped the first: it is more than 3 sigma above the mean.
        let mut far = vec![0.0; 30];
        far[29] = 1.0;
        far[28] = 0.01;
        assert!(fuse(Some(&leg(&far)), Some(&[]), &Fusion::default()).0[0].score > 1.0);
    }

    #[test]
    fn without_a_distribution_the_ranks_count() {
        let many = leg(&[0.9, 0.5, 0.1]);
        for few in [leg(&[7.0]), leg(&[7.0, 6.0]), leg(&[7.0, 7.0, 7.0, 7.0])] {
            let (fused, method) = fuse(Some(&many), Some(&few), &Fusion::default());
            assert_eq!(method, Some(Method::Rrf));
            assert!((fused[0].score - 2.0 / 61.0).abs() < 1e-6);
            assert_eq!(fused[0].id, id(1));
        }
        // A leg that has nothing takes nothing away.
        assert_eq!(fuse(Some(&many), Some(&[]), &Fusion::default()).1, Some(Method::Dbsf));
        assert_eq!(fuse(Some(&[]), Some(&[]), &Fusion::default()).0, []);
    }

    /// A leg that was not asked is another thing than one that has found nothing.
    #[test]
    fn one_leg_alone_keeps_its_scores() {
        let how = Fusion { dense: 0.0, method: Method::Rrf, ..Fusion::default() };
        for scores in [vec![0.9], vec![0.5, 0.5, 0.5], vec![0.9, 0.5, -0.1]] {
            let (fused, method) = fuse(Some(&leg(&scores)), None, &how);
            assert_eq!(method, None);
            assert_eq!(fused.iter().map(|hit| hit.score).collect::<Vec<_>>(), scores);
            assert!(fused.iter().all(|hit| hit.dense == Some(hit.score) && hit.lexical.is_none()));
            let (fused, _) = fuse(None, Some(&leg(&scores)), &how);
            assert!(fused.iter().all(|hit| hit.lexical == Some(hit.score) && hit.dense.is_none()));
        }
        assert_eq!(fuse(None, None, &how), (Vec::new(), None));
    }

    #[test]
    fn weights_and_k_count() {
        let (dense, lexical) = (leg(&[3.0, 2.0, 1.0]), leg(&[1.0, 2.0, 3.0]));
        for (weight, first) in [(2.0, 1), (0.5, 3)] {
            for method in [Method::Dbsf, Method::Rrf] {
                let how = Fusion { dense: weight, method, ..Fusion::default() };
                assert_eq!(fuse(Some(&dense), Some(&lexical), &how).0[0].id, id(first));
            }
        }
        let how = Fusion { method: Method::Rrf, k: 1.0, ..Fusion::default() };
        assert!((fuse(Some(&dense), Some(&[]), &how).0[0].score - 0.5).abs() < 1e-6);
    }

    fn hits() -> impl Strategy<Value = Vec<Hit>> {
        let score = prop_oneof![8 => -1.0_f32..30.0, 2 => Just(1.0), 1 => Just(f32::NAN), 1 => Just(f32::INFINITY)];
        prop::collection::vec((0_u128..20, score).prop_map(|(number, score)| Hit { id: id(number), score }), 0..20)
    }

    proptest! {
        #[test]
        fn all_that_was_found_is_there_once_with_its_scores(dense in hits(), lexical in hits()) {
            let (fused, _) = fuse(Some(&dense), Some(&lexical), &Fusion::default());
            let mut once = ids(&fused);
            once.sort();
            once.dedup();
            prop_assert_eq!(once.len(), fused.len());
            for (leg, of) in [(&dense, (|fused| fused.dense) as fn(&Fused) -> Option<f32>), (&lexical, |fused| fused.lexical)] {
                for hit in leg.iter().filter(|hit| hit.score.is_finite()) {
                    let best = leg.iter().filter(|other| other.id == hit.id && other.score.is_finite()).map(|hit| hit.score).fold(f32::MIN, f32::max);
                    let found = fused.iter().find(|fused| fused.id == hit.id);
                    prop_assert_eq!(found.and_then(of), Some(best));
                }
            }
            for pair in fused.windows(2) {
                prop_assert!(pair[0].score.is_finite() && pair[0].score >= pair[1].score);
            }
        }

        #[test]
        fn the_order_of_a_leg_does_not_matter(dense in hits(), lexical in hits(), method in prop_oneof![Just(Method::Dbsf), Just(Method::Rrf)]) {
            let how = Fusion { method, ..Fusion::default() };
            let turned = |leg: &[Hit]| leg.iter().rev().copied().collect::<Vec<_>>();
            let (one, other) = (fuse(Some(&dense), Some(&lexical), &how).0, fuse(Some(&turned(&dense)), Some(&turned(&lexical)), &how).0);
            prop_assert_eq!(ids(&one), ids(&other));
        }

        /// Scores of a leg that are twice as high, or higher by one, fuse the same.
        #[test]
        fn what_a_leg_counts_in_does_not_matter(dense in prop::collection::hash_map(0_u128..50, 0_u16..1000, 3..30), lexical in prop::collection::hash_map(0_u128..50, 0_u16..1000, 3..30)) {
            let leg = |of: &HashMap<u128, u16>, by: f32, and: f32| -> Vec<Hit> {
                of.iter().map(|(number, score)| Hit { id: id(*number), score: f32::from(*score) * by + and }).collect()
            };
            let one = fuse(Some(&leg(&dense, 1.0, 0.0)), Some(&leg(&lexical, 1.0, 0.0)), &Fusion::default()).0;
            let other = fuse(Some(&leg(&dense, 2.0, 8.0)), Some(&leg(&lexical, 1.0, 0.0)), &Fusion::default()).0;
            for (one, other) in one.iter().zip(&other) {
                prop_assert!((one.score - other.score).abs() < 1e-4);
            }
        }

        /// As it is defined: a sum for each id.
        #[test]
        fn it_is_the_sum_for_each_id(dense in hits(), lexical in hits(), method in prop_oneof![Just(Method::Dbsf), Just(Method::Rrf)], weights in (0.0_f32..2.0, 0.0_f32..2.0)) {
            let how = Fusion { method, dense: weights.0, lexical: weights.1, ..Fusion::default() };
            let (fused, method) = fuse(Some(&dense), Some(&lexical), &how);
            let mut sums: BTreeMap<PointId, f64> = BTreeMap::new();
            for (leg, weight) in [(in_order(&dense), weights.0), (in_order(&lexical), weights.1)] {
                let spread = Spread::of(&leg);
                for (rank, hit) in leg.iter().enumerate() {
                    let worth = match (method, spread) {
                        (Some(Method::Dbsf), Some(spread)) => spread.place(hit.score),
                        _ => 1.0 / (61.0 + rank as f64),
                    };
                    *sums.entry(hit.id).or_default() += f64::from(weight) * worth;
                }
            }
            let mut expected: Vec<(f64, PointId)> = sums.into_iter().map(|(id, sum)| (sum, id)).collect();
            expected.sort_by(|(one, _), (other, _)| other.total_cmp(one));
            prop_assert_eq!(ids(&fused), expected.iter().map(|(_, id)| *id).collect::<Vec<_>>());
        }

        #[test]
        fn one_leg_keeps_its_order(dense in hits()) {
            let (fused, _) = fuse(Some(&dense), Some(&[]), &Fusion::default());
            for pair in fused.windows(2) {
                prop_assert!(pair[0].dense > pair[1].dense || (pair[0].dense == pair[1].dense && pair[0].id < pair[1].id));
            }
        }
    }
}
