//! The vectors of a scope, and which of them are nearest to one that is asked for.
//!
//! A scan is as slow as memory is: at 50,000 vectors of 384 numbers there are 77 MB to read. So each vector is there twice,
//! as it is and as a sketch of a byte a number, and with it how far the sketch is off. All sketches are looked at, and then
//! the few vectors that may be among the best by what their sketches say. What is found is exactly what a look at all
//! vectors would find.

use super::best::top;

/// Vectors of one block: some 500 KB of them at 384 numbers each. Growing never copies more.
const BLOCK: usize = 256;

/// Numbers that are multiplied at once: enough of them that compilers use the registers that every machine has.
const LANES: usize = 32;

/// As many as the dimensions of all usual models are multiples of.
const PIECE: usize = 4 * LANES;

/// What sums of 384 and more numbers lose to rounding.
const ROUNDING: f32 = 1e-5;

/// Vectors of one length.
pub(super) struct Matrix {
    dimension: usize,
    len: usize,
    blocks: Vec<Block>,
}

#[derive(Default)]
struct Block {
    vectors: Vec<f32>,
    codes: Vec<i8>,
    sketches: Vec<Sketch>,
}

/// A sketch is its codes times `scale`; `error` is the length of what it lacks, `length` its own.
#[derive(Default, Clone, Copy)]
struct Sketch {
    scale: f32,
    error: f32,
    length: f32,
}

impl Matrix {
    pub(super) const fn new(dimension: usize) -> Self {
        Self { dimension, len: 0, blocks: Vec::new() }
    }

    /// Puts a vector into a slot that there is, or behind the last one. What is too short is filled up with zeros.
    pub(super) fn set(&mut self, slot: usize, vector: &[f32]) {
        if self.dimension == 0 {
            return;
        }
        while self.len <= slot {
            self.push();
        }
        let start = slot % BLOCK * self.dimension;
        let range = start..start + self.dimension;
        let Some(block) = self.blocks.get_mut(slot / BLOCK) else { return };
        let Block { vectors, codes, sketches } = block;
        let (Some(row), Some(codes)) = (vectors.get_mut(range.clone()), codes.get_mut(range)) else { return };
        let vector = vector.iter().copied().chain(std::iter::repeat(0.0));
        row.iter_mut().zip(vector).for_each(|(to, from)| *to = from);
        if let Some(place) = sketches.get_mut(slot % BLOCK) {
            *place = sketch(row, codes);
        }
    }

    fn push(&mut self) {
        if self.len.is_multiple_of(BLOCK) {
            self.blocks.push(Block::default());
        }
        if let Some(block) = self.blocks.last_mut() {
            block.vectors.resize(block.vectors.len() + self.dimension, 0.0);
            block.codes.resize(block.codes.len() + self.dimension, 0);
            block.sketches.push(Sketch::default());
            self.len += 1;
        }
    }

    /// The slots that may be among the best `limit` of those that fit, each with its dot product with `vector`.
    pub(super) fn nearest(&self, vector: &[f32], limit: usize, fits: impl Fn(usize) -> bool) -> Vec<(usize, f32)> {
        if self.dimension == 0 || limit == 0 {
            return Vec::new();
        }
        let asked = Asked::new(vector);
        let mut bounds = Vec::with_capacity(self.len);
        for block in &self.blocks {
            for (codes, sketch) in block.codes.chunks_exact(self.dimension).zip(&block.sketches) {
                bounds.push(asked.bound(codes, *sketch));
            }
        }
        let fitting = || bounds.iter().copied().enumerate().filter(|(slot, _)| fits(*slot));
        // As many as are wanted have at least this much, so whatever has less at most is none of them.
        let least =
            top(fitting().map(|(slot, (middle, off))| (slot, middle - off)), limit, |_, _| std::cmp::Ordering::Equal);
        let least =
            if least.len() < limit { f32::NEG_INFINITY } else { least.last().map_or(f32::NEG_INFINITY, |last| last.1) };
        fitting()
            .filter(|(_, (middle, off))| middle + off >= least)
            .filter_map(|(slot, _)| Some((slot, dot(self.get(slot)?, vector))))
            .collect()
    }

