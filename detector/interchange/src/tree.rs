//! A tree of another system as parallel arrays in, the nodes of a [`forest::Forest`] out.

use forest::tree::{Node, threshold};

/// Why arrays do not make a tree.
#[derive(Debug, Clone, Copy, PartialEq, thiserror::Error)]
pub enum TreeError {
    /// A split on a column that the forest does not have.
    #[error("node {node} must split on one of the {columns} columns")]
    Column {
        /// The node's index, counted from 0.
        node: usize,
        /// How many columns the forest has.
        columns: u32,
    },
    /// A child whose index is out of range.
    #[error("node {node} must have a child among the tree's nodes, got {child}")]
    Child {
        /// The node's index, counted from 0.
        node: usize,
        /// The child's index in the file.
        child: i64,
    },
    /// A threshold that is not a number.
    #[error("node {node} must have a threshold, got NaN")]
    Threshold {
        /// The node's index, counted from 0.
        node: usize,
    },
    /// A leaf without samples, or with more than 4294967295.
    #[error("leaf {node} must have between 1 and 4294967295 samples, got {samples}")]
    Samples {
        /// The node's index, counted from 0.
        node: usize,
        /// The number of samples in the file.
        samples: i64,
    },
}

/// A tree as lists with one entry per node. All lists have the same length.
#[derive(Debug, Default)]
pub(crate) struct Arrays {
    /// The child for cells of at most the threshold; -1 at a leaf.
    pub(crate) left: Vec<i64>,
    /// The child for greater cells; -1 at a leaf.
    pub(crate) right: Vec<i64>,
    /// The column that a split compares; meaningless at a leaf.
    pub(crate) column: Vec<i64>,
    /// The split's threshold; meaningless at a leaf.
    pub(crate) threshold: Vec<f64>,
    /// The number of training rows that reached the node.
    pub(crate) samples: Vec<i64>,
}

/// Return the nodes of a tree, in the order of the arrays. The forest checks that they make a tree (one root,
/// no cycle).
pub(crate) fn nodes(arrays: &Arrays, columns: u32) -> Result<Vec<Node>, TreeError> {
    (0..arrays.left.len()).map(|node| arrays.node(node, columns)).collect()
}

impl Arrays {
    fn node(&self, node: usize, columns: u32) -> Result<Node, TreeError> {
        if self.left[node] == -1 {
            return self.leaf(node);
        }
        let column = u32::try_from(self.column[node]).ok().filter(|&column| column < columns);
        Ok(Node::Split {
            column: column.ok_or(TreeError::Column { node, columns })?,
            threshold: self.threshold(node)?,
            left: child(node, self.left[node])?,
            right: child(node, self.right[node])?,
        })
    }

    fn leaf(&self, node: usize) -> Result<Node, TreeError> {
        let samples = u32::try_from(self.samples[node]).ok().filter(|&samples| samples > 0);
        let samples = samples.ok_or(TreeError::Samples { node, samples: self.samples[node] })?;
        Ok(Node::Leaf { samples })
    }

    /// The threshold of a split. A tree that was trained with missing values may separate them from all other
    /// values by an infinite threshold. Every finite cell is at most `f32::MAX`, so this threshold has the
    /// same effect.
    fn threshold(&self, node: usize) -> Result<f32, TreeError> {
        let wide = self.threshold[node];
        if wide.is_nan() {
            return Err(TreeError::Threshold { node });
        }
        Ok(threshold(wide.min(f32::MAX.into())))
    }
}

fn child(node: usize, child: i64) -> Result<u32, TreeError> {
    u32::try_from(child).map_err(|_| TreeError::Child { node, child })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stump() -> Arrays {
        Arrays {
            left: vec![1, -1, -1],
            right: vec![2, -1, -1],
            column: vec![1, -1, -1],
            threshold: vec![0.1, -2.0, -2.0],
            samples: vec![3, 1, 2],
        }
    }

    #[test]
    fn a_threshold_between_two_f32_becomes_the_lower() {
        let nodes = nodes(&stump(), 2).unwrap();
        assert_eq!(nodes[0], Node::Split { column: 1, threshold: 0.099_999_994, left: 1, right: 2 });
        assert_eq!(nodes[2], Node::Leaf { samples: 2 });
    }

    #[test]
    fn a_split_of_missing_values_lets_every_finite_cell_pass() {
        let arrays = Arrays { threshold: vec![f64::INFINITY, 0.0, 0.0], ..stump() };
        let Node::Split { threshold, .. } = nodes(&arrays, 2).unwrap()[0] else { panic!("a split") };
        assert_eq!(threshold, f32::MAX);
    }

    #[test]
    fn each_broken_entry_is_named() {
        let refusal = |arrays: Arrays| nodes(&arrays, 2).unwrap_err().to_string();
        assert_eq!(
            refusal(Arrays { column: vec![2, 0, 0], ..stump() }),
            "node 0 must split on one of the 2 columns"
        );
        assert_eq!(
            refusal(Arrays { right: vec![-7, -1, -1], ..stump() }),
            "node 0 must have a child among the tree's nodes, got -7"
        );
        assert_eq!(
            refusal(Arrays { threshold: vec![f64::NAN, 0.0, 0.0], ..stump() }),
            "node 0 must have a threshold, got NaN"
        );
        assert_eq!(
            refusal(Arrays { samples: vec![3, 0, 2], ..stump() }),
            "leaf 1 must have between 1 and 4294967295 samples, got 0"
        );
    }
}
