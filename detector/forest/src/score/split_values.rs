//! Trees in, the values that they split each column at out.

use crate::tree::{Node, Tree};

/// The thresholds of each column in all trees, ascending, each once.
pub(super) fn split_values(columns: usize, trees: &[Tree]) -> Vec<Vec<f32>> {
    let mut values = vec![Vec::new(); columns];
    for node in trees.iter().flat_map(Tree::nodes) {
        if let Node::Split { column, threshold, .. } = *node {
            values[column as usize].push(threshold + 0.0); // -0.0 is 0.0
        }
    }
    for values in &mut values {
        values.sort_unstable_by(f32::total_cmp);
        values.dedup();
    }
    values
}