    fn get(&self, slot: usize) -> Option<&[f32]> {
        let start = slot % BLOCK * self.dimension;
        self.blocks.get(slot / BLOCK)?.vectors.get(start..start + self.dimension)
    }
}

/// What is asked for, as whole numbers.
struct Asked {
    codes: Vec<i16>,
    scale: f32,
    error: f32,
    length: f32,
}

impl Asked {
    fn new(vector: &[f32]) -> Self {
        // As fine as can be without the sum of all products leaving 32 bits.
        let finest =
            (i32::MAX / 128 / i32::try_from(vector.len().max(1)).unwrap_or(i32::MAX)).clamp(1, i32::from(i16::MAX));
        #[allow(clippy::cast_precision_loss, reason = "it has at most 15 bits")]
        let scale = largest(vector) / finest as f32;
        #[allow(clippy::cast_possible_truncation, reason = "rounded, and no larger than `finest`")]
        let codes: Vec<i16> = vector.iter().map(|number| divided(*number, scale).round() as i16).collect();
        let error = length(vector.iter().zip(&codes).map(|(number, code)| number - f32::from(*code) * scale));
        Self { codes, scale, error, length: length(vector.iter().copied()) }
    }

    /// The dot product with a vector as its sketch tells it, and by how much it may be off.
    fn bound(&self, codes: &[i8], sketch: Sketch) -> (f32, f32) {
        #[allow(clippy::cast_precision_loss, reason = "the rounding is allowed for")]
        let middle = whole(codes, &self.codes) as f32 * self.scale * sketch.scale;
        (middle, self.length * sketch.error + self.error * sketch.length + ROUNDING)
    }
}

fn sketch(vector: &[f32], codes: &mut [i8]) -> Sketch {
    let scale = largest(vector) / 127.0;
    for (code, number) in codes.iter_mut().zip(vector) {
        #[allow(clippy::cast_possible_truncation, reason = "rounded, and no larger than 127")]
        let rounded = divided(*number, scale).round() as i8;
        *code = rounded;
    }
    let error = length(vector.iter().zip(&*codes).map(|(number, code)| number - f32::from(*code) * scale));
    Sketch { scale, error, length: length(codes.iter().map(|code| f32::from(*code) * scale)) }
}

fn largest(vector: &[f32]) -> f32 {
    vector.iter().fold(0.0, |largest, number| number.abs().max(largest))
}

fn divided(number: f32, scale: f32) -> f32 {
    if scale > 0.0 { number / scale } else { 0.0 }
}

fn length(numbers: impl Iterator<Item = f32>) -> f32 {
    numbers.map(|number| number * number).sum::<f32>().sqrt()
}

/// The dot product of whole numbers. It takes a third of the time of the plain loop, since compilers use whole registers
/// where they know how often a loop turns, and on its own, where nothing around it changes their mind.
#[inline(never)]
fn whole(codes: &[i8], asked: &[i16]) -> i32 {
    let (codes, codes_rest) = codes.as_chunks::<PIECE>();
    let (asked, asked_rest) = asked.as_chunks::<PIECE>();
    let mut sum = 0;
    for (codes, asked) in codes.iter().zip(asked) {
        let mut sums = [0; LANES];
        let (codes, _) = codes.as_chunks::<LANES>();
        let (asked, _) = asked.as_chunks::<LANES>();
        for (codes, asked) in codes.iter().zip(asked) {
            for lane in 0..LANES {
                sums[lane] += i32::from(codes[lane]) * i32::from(asked[lane]);
            }
        }
        sum += sums.iter().sum::<i32>();
    }
    let rest = codes_rest.iter().zip(asked_rest).map(|(code, asked)| i32::from(*code) * i32::from(*asked));
    sum + rest.sum::<i32>()
}

