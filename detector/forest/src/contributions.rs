//! Trees and a row in, each column's share in its isolation out. [`crate::Forest::contributions`] says what a share is.

use crate::path::average_path_length;
use crate::tree::{Node, Tree};

/// The shares of `columns` columns in setting `row` apart, given each tree with its nodes' sample counts.
pub(crate) fn of<'a>(
    columns: usize,
    trees: impl Iterator<Item = (&'a Tree, &'a Vec<u32>)>,
    row: &[f32],
) -> Vec<f64> {
    let mut gains = vec![0.0; columns];
    for (tree, samples) in trees {
        let mut at = 0;
        while let Some(next) = tree.step(at, row) {
            let gain = average_path_length(samples[at]) - average_path_length(samples[next]) - 1.0;
            credit(tree, at, row, gain, &mut gains);
            at = next;
        }
    }
    shares(gains)
}

/// Adds what the split at node `at` gained to its column; a plane's gain goes to its columns by how far each took the
/// row from the middle.
fn credit(tree: &Tree, at: usize, row: &[f32], gain: f64, gains: &mut [f64]) {
    match tree.nodes()[at] {
        Node::Split { column, .. } => gains[column as usize] += gain,
        Node::Plane { plane, .. } => {
            let terms = &tree.planes()[plane as usize].terms;
            let total: f64 = terms.iter().map(|term| term.distance(row).abs()).sum();
            for term in terms.iter().filter(|_| total > 0.0) {
                gains[term.column as usize] += gain * term.distance(row).abs() / total;
            }
        }
        Node::Leaf { .. } => {}
    }
}

fn shares(mut gains: Vec<f64>) -> Vec<f64> {
    for gain in &mut gains {
        *gain = gain.max(0.0);
    }
    let total: f64 = gains.iter().sum();
    if total > 0.0 {
        for gain in &mut gains {
            *gain /= total;
        }
    } else {
        let columns = gains.len() as f64;
        gains.fill(1.0 / columns);
    }
    gains
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_gains_count_and_they_add_up_to_one() {
        assert_eq!(shares(vec![3.0, -2.0, 1.0]), [0.75, 0.0, 0.25]);
    }

    #[test]
    fn without_any_gain_all_columns_share_alike() {
        assert_eq!(shares(vec![-1.0, 0.0]), [0.5, 0.5]);
    }
}
