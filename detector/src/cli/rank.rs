//! Two rows of numbers in, their rank correlation out.

/// Spearman's rank correlation of two rows: 1 where both are in the same order, -1 where they are in opposite
/// orders. Equal numbers share the mean of their ranks. `None` where there are fewer than two numbers, or
/// where all numbers of a row are equal.
///
/// ```
/// use detector::cli::rank::correlation;
/// assert_eq!(correlation(&[1.0, 2.0, 3.0], &[10.0, 200.0, 3000.0]), Some(1.0));
/// assert_eq!(correlation(&[1.0, 2.0, 3.0], &[3.0, 2.0, 1.0]), Some(-1.0));
/// assert_eq!(correlation(&[1.0, 2.0], &[5.0, 5.0]), None);
/// ```
///
/// # Panics
/// When the rows are not equally long.
pub fn correlation(a: &[f64], b: &[f64]) -> Option<f64> {
    assert_eq!(a.len(), b.len(), "both slices have the same length");
    let mean = f64::midpoint(a.len() as f64, 1.0);
    let centred = |row: &[f64]| -> Vec<f64> { ranks(row).iter().map(|rank| rank - mean).collect() };
    let (a, b) = (centred(a), centred(b));
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let scale = (dot(&a, &a) * dot(&b, &b)).sqrt();
    (scale > 0.0).then(|| (dot(&a, &b) / scale).clamp(-1.0, 1.0))
}

/// The rank of each number, counted from 1. Equal numbers share the mean of their ranks.
fn ranks(row: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..row.len()).collect();
    order.sort_unstable_by(|a, b| row[*a].total_cmp(&row[*b]));
    let mut ranks = vec![0.0; row.len()];
    let mut before = 0;
    for equal in order.chunk_by(|a, b| row[*a].total_cmp(&row[*b]).is_eq()) {
        let rank = before as f64 + f64::midpoint(equal.len() as f64, 1.0);
        for at in equal {
            ranks[*at] = rank;
        }
        before += equal.len();
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn equal_numbers_share_the_mean_of_their_ranks() {
        assert_eq!(ranks(&[7.0, 1.0, 7.0, 3.0]), [3.5, 1.0, 3.5, 2.0]);
    }

    /// Ranks 1, 4.5, 4.5, 3, 6, 2 and 2, 6, 3, 4.5, 4.5, 1: about their mean, 11.5 of 17 by 17.
    #[test]
    fn it_is_pearsons_correlation_of_the_ranks() {
        let (a, b) = ([0.1, 0.5, 0.5, 0.3, 0.9, 0.2], [1.0, 4.0, 2.0, 3.0, 3.0, 0.0]);
        assert!((correlation(&a, &b).unwrap() - 11.5 / 17.0).abs() < 1e-12);
    }

    proptest! {
        #[test]
        fn what_keeps_the_order_keeps_the_correlation(rows in proptest::collection::vec((-5i8..5, -5i8..5), 2..50)) {
            let (a, b): (Vec<f64>, Vec<f64>) = rows.iter().map(|(a, b)| (f64::from(*a), f64::from(*b))).unzip();
            let stretched: Vec<f64> = b.iter().map(|b| b.exp()).collect();
            prop_assert_eq!(correlation(&a, &b), correlation(&a, &stretched));
            prop_assert_eq!(correlation(&a, &b), correlation(&b, &a));
            prop_assert!(correlation(&a, &b).is_none_or(|found| found.abs() <= 1.0));
        }
    }
}
