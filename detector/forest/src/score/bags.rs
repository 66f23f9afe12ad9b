//! Trees' bags with the path lengths of their rows in; of each row, how many trees have seen it and what it scores in them, out.

use crate::tree::path_length::PathLength;

/// Of each row, in how many bags it is, and the sum of its path lengths in their trees.
pub(crate) struct Bags(pub(crate) Vec<(u32, PathLength)>);

impl Bags {
    /// Of so many rows; no bag yet.
    pub(crate) fn new(rows: usize) -> Self {
        Self(vec![(0, 0); rows])
    }

    /// One tree's rows, with their path lengths in it.
    pub(crate) fn add(&mut self, bag: &[(usize, PathLength)]) {
        for (row, length) in bag {
            self.0[*row].0 += 1;
            self.0[*row].1 += length;
        }
    }
}
