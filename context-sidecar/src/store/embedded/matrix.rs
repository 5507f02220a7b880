//! The vectors of a scope, one after another, and how near each is to one that is asked for.
//!
//! They lie in blocks, so that growing never copies them all; a scan reads a block from its beginning to its end, which
//! is as fast as memory is. The loop is written in lanes, compiled once for every machine and once for those with AVX2,
//! and chosen when it runs.

use pulp::Arch;

/// Vectors of one block: some 400 KB of them at 384 numbers each.
const BLOCK: usize = 256;

/// Numbers that are multiplied at once: four registers of AVX2, so that one addition need not wait for the last.
const LANES: usize = 32;

/// Vectors of one length.
#[derive(Debug)]
pub(super) struct Matrix {
    dimension: usize,
    len: usize,
    blocks: Vec<Vec<f32>>,
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
        let row = self.blocks.get_mut(slot / BLOCK).and_then(|block| block.get_mut(start..start + self.dimension));
        let vector = vector.iter().copied().chain(std::iter::repeat(0.0));
        row.into_iter().flatten().zip(vector).for_each(|(to, from)| *to = from);
    }

    fn push(&mut self) {
        if self.len.is_multiple_of(BLOCK) {
            self.blocks.push(Vec::new());
        }
        if let Some(block) = self.blocks.last_mut() {
            block.resize(block.len() + self.dimension, 0.0);
            self.len += 1;
        }
    }

    /// The dot product of `vector` with each, slot by slot.
    pub(super) fn products(&self, vector: &[f32]) -> Vec<f32> {
        if self.dimension == 0 {
            return Vec::new();
        }
        let mut products = vec![0.0; self.len];
        Arch::new().dispatch(Scan { matrix: self, vector, products: &mut products });
        products
    }
}

struct Scan<'s> {
    matrix: &'s Matrix,
    vector: &'s [f32],
    products: &'s mut [f32],
}

impl pulp::NullaryFnOnce for Scan<'_> {
    type Output = ();

    // Inlined all the way, or else it would be compiled without the features that it was dispatched for.
    #[inline(always)]
    fn call(self) {
        let Scan { matrix, vector, products } = self;
        for (block, products) in matrix.blocks.iter().zip(products.chunks_mut(BLOCK)) {
            for (row, product) in block.chunks_exact(matrix.dimension).zip(products) {
                *product = dot(row, vector);
            }
        }
    }
}

#[inline(always)]
fn dot(left: &[f32], right: &[f32]) -> f32 {
    let mut sums = [0.0; LANES];
    let (left, left_rest) = left.as_chunks::<LANES>();
    let (right, right_rest) = right.as_chunks::<LANES>();
    for (left, right) in left.iter().zip(right) {
        for ((sum, left), right) in sums.iter_mut().zip(left).zip(right) {
            *sum += left * right;
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

    proptest! {
        #[test]
        fn products_are_those_of_the_plain_loop(
            rows in (1_usize..70).prop_flat_map(|dimension| prop::collection::vec(prop::collection::vec(-1.0_f32..1.0, dimension), 1..300)),
        ) {
            let mut matrix = Matrix::new(rows[0].len());
            // Slots are also filled out of order, and anew.
            matrix.set(rows.len() - 1, &[9.0]);
            for (slot, row) in rows.iter().enumerate() {
                matrix.set(slot, row);
            }
            let products = matrix.products(&rows[0]);
            prop_assert_eq!(products.len(), rows.len());
            for (slot, row) in rows.iter().enumerate() {
                let plain: f64 = row.iter().zip(&rows[0]).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum();
                prop_assert!((f64::from(products[slot]) - plain).abs() < 1e-4);
            }
        }
    }

    #[test]
    fn a_vector_of_nothing_stays_one() {
        assert_eq!(normalised(&[0.0, 0.0]), [0.0, 0.0]);
        assert_eq!(normalised(&[3.0, 4.0]), [0.6, 0.8]);
    }
}
