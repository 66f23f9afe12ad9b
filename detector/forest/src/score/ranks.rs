//! Trees of at most eight levels and rows in, sums of path lengths out, through groves of ranked trees.

use super::avx512;
use super::grove::{Grove, LEAVES, LEVELS, MAX_COLUMNS, has_few_lengths};
use crate::tree::Tree;
use crate::tree::path_length::PathLength;

/// A forest, as one or more groves that each have few enough thresholds for 16-bit nodes.
#[derive(Debug, Clone)]
pub(crate) struct Ranks {
    groves: Vec<Grove>,
}

impl Ranks {
    /// Builds the groves; `None` when this processor has no AVX-512, or the trees do not fit.
    pub(crate) fn new(columns: usize, trees: &[Tree]) -> Option<Self> {
        let fit = |tree: &Tree| tree.planes().is_empty() && tree.depth() <= LEVELS && has_few_lengths(tree);
        if !avx512::is_supported() || columns > MAX_COLUMNS || !trees.iter().all(fit) {
            return None;
        }
        let mut size = trees.len();
        loop {
            let groves: Option<Vec<_>> = trees.chunks(size).map(|trees| Grove::new(columns, trees)).collect();
            match groves {
                Some(groves) => return Some(Self { groves }),
                None if size == 1 => return None,
                None => size = size.div_ceil(2),
            }
        }
    }

    /// The sum of one row's path lengths in all trees.
    pub(crate) fn path_length(&self, row: &[f32]) -> PathLength {
        self.groves.iter().map(|grove| avx512::path_length(grove, row)).sum()
    }

    /// The same sum; writes the number of the row's leaf in each tree to `leaves`.
    pub(crate) fn leaves(&self, row: &[f32], leaves: &mut [u32]) -> PathLength {
        let mut rest = leaves;
        let mut sum = 0;
        for grove in &self.groves {
            let (own, others) = rest.split_at_mut(grove.trees.len());
            sum += avx512::leaves(grove, row, |tree, place| {
                own[tree] = u32::from(grove.trees[tree].numbers[usize::from(place) % LEAVES]);
            });
            rest = others;
        }
        sum
    }

    /// Adds the path lengths of rows to `sums`, one for each row.
    pub(crate) fn path_lengths(&self, cells: &[f32], sums: &mut [PathLength]) {
        for grove in &self.groves {
            avx512::add_path_lengths(grove, cells, sums);
        }
    }
}

#[cfg(test)]
impl Ranks {
    pub(super) fn groves(&self) -> usize {
        self.groves.len()
    }
}