#[inline(never)]
fn dot(left: &[f32], right: &[f32]) -> f32 {
    let (left, left_rest) = left.as_chunks::<LANES>();
    let (right, right_rest) = right.as_chunks::<LANES>();
    let mut sums = [0.0; LANES];
    for (left, right) in left.iter().zip(right) {
        for lane in 0..LANES {
            sums[lane] += left[lane] * right[lane];
        }
    }
    let rest: f32 = left_rest.iter().zip(right_rest).map(|(left, right)| left * right).sum();
    sums.iter().sum::<f32>() + rest
}

/// A vector of length 1 in the same direction, as Qdrant keeps them for cosine similarity. Zeros stay zeros.
pub(super) fn normalised(vector: &[f32]) -> Vec<f32> {
    let square: f32 = vector.iter().map(|number| number * number).sum();
    if square < f32::EPSILON {
        return vector.to_vec();
    }
    let length = square.sqrt();
    vector.iter().map(|number| number / length).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn vectors() -> impl Strategy<Value = Vec<Vec<f32>>> {
        // Some are rough, so that sketches are far off and many vectors are near each other.
        let number = prop_oneof![-1.0_f32..1.0, Just(0.0), Just(0.25), Just(-1.0)];
        (1_usize..70).prop_flat_map(move |dimension| {
            let vector = prop::collection::vec(number.clone(), dimension).prop_map(|vector| normalised(&vector));
            prop::collection::vec(vector, 1..90)
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn the_nearest_are_those_of_a_look_at_all(rows in vectors(), limit in 0_usize..40, every in 1_usize..4) {
            let mut matrix = Matrix::new(rows[0].len());
            // Slots are also filled out of order, and anew.
            matrix.set(rows.len() - 1, &[9.0]);
            for (slot, row) in rows.iter().enumerate() {
                matrix.set(slot, row);
            }
            let mut found: Vec<f32> = matrix.nearest(&rows[0], limit, |slot| slot % every == 0).iter().map(|(_, score)| *score).collect();
            let mut plain: Vec<f32> = rows.iter().step_by(every).map(|row| row.iter().zip(&rows[0]).map(|(a, b)| a * b).sum()).collect();
            for scores in [&mut found, &mut plain] {
                scores.sort_by(|one, other| other.total_cmp(one));
            }
            prop_assert!(found.len() >= limit.min(plain.len()));
            for (found, plain) in found.iter().zip(&plain).take(limit) {
                prop_assert!((found - plain).abs() < 1e-5, "{} is not {}", found, plain);
            }
        }
    }

    #[test]
    fn few_are_looked_at_closely() {
        let vector = |seed: usize| {
            normalised(&(0..384).map(|n| ((n * seed * 7 + seed * seed) % 1_009) as f32 - 504.0).collect::<Vec<_>>())
        };
        let mut matrix = Matrix::new(384);
        (1..=2_000).for_each(|seed| matrix.set(seed - 1, &vector(seed)));
        let found = matrix.nearest(&vector(7), 10, |_| true);
        assert!((10..200).contains(&found.len()), "{}", found.len());
        let all =
            |of: &dyn Fn(usize) -> f32| top((0..2_000).map(|slot| (slot, of(slot))), 10, |one, other| one.cmp(&other));
        let plain = all(&|slot| dot(&vector(slot + 1), &vector(7)));
        let found = top(found.into_iter(), 10, |one, other| one.cmp(&other));
        assert!(found.iter().zip(&plain).all(|(found, plain)| (found.1 - plain.1).abs() < 1e-5), "{found:?} {plain:?}");
    }

    #[test]
    fn no_sum_is_too_large() {
        for dimension in [1, 384, 4_096] {
            let mut matrix = Matrix::new(dimension);
            matrix.set(0, &vec![1.0; dimension]);
            let [(0, score)] = matrix.nearest(&vec![1.0; dimension], 1, |_| true)[..] else { panic!("it is there") };
            assert!((score - dimension as f32).abs() < 0.5, "{score}");
        }
    }

    #[test]
    fn a_vector_of_nothing_stays_one() {
        assert_eq!(normalised(&[0.0, 0.0]), [0.0, 0.0]);
        assert_eq!(normalised(&[3.0, 4.0]), [0.6, 0.8]);
    }
}
