//! The bags of trees with their rows' path lengths in; for each row the number of bags that have it, and the
//! sum of its path lengths in their trees, out.

use crate::tree::path_length::PathLength;

/// For each row, the number of bags that have it, and the sum of its path lengths in their trees.
pub(crate) struct Bags(pub(crate) Vec<(u32, PathLength)>);

impl Bags {
    /// Zeros for `rows` rows: no bag is added yet.
    pub(crate) fn new(rows: usize) -> Self {
        Self(vec![(0, 0); rows])
    }

    /// Adds the bag of one tree: its rows, with their path lengths in the tree.
    pub(crate) fn add(&mut self, bag: &[(usize, PathLength)]) {
        for (row, length) in bag {
            self.0[*row].0 += 1;
            self.0[*row].1 += length;
        }
    }
}
