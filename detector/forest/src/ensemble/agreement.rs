//! Members and training rows in, how much the members agree out, as `detector inspect` shows it.

use crate::data::samples::Samples;
use crate::forest::Forest;

/// A sentence that lists each member with its agreement with the other members on these rows.
pub(crate) fn sentence(members: &[Forest], rows: &Samples) -> String {
    let ranks: Vec<Vec<f64>> = members.iter().map(|member| ranks(&member.scores(rows))).collect();
    let members = members.iter().enumerate().map(|(at, member)| {
        let rows = member.sample_size();
        format!("{} over {rows} rows, agreement {:.2}", member.mode().name(), agreement(&ranks, at))
    });
    format!(
        "without labels nothing shows which mode scores best, so these score together and the most anomalous score counts \
         (agreement: Spearman's, with the mean rank of the others, over {} training rows): {}",
        rows.len(),
        members.collect::<Vec<_>>().join("; ")
    )
}

/// Spearman's correlation of one member's ranks with the mean ranks of the other members; 0 where all ranks
/// of either are equal.
fn agreement(ranks: &[Vec<f64>], of: usize) -> f64 {
    let others =
        |row: usize| ranks.iter().enumerate().filter(|(at, _)| *at != of).map(|(_, ranks)| ranks[row]).sum();
    let others: Vec<f64> = (0..ranks[of].len()).map(others).collect();
    correlation(&ranks[of], &self::ranks(&others))
}

/// The rank of each number, counted from 0; equal numbers have the mean of their ranks.
fn ranks(numbers: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..numbers.len()).collect();
    order.sort_unstable_by(|&a, &b| numbers[a].total_cmp(&numbers[b]));
    let mut ranks = vec![0.0; numbers.len()];
    let mut below = 0;
    for equal in order.chunk_by(|&a, &b| numbers[a].total_cmp(&numbers[b]).is_eq()) {
        for &at in equal {
            ranks[at] = below as f64 + (equal.len() - 1) as f64 / 2.0;
        }
        below += equal.len();
    }
    ranks
}

/// Pearson's correlation of two lists of ranks, which have the same mean in any order.
fn correlation(a: &[f64], b: &[f64]) -> f64 {
    let mean = (a.len() as f64 - 1.0) / 2.0;
    let product = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - mean) * (b - mean)).sum::<f64>();
    let scale = (product(a, a) * product(b, b)).sqrt();
    if scale > 0.0 { product(a, b) / scale } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn agreement_is_1_for_the_same_order_and_minus_1_for_the_opposite() {
        let rising = ranks(&[0.1, 0.2, 0.2, 0.9]);
        let falling = ranks(&[0.9, 0.5, 0.5, 0.1]);
        assert_eq!(rising, [0.0, 1.5, 1.5, 3.0]);
        assert!((agreement(&[rising.clone(), rising.clone()], 0) - 1.0).abs() < 1e-12);
        assert!((agreement(&[rising.clone(), falling], 0) + 1.0).abs() < 1e-12);
        assert!(agreement(&[rising, ranks(&[0.5; 4])], 0).abs() < 1e-12);
    }
}
