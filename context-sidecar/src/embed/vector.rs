//! What a vector must be, before anything is done with it.

/// Checks the vectors of one answer and brings them to length 1.
///
/// # Errors
/// What is wrong, to be read after "it".
pub(super) fn checked(
    mut vectors: Vec<Vec<f32>>,
    wanted: usize,
    dimension: Option<usize>,
) -> Result<Vec<Vec<f32>>, String> {
    if vectors.len() != wanted {
        return Err(format!("has {} vectors for {wanted} texts", vectors.len()));
    }
    let dimension = dimension.or_else(|| vectors.first().map(Vec::len)).unwrap_or_default();
    for (index, vector) in vectors.iter_mut().enumerate() {
        if vector.is_empty() {
            return Err(format!("has no numbers in vector {index}"));
        }
        if vector.len() != dimension {
            return Err(format!("has {} numbers in vector {index} where the others have {dimension}", vector.len()));
        }
        if vector.iter().any(|number| !number.is_finite()) {
            return Err(format!("has something in vector {index} that is no finite number"));
        }
        let length = vector.iter().map(|number| f64::from(*number).powi(2)).sum::<f64>().sqrt();
        if length == 0.0 {
            return Err(format!("has nothing but zeros in vector {index}, which points nowhere"));
        }
        for number in vector {
            #[allow(clippy::cast_possible_truncation, reason = "it is between -1 and 1")]
            let unit = (f64::from(*number) / length) as f32;
            *number = unit;
        }
    }
    Ok(vectors)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_no_vector_is_refused() {
        let good = || vec![3.0, 4.0];
        for (vectors, wanted, dimension, says) in [
            (vec![good()], 2, None, "has 1 vectors for 2 texts"),
            (vec![good(), good()], 1, None, "has 2 vectors for 1 texts"),
            (vec![good(), vec![1.0]], 2, None, "has 1 numbers in vector 1 where the others have 2"),
            (vec![good()], 1, Some(3), "has 2 numbers in vector 0 where the others have 3"),
            (vec![vec![]], 1, None, "has no numbers in vector 0"),
            (vec![good(), vec![f32::NAN, 1.0]], 2, None, "has something in vector 1 that is no finite number"),
            (vec![vec![f32::INFINITY, 1.0]], 1, None, "has something in vector 0 that is no finite number"),
            (vec![vec![0.0, -0.0]], 1, None, "has nothing but zeros in vector 0, which points nowhere"),
        ] {
            assert_eq!(checked(vectors, wanted, dimension).unwrap_err(), says);
        }
        assert_eq!(checked(vec![good()], 1, Some(2)).unwrap(), vec![vec![0.6, 0.8]]);
    }

    proptest! {
        #[test]
        fn whatever_passes_has_length_one(vector in prop::collection::vec(any::<f32>(), 1..40)) {
            if let Ok(vectors) = checked(vec![vector], 1, None) {
                let length = vectors[0].iter().map(|number| f64::from(*number).powi(2)).sum::<f64>().sqrt();
                prop_assert!((length - 1.0).abs() < 1e-5, "{}", length);
            }
        }
    }
}
