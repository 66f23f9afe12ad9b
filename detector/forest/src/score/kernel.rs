//! A forest's trees in, the fastest exact kernel for them out. Each kernel sums the same whole numbers, so each gives the
//! same score to the bit.

use super::block::BLOCK;
#[cfg(target_arch = "x86_64")]
use super::ranks::Ranks;
use super::scale::Scale;
use super::step_table::StepTable;
use super::walks::Walks;
use crate::tree::Tree;
use crate::tree::path_length::PathLength;

/// A way to score the rows of a forest.
#[derive(Debug, Clone)]
pub(crate) enum Kernel {
    /// One column: a table of scores.
    StepTable(StepTable),
    /// Trees of at most eight levels, on a processor with AVX-512.
    #[cfg(target_arch = "x86_64")]
    Ranks(Ranks),
    /// All other trees, on any processor.
    Walks(Walks),
}

impl Kernel {
    /// The fastest kernel for these trees on this machine.
    pub(crate) fn new(columns: usize, trees: &[Tree], scale: Scale) -> Self {
        if let Some(steps) = (columns == 1).then(|| StepTable::new(trees, scale)).flatten() {
            return Self::StepTable(steps);
        }
        #[cfg(target_arch = "x86_64")]
        if let Some(ranks) = Ranks::new(columns, trees) {
            return Self::Ranks(ranks);
        }
        Self::Walks(Walks::new(trees))
    }

    /// The score of one row.
    pub(crate) fn score(&self, scale: Scale, row: &[f32]) -> f64 {
        match self {
            Self::StepTable(steps) => steps.score(steps.of(row[0])),
            #[cfg(target_arch = "x86_64")]
            Self::Ranks(ranks) => scale.score(ranks.path_length(row)),
            Self::Walks(walks) => scale.score(walks.path_length(row)),
        }
    }

    /// The score of one row. Writes the number of its leaf in each tree to `leaves`; a [`StepTable`] writes
    /// the row's step to the first entry instead.
    pub(crate) fn score_and_leaves(&self, scale: Scale, row: &[f32], leaves: &mut [u32]) -> f64 {
        match self {
            Self::StepTable(steps) => {
                leaves[0] = steps.of(row[0]);
                steps.score(leaves[0])
            }
            #[cfg(target_arch = "x86_64")]
            Self::Ranks(ranks) => scale.score(ranks.leaves(row, leaves)),
            Self::Walks(walks) => scale.score(walks.leaves(row, leaves)),
        }
    }

    /// Writes the scores of up to [`BLOCK`] rows to `scores`. `cells` has the rows one after the other.
    pub(crate) fn scores(&self, trees: &[Tree], scale: Scale, cells: &[f32], scores: &mut [f64]) {
        let columns = cells.len() / scores.len();
        if let Self::StepTable(steps) = self {
            for (score, &cell) in scores.iter_mut().zip(cells) {
                *score = steps.score(steps.of(cell));
            }
            return;
        }
        let mut sums = [0; BLOCK];
        self.add_path_lengths(trees, columns, cells, &mut sums[..scores.len()]);
        for (score, sum) in scores.iter_mut().zip(sums) {
            *score = scale.score(sum);
        }
    }

    /// Adds the path lengths of up to [`BLOCK`] rows to `sums`, which are 0.
    pub(crate) fn add_path_lengths(
        &self,
        trees: &[Tree],
        columns: usize,
        cells: &[f32],
        sums: &mut [PathLength],
    ) {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Ranks(ranks) => ranks.path_lengths(cells, sums),
            Self::Walks(walks) => walks.path_lengths(columns, cells, sums),
            Self::StepTable(_) => {
                for (sum, row) in sums.iter_mut().zip(cells.chunks_exact(columns)) {
                    *sum += path_length(trees, row);
                }
            }
        }
    }
}

/// The plain walk, tree by tree and node by node: every kernel is tested against it.
pub(crate) fn path_length(trees: &[Tree], row: &[f32]) -> PathLength {
    trees.iter().map(|tree| tree.path_length_of(row)).sum()
}

#[cfg(test)]
mod tests;
